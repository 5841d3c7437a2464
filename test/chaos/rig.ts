/** A cluster under chaos: who publishes, who is ready, and a viewer's page in front of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { type Cluster, startCluster } from '../../infra/gateway/cluster/cluster.ts';
import type { Member } from '../../infra/gateway/cluster/member.ts';
import { clusterLadder, clusterSource } from '../../infra/gateway/cluster/plan.ts';
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { connectStore, type KeyValueStore } from '../../infra/kernel/redis.ts';
import { keepArtifacts } from '../support/artifacts.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { untilPlaying } from '../support/watchPage.ts';
import { nowMs } from './segmentWatch.ts';

/** An encoder that runs: whose, for which slot, its ffmpeg. */
export type Encoder = {
  readonly member: Member;
  readonly slot: number;
  readonly pid: number;
  /** First instant that it publishes (Unix ms). */
  readonly fromMs: number;
};

/** The players of the page. */
export type Player = 'hls' | 'dash';

/** What faults are done to. */
export type Rig = Closeable & {
  readonly cluster: Cluster;
  readonly redundancy: 1 | 2;
  /** Encoders that run now. */
  encoders(): readonly Encoder[];
  /** The encoder whose media are followed. */
  followed(): Promise<Encoder>;
  /** Waits until everything runs and as many publish as should; how long it took (ms). */
  untilReady(): Promise<number>;
  /** Opens the watch page and waits until it plays; undefined without a browser. */
  play(player: Player): Promise<Page | undefined>;
};

export const GRID = { segmentMs: 2000, fps: 30 } as const;
/** Tracks of the one rung that the cluster makes. */
export const TRACKS = [
  { track: 'v360', kind: 'video' },
  { track: 'a128', kind: 'audio' },
] as const;

const API_MS = 3000;
const READY_MS = 60_000;
/** An encoder that publishes for this long has been taken up by the origins (ms). */
const SETTLED_MS = 1500;
const CLAIMS = 'grandstand:agreement:segment:';

/** What tells afterwards how the cluster fared, in its directory. */
const TELLING = ['logs', join('redis', 'redis.log')];

/**
 * Starts the cluster. After the close its directory is either forgotten, or its logs are kept among the
 * artifacts, which gives their place; where the start fails they are kept, and the place is printed.
 */
export async function openRig(options: {
  readonly redundancy: 1 | 2;
  readonly hasBrowser: boolean;
}): Promise<Rig & { forget(): Promise<void>; keepLogs(): Promise<string> }> {
  const stack = closeStack(
    (error) => {
      console.error('closing:', error);
    },
    { deadlineMs: 30_000 },
  );
  const directory = await mkdtemp(join(tmpdir(), 'gs-chaos-'));
  const keepLogs = (): Promise<string> => keepArtifacts('chaos', directory, TELLING);
  try {
    const source = clusterSource('360p');
    const cluster = stack.push(
      await startCluster(
        {
          ...{ directory, source, workers: 2, origins: 2, isKept: false },
          redundancy: options.redundancy,
          ladder: clusterLadder(source, 1),
          environment: {
            GRANDSTAND_WORKER_ENCODER: 'libx264',
            GRANDSTAND_WORKER_X264_PRESET: 'ultrafast',
          },
        },
        silentLogger,
      ),
    );
    const store = stack.push(
      await connectStore({ kind: 'url', url: cluster.redis.url }, silentLogger),
    );
    const browser = options.hasBrowser ? stack.push(await launchBrowser(VIEW)) : undefined;
    const rig = rigOf(cluster, store, browser, options.redundancy);
    await rig.untilReady();
    return {
      ...rig,
      close: (reason) => stack.close(reason),
      forget: () => rm(directory, { recursive: true, force: true }),
      keepLogs,
    };
  } catch (error) {
    await stack.close('start failed');
    console.error(`the cluster did not start, its logs: ${await keepLogs()}`);
    throw error;
  }
}

const VIEW = { viewport: { width: 640, height: 480 } };

function rigOf(
  cluster: Cluster,
  store: KeyValueStore,
  browser: TestBrowser | undefined,
  redundancy: 1 | 2,
): Omit<Rig, 'close'> {
  const encoders = (): Encoder[] => cluster.of('worker').flatMap(encodersOf);
  const isReady = async (): Promise<boolean> => {
    const running = encoders();
    return (
      cluster.members.every(({ isUp }) => isUp) &&
      new Set(running.map(({ slot }) => slot)).size === redundancy &&
      running.length === redundancy &&
      running.every(({ fromMs }) => nowMs() - fromMs > SETTLED_MS) &&
      (await stateOf(cluster)) === 'live'
    );
  };
  return {
    ...{ cluster, redundancy, encoders },
    async followed() {
      const running = encoders();
      const slot = redundancy === 1 ? undefined : await followedSlot(store, cluster.broadcast);
      const found = running.find((one) => one.slot === slot) ?? running[0];
      if (found === undefined) {
        throw new Error('nobody encodes');
      }
      return found;
    },
    async untilReady() {
      const beganMs = nowMs();
      await until('the cluster is ready', READY_MS, isReady);
      return nowMs() - beganMs;
    },
    async play(player) {
      const page = await browser?.context.newPage();
      await page?.goto(`${cluster.front.url}/watch/${cluster.broadcast}?player=${player}`);
      if (page !== undefined) {
        await untilPlaying(page);
      }
      return page;
    },
  };
}

/** What the API says of the broadcast. */
async function stateOf({ front, broadcast }: Cluster): Promise<string | undefined> {
  const response = await fetch(`${front.url}/api/v1/broadcasts/${broadcast}`, {
    signal: AbortSignal.timeout(API_MS),
  });
  return z.looseObject({ state: z.string() }).safeParse(await response.json()).data?.state;
}

/** Encoders that a worker says it runs. */
function encodersOf(member: Member): Encoder[] {
  return [...member.doing.keys()].flatMap((key) => {
    const slot = /^encoder \S+ (\d)$/.exec(key)?.[1];
    const started = member.records.findLast(
      (record) => record.msg === 'encoder started' && record.slot === Number(slot),
    );
    return slot === undefined || started?.pid === undefined
      ? []
      : [{ member, slot: Number(slot), pid: started.pid, fromMs: Date.parse(started.t0 ?? '') }];
  });
}

/** Slot of the newest segment that the origins have agreed on; undefined while they need not. */
async function followedSlot(store: KeyValueStore, broadcast: string): Promise<number | undefined> {
  const claims = await store.list(`${CLAIMS}${broadcast}:`);
  const newest = [...claims]
    .map(([key, slot]) => ({ msn: Number(key.split(':').at(-1)), slot: Number(slot) }))
    .sort((a, b) => b.msn - a.msn)[0];
  return newest?.slot;
}
