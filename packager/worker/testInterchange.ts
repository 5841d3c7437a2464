/**
 * Test support: two workers on one feed, each with an origin of its own, and whether a viewer could
 * take any segment from either.
 */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemBroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import type { TranscodeJob } from '../../infra/kernel/wire.ts';
import { chunk, parseInit } from '../cmaf/index.ts';
import { workerConfigSchema } from './config.ts';
import { x264Choice } from './probe.ts';
import type { Received, TestOrigin } from './testOrigin.ts';
import { createWorker } from './worker.ts';

/** Looked up in PATH. */
const FFMPEG = 'ffmpeg';

/** One track of both workers, over the segments that both made whole. */
export type Interchange = {
  readonly track: string;
  readonly segments: number;
  /** Segments whose first decode time, frame count, durations or sync samples are not the same. */
  readonly unlike: readonly number[];
  readonly frames: number;
  readonly isInitEqual: boolean;
  readonly byteEqual: number;
  /** Bytes of samples of the first worker. */
  readonly bytes: number;
  /** What ffmpeg says of alternate segments of both behind one header; empty where they decode. */
  readonly decodeFault: string;
};

/** Runs `job` on the feed at `feedUrl` until it is stopped. */
export function startWorkerOf(
  job: TranscodeJob,
  feedUrl: string,
  origin: Pick<TestOrigin, 'url'>,
): { stop(): Promise<void> } {
  const end = new AbortController();
  const feed = { url: feedUrl, epoch: { timestamp: 1, attempt: 1 } };
  const worker = createWorker(
    {
      ...{ logger: silentLogger, metrics: noMetrics, clock: systemBroadcastClock() },
      directory: {
        feedOf: () => Promise.resolve(feed),
        origins: () => Promise.resolve([origin.url]),
      },
      board: {
        reportTranscode: () => Promise.resolve(),
        reportLostFeed: () => Promise.resolve(),
      },
      internalToken: new Secret('token'),
      encoder: x264Choice({ x264Preset: 'ultrafast' }, 'test', 1),
    },
    workerConfigSchema.parse({}),
  );
  const tenure = { epoch: { timestamp: 5, attempt: 1 }, isTakeover: false };
  const done = worker.run(job, tenure, end.signal);
  done.catch(() => undefined);
  return {
    async stop() {
      end.abort();
      await done;
    },
  };
}

/** Compares `track` of two origins, segments of `segmentTicks`. */
export async function interchangeOf(
  origins: readonly [TestOrigin, TestOrigin],
  track: string,
  segmentTicks: number,
): Promise<Interchange> {
  const [a, b] = origins.map((origin) => wholeSegments(origin, track, segmentTicks));
  const [initA, initB] = origins.map((origin) => origin.inits.get(track)?.at(-1));
  if (a === undefined || b === undefined || initA === undefined || initB === undefined) {
    throw new Error(`${track}: one of the two has made nothing`);
  }
  const pairs = [...a].flatMap(([msn, samples]) => {
    const other = b.get(msn);
    return other === undefined ? [] : [{ msn, both: [samples, other] as const }];
  });
  const { trackId } = parseInit(initA);
  const alternate = pairs.flatMap(({ both }, index) =>
    (both[index % 2] ?? []).map((sample) => chunk([sample], { trackId, sequenceNumber: 1 })),
  );
  return {
    track,
    segments: pairs.length,
    unlike: pairs.filter(({ both }) => shapeOf(both[0]) !== shapeOf(both[1])).map(({ msn }) => msn),
    frames: pairs.reduce((sum, { both }) => sum + both[0].length, 0),
    isInitEqual: initA.equals(initB),
    byteEqual: pairs.filter(({ both }) => digestOf(both[0]) === digestOf(both[1])).length,
    bytes: pairs.flatMap(({ both }) => both[0]).reduce((sum, { data }) => sum + data.length, 0),
    decodeFault: await decodeFault(Buffer.concat([initA, ...alternate])),
  };
}

/** Samples by segment, without the first and the last, which may not be whole. */
function wholeSegments(
  origin: TestOrigin,
  track: string,
  segmentTicks: number,
): Map<number, Received[]> {
  const segments = Map.groupBy(origin.received.get(track) ?? [], ({ dts }) =>
    Math.floor(dts / segmentTicks),
  );
  const numbers = [...segments.keys()].sort((one, other) => one - other);
  return new Map(numbers.slice(1, -1).map((msn) => [msn, segments.get(msn) ?? []]));
}

function shapeOf(samples: readonly Received[]): string {
  return samples
    .map(({ dts, duration, isSync }) => `${dts}+${duration}${isSync ? '!' : ''}`)
    .join();
}

function digestOf(samples: readonly Received[]): string {
  const hash = createHash('sha1');
  samples.forEach(({ data }) => hash.update(data));
  return hash.digest('hex');
}

async function decodeFault(file: Buffer): Promise<string> {
  const child = spawn(
    FFMPEG,
    ['-hide_banner', '-v', 'error', '-xerror', '-i', 'pipe:0', '-f', 'null', '-'],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  child.stdin.on('error', () => undefined);
  child.stdin.end(file);
  const said: Buffer[] = [];
  child.stderr.on('data', (slice: Buffer) => said.push(slice));
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0
    ? Buffer.concat(said).toString()
    : `ffmpeg ended with ${code ?? 'a signal'}: ${Buffer.concat(said).toString()}`;
}
