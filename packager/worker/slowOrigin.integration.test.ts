/** An origin that stops reading costs its own media, a bounded memory, and nobody else anything. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { type Metrics, noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { ticks } from '../../infra/kernel/time.ts';
import type { TranscodeJob } from '../../infra/kernel/wire.ts';
import { keptBytesOf, startPublishing } from './publishing.ts';
import { TrackLog } from './trackLog.ts';

const INIT_BYTES = 8;
/** Four segments of such fragments are more than 16 MiB: bytes are what is bounded here. */
const FRAGMENT_BYTES = 128 * 1024;
const PER_SEGMENT = 40;
const DURATION = 10;
/** More than the sockets of both sides and the log hold. */
const MOST_FRAGMENTS = 1500;

const job: TranscodeJob = {
  broadcast: {
    ...{ id: 'demo', source: { kind: 'publish' }, redundancy: 1, createdMs: 0 },
    ladder: { video: [], audio: [{ name: 'a64', bitrateBps: 64_000 }] },
    grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
  },
  ...{ group: 'main', slot: 0 },
};

// What waits for a stuck origin ends when the test says so.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

type ReadingOrigin = Awaited<ReturnType<typeof startOrigin>>;

/** An origin whose fragments are their own numbers; reads as long as `isReading`. */
async function startOrigin() {
  const received: number[] = [];
  const waiting = new Set<() => void>();
  let current: IncomingMessage | undefined;
  let isReading = true;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      const last = received.at(-1);
      response.end(
        JSON.stringify({ nextTicks: last === undefined ? null : (last + 1) * DURATION }),
      );
      return;
    }
    current = request;
    let rest = Buffer.alloc(0);
    let skip = INIT_BYTES;
    origin.puts += 1;
    request.on('error', () => undefined);
    request.on('end', () => response.end());
    request.on('data', (slice: Buffer) => {
      rest = Buffer.concat([rest, slice]);
      for (;;) {
        if (rest.toString('latin1', skip + 4, skip + 8) === 'free') {
          rest = rest.subarray(skip + 8); // says that nothing has come meanwhile
        } else if (rest.length >= skip + FRAGMENT_BYTES) {
          received.push(rest.readUInt32BE(skip));
          rest = rest.subarray(skip + FRAGMENT_BYTES);
        } else {
          break;
        }
        skip = 0;
      }
      waiting.forEach((check) => {
        check();
      });
    });
    if (!isReading) {
      request.pause();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    puts: 0,
    stopReading() {
      isReading = false;
      current?.pause();
    },
    readOn() {
      isReading = true;
      current?.resume();
    },
    /** Reads what is published to it from now on; what it has not read is lost. */
    readAnew() {
      isReading = true;
      current?.destroy();
    },
    /** Resolves once fragment `number` is here. */
    has(number: number): Promise<void> {
      return new Promise((resolve) => {
        const check = (): void => {
          if (received.at(-1) === number) {
            waiting.delete(check);
            resolve();
          }
        };
        waiting.add(check);
        check();
      });
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return origin;
}

/** Publishes to two origins, and paces itself by the one that reads. */
async function publishToTwo() {
  const good = await startOrigin();
  const slow = await startOrigin();
  const counts = new Map<string, number>();
  const metrics: Metrics = {
    ...noMetrics,
    counter: (name) => ({
      add(value = 1) {
        counts.set(name, (counts.get(name) ?? 0) + value);
      },
    }),
  };
  const maxBytes = keptBytesOf(64_000, 64_000);
  const log = new TrackLog(maxBytes);
  log.beginRun();
  log.acceptInit(new Uint8Array(INIT_BYTES));
  const publishing = startPublishing(
    {
      ...{ logger: silentLogger, metrics, internalToken: new Secret('token') },
      directory: { origins: () => Promise.resolve([good.url, slow.url]) },
    },
    {
      ...{ job, epoch: { timestamp: 5, attempt: 1 } },
      tracks: [{ name: 'a64', kind: 'audio', log }],
    },
    () => undefined,
  );
  let next = 0;
  return {
    ...{ good, slow, publishing },
    dropped: () => counts.get('grandstand_worker_dropped_fragments_total') ?? 0,
    last: () => next - 1,
    /** Appends until `isEnough`, a fragment whenever the good origin has the one before. */
    async append(isEnough: () => boolean): Promise<void> {
      for (; !isEnough(); next += 1) {
        expect(next).toBeLessThan(MOST_FRAGMENTS);
        const bytes = Buffer.alloc(FRAGMENT_BYTES);
        bytes.writeUInt32BE(next);
        const startsSegment = next % PER_SEGMENT === 0;
        const dts = ticks(next * DURATION);
        log.append({ bytes, dts, endTicks: dts + DURATION, startsSegment });
        expect(log.bytes).toBeLessThanOrEqual(maxBytes);
        await good.has(next);
      }
    },
    async end(): Promise<void> {
      log.close();
      await publishing.finish();
      [good, slow].forEach((origin) => {
        origin.close();
      });
    },
  };
}

/** Both have all of it but for one hole in what the slow one has, which ends at a segment. */
function holeOf({ good, slow }: Record<'good' | 'slow', ReadingOrigin>) {
  expect(good.received).toEqual(good.received.map((_, index) => index));
  expect(good.puts).toBe(1);
  const at = slow.received.findIndex((number, index) => number !== index);
  const to = slow.received[at] ?? Number.NaN;
  expect(to % PER_SEGMENT).toBe(0);
  expect(slow.received.slice(at)).toEqual(good.received.slice(to));
  return to - at;
}

it('an origin that reads again goes on in the same publish; what it was too slow for is counted', async () => {
  const run = await publishToTwo();
  const { good, slow, dropped } = run;
  await run.append(() => run.last() >= PER_SEGMENT && slow.received.length > 0);
  slow.stopReading();
  await run.append(() => dropped() > 2 * PER_SEGMENT);
  slow.readOn();
  await slow.has(run.last());
  await run.end();
  expect(holeOf({ good, slow })).toBe(dropped());
  expect(slow.puts).toBe(1);
});

it('an origin that is stuck is connected again and gets what is kept; what went meanwhile is counted', async () => {
  const run = await publishToTwo();
  const { good, slow, dropped, publishing } = run;
  await run.append(() => run.last() >= PER_SEGMENT && slow.received.length > 0);
  slow.stopReading();
  await run.append(() => dropped() > 0);
  await vi.advanceTimersByTimeAsync(5000);
  await vi.waitUntil(() => publishing.fault() !== undefined);
  expect(publishing.fault()).toContain('takes nothing for 5000 ms');
  const before = dropped();
  const away = run.last() + 5 * PER_SEGMENT;
  await run.append(() => run.last() >= away);
  slow.readAnew();
  const isBack = slow.has(run.last());
  await vi.advanceTimersByTimeAsync(1000);
  await isBack;
  await run.end();
  const hole = holeOf({ good, slow });
  expect(dropped()).toBeGreaterThan(before);
  // Not counted: what had left for it, and was lost in the sockets.
  expect(dropped()).toBeLessThanOrEqual(hole);
  expect(slow.puts).toBe(2);
});
