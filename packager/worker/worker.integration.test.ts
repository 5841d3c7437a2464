/** The worker with real ffmpeg: what reaches an origin, and what happens when things break. */
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { systemBroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import type { GatewayError } from '../../infra/kernel/errors.ts';
import { type Logger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import type { Epoch, TranscodeJob, TranscodeStatus } from '../../infra/kernel/wire.ts';
import { workerConfigSchema } from './config.ts';
import { x264Choice } from './probe.ts';
import { serveTestFeed, type TestFeed } from './testFeed.ts';
import { type Received, startTestOrigin, type TestOrigin } from './testOrigin.ts';
import { createWorker } from './worker.ts';

const SEGMENT_MS = 1000;
const VIDEO = ['v180', 'v90'];
const TRACKS = [...VIDEO, 'a64'];

const job: TranscodeJob = {
  broadcast: {
    id: 'demo',
    source: { kind: 'pixel-streaming', streamerId: 'demo' },
    ladder: {
      video: [
        { name: 'v180', width: 320, height: 180, bitrateBps: 300_000 },
        { name: 'v90', width: 160, height: 90, bitrateBps: 100_000 },
      ],
      audio: [{ name: 'a64', bitrateBps: 64_000 }],
    },
    grid: { segmentMs: SEGMENT_MS, partMs: 500, chunkMs: 100, fps: 30 },
    redundancy: 1,
    createdMs: 0,
  },
  group: 'main',
  slot: 0,
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

/** A worker on a test feed and a test origin, running. */
async function startJob(seconds: number, { feedUrl }: { readonly feedUrl?: string } = {}) {
  const temporary = await mkdtemp(join(tmpdir(), 'gsw-'));
  vi.stubEnv('TMPDIR', temporary);
  const feed: TestFeed = await serveTestFeed(seconds);
  const origin: TestOrigin = await startTestOrigin();
  const pids: number[] = [];
  const warnings: unknown[] = [];
  const statuses: TranscodeStatus[] = [];
  const lostFeed = Promise.withResolvers<Epoch>();
  const logger: Logger = {
    error: () => undefined,
    warn: (fields) => warnings.push(fields),
    info: ({ pid }) => typeof pid === 'number' && pids.push(pid),
    debug: () => undefined,
    child: () => logger,
  };
  const stop = new AbortController();
  const worker = createWorker(
    {
      logger,
      metrics: noMetrics,
      clock: systemBroadcastClock(),
      directory: {
        feedOf: () =>
          Promise.resolve({ url: feedUrl ?? feed.url, epoch: { timestamp: 1, attempt: 1 } }),
        origins: () => Promise.resolve([origin.url]),
      },
      board: {
        reportTranscode: (_id, _slot, status) => {
          statuses.push(status);
          return Promise.resolve();
        },
        reportLostFeed: (_id, epoch) => {
          lostFeed.resolve(epoch);
          return Promise.resolve();
        },
      },
      internalToken: new Secret('token'),
      encoder: x264Choice({ x264Preset: 'ultrafast' }, 'test', 1),
    },
    workerConfigSchema.parse({}),
  );
  const done = worker.run(
    job,
    { epoch: { timestamp: 5, attempt: 1 }, isTakeover: false },
    stop.signal,
  );
  done.catch(() => undefined);
  closers.push(async () => {
    stop.abort();
    await done.catch(() => undefined);
    feed.close();
    origin.close();
    vi.unstubAllEnvs();
    await rm(temporary, { recursive: true, force: true });
  });
  return { feed, origin, pids, warnings, statuses, stop, done, temporary, lostFeed };
}

function track(origin: TestOrigin, name: string): readonly Received[] {
  return origin.received.get(name) ?? [];
}

function segmentTicks(name: string): number {
  return ((VIDEO.includes(name) ? 90_000 : 48_000) * SEGMENT_MS) / 1000;
}

/** Segments of which something was received. */
function segmentsOf(origin: TestOrigin, name: string): number[] {
  const ticks = segmentTicks(name);
  return [...new Set(track(origin, name).map(({ dts }) => Math.floor(dts / ticks)))];
}

/** Places where a track does not go on where it ended. */
function breaksOf(received: readonly Received[]): Received[] {
  return received.filter((fragment, index) => {
    const before = received[index - 1];
    return before !== undefined && before.dts + before.duration !== fragment.dts;
  });
}

/** One sample per fragment; IDR at each segment start and nowhere else. */
function expectOnGrid(origin: TestOrigin): void {
  for (const name of VIDEO) {
    const received = track(origin, name);
    expect(received.every(({ samples, duration }) => samples === 1 && duration === 3000)).toBe(
      true,
    );
    expect(received.filter(({ isSync }) => isSync).map(({ dts }) => dts)).toEqual(
      segmentsOf(origin, name).map((msn) => msn * segmentTicks(name)),
    );
  }
  expect(track(origin, 'a64').every(({ dts }) => dts % 1024 === 0)).toBe(true);
}

test('a run starts on the grid, survives a lost connection, a killed ffmpeg and a lost feed', async () => {
  const { feed, origin, pids, statuses, stop, done, temporary, warnings } = await startJob(40);
  const have = (segments: number) => () =>
    TRACKS.every((name) => segmentsOf(origin, name).length >= segments);

  await origin.until(have(3));
  const t0 = track(origin, 'v180')[0]!.dts / 90_000;
  expect(Number.isInteger(t0)).toBe(true);
  expect(track(origin, 'v90')[0]!.dts).toBe(t0 * 90_000);
  expect(track(origin, 'a64')[0]!.dts).toBe(Math.ceil((t0 * 48_000) / 1024) * 1024);
  expectOnGrid(origin);

  // The origin loses its connections: nothing is lost and nothing comes twice.
  origin.cut();
  await origin.until(have(5));
  expect(TRACKS.map((name) => breaksOf(track(origin, name)))).toEqual([[], [], []]);
  expect(new Set(track(origin, 'v180').map(({ put }) => put)).size).toBe(2);

  // ffmpeg is killed: another one goes on, a segment later, with the same header.
  process.kill(pids[0]!, 'SIGKILL');
  await origin.until(() => TRACKS.every((name) => breaksOf(track(origin, name)).length === 1));
  const segments = segmentsOf(origin, 'v180').length;
  await origin.until(have(segments + 2));
  expectOnGrid(origin);
  const resumed = VIDEO.map((name) => breaksOf(track(origin, name))[0]!.dts / 90_000);
  expect(Number.isInteger(resumed[0])).toBe(true);
  expect(resumed[1]).toBe(resumed[0]);
  expect(breaksOf(track(origin, 'a64'))[0]!.dts).toBe(
    Math.ceil((resumed[0]! * 48_000) / 1024) * 1024,
  );

  // The feed ends its readers, as it does when the source is lost.
  feed.endReaders();
  await origin.until(() => TRACKS.every((name) => breaksOf(track(origin, name)).length === 2));
  expectOnGrid(origin);
  for (const name of TRACKS) {
    const [first, ...others] = origin.inits.get(name)!;
    expect(others).toHaveLength(3);
    expect(others.every((init) => init.equals(first!))).toBe(true);
  }
  expect([...origin.authorizations]).toEqual(['Bearer token']);

  // It is said each second, also how the third run goes.
  await origin.until(() => statuses.at(-1)?.restarts === 2);
  const endedBefore = origin.endedPuts;
  stop.abort();
  await done;
  expect(origin.endedPuts - endedBefore).toBe(TRACKS.length);
  expect(await readdir(temporary)).toEqual([]);
  for (const pid of pids) {
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  }
  expect(pids).toHaveLength(3);
  expect(statuses.at(-1)).toMatchObject({ encoder: 'libx264', restarts: 2, epoch: '5.1' });
  expect(JSON.stringify(warnings)).toContain('SIGKILL');
});

test('a fenced job ends for good, and nothing of it is left', async () => {
  const { origin, done, pids, temporary } = await startJob(15);
  await origin.until(() => track(origin, 'v90').length > 0);
  origin.refuseWith = 409;
  origin.cut();
  await expect(done).rejects.toMatchObject({ code: 'fenced' });
  expect(await readdir(temporary)).toEqual([]);
  expect(() => process.kill(pids[0]!, 0)).toThrow('ESRCH');
});

test('an origin that refuses is asked again, and the status says why', async () => {
  const { origin, statuses, warnings } = await startJob(15);
  origin.refuseWith = 422;
  await vi.waitUntil(() => statuses.some(({ reason }) => reason?.includes('422')), {
    timeout: 10_000,
  });
  expect(JSON.stringify(warnings)).toContain('refused by the test');
  origin.refuseWith = undefined;
  await origin.until(() => TRACKS.every((name) => track(origin, name).length > 30));
  expectOnGrid(origin);
});

test('an ffmpeg that hangs is found silent and replaced', async () => {
  const { origin, pids, warnings } = await startJob(25);
  await origin.until(() => track(origin, 'v90').length > 0);
  process.kill(pids[0]!, 'SIGSTOP');
  await origin.until(() => breaksOf(track(origin, 'v90')).length === 1);
  expectOnGrid(origin);
  expect(JSON.stringify(warnings)).toContain('ffmpeg has written nothing of');
  expect(() => process.kill(pids[0]!, 0)).toThrow('ESRCH');
});

test('a feed that is not Matroska, or stops inside a cluster, ends the job after five tries', async () => {
  const whole = await serveTestFeed(2);
  closers.push(() => {
    whole.close();
  });
  const cluster = Buffer.from(await firstBytes(whole.url, 4000));
  let joins = 0;
  const server = createServer((_request, response) => {
    joins += 1;
    const bytes = joins % 2 === 0 ? cluster : Buffer.from('<html>no feed here</html>');
    response.writeHead(200, { 'grandstand-newest-ms': String(Date.now()) }).write(bytes, () => {
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  const { done } = await startJob(2, {
    feedUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed/demo`,
  });
  const fault = await done.then(
    () => undefined,
    (error: unknown) => error as GatewayError,
  );
  expect(fault).toMatchObject({ code: 'ffmpeg_failed' });
  expect(fault?.message).toMatch(
    /^nothing was encoded in 5 tries: .*the feed is not Matroska: it begins with 3c68746d/,
  );
  expect(joins).toBe(5);
});

test('a feed that is announced where nobody listens is reported as lost', async () => {
  const { lostFeed, pids } = await startJob(1, { feedUrl: 'http://127.0.0.1:1/feed/demo' });
  expect(await lostFeed.promise).toEqual({ timestamp: 1, attempt: 1 });
  expect(pids).toEqual([]);
});

async function firstBytes(url: string, count: number): Promise<Uint8Array> {
  const { body } = await fetch(url);
  const parts: Uint8Array[] = [];
  for await (const slice of body ?? []) {
    parts.push(slice as Uint8Array);
    if (parts.reduce((sum, part) => sum + part.length, 0) >= count) {
      break;
    }
  }
  return Buffer.concat(parts).subarray(0, count);
}
