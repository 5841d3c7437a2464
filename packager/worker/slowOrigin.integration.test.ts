/** An origin that stops reading costs its own media, a bounded memory, and nobody else anything. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { type Metrics, noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER, type Ladder, type TranscodeJob } from '../../infra/kernel/wire.ts';
import { publishedTracks, startPublishing } from './publishing.ts';

const INIT_BYTES = 8;
/** Of all tracks at one instant: four segments of them are more than a job keeps. */
const INSTANT_BYTES = 128 * 1024;
/** What a job keeps for origins, however many tracks it has and origins there are (architecture §4). */
const KEPT_BYTES = 16 * 1024 * 1024;
const PER_SEGMENT = 40;
const DURATION = 10;
/** More than the sockets of both sides and the logs hold. */
const MOST_FRAGMENTS = 1500;

const ONE_TRACK: Ladder = { video: [], audio: [{ name: 'a64', bitrateBps: 64_000 }] };

/** Bytes of a fragment of each track: its share of the bitrate. */
function fragmentBytesOf({ video, audio }: Ladder): ReadonlyMap<string, number> {
  const rungs = [...video, ...audio];
  const totalBps = rungs.reduce((sum, { bitrateBps }) => sum + bitrateBps, 0);
  return new Map(
    rungs.map(({ name, bitrateBps }) => [
      name,
      Math.floor((INSTANT_BYTES * bitrateBps) / totalBps),
    ]),
  );
}

function jobOf(ladder: Ladder): TranscodeJob {
  return {
    broadcast: {
      ...{ id: 'demo', source: { kind: 'publish' }, redundancy: 1, createdMs: 0, ladder },
      grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
    },
    ...{ group: 'main', slot: 0 },
  };
}

// What waits for a stuck origin ends when the test says so.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What an origin has of a track. */
type Seen = { readonly received: number[]; puts: number; current?: IncomingMessage };

type ReadingOrigin = Awaited<ReturnType<typeof startOrigin>>;

/** An origin whose fragments are their own numbers; reads as long as `isReading`. */
async function startOrigin(fragmentBytes: ReadonlyMap<string, number>) {
  const tracks = new Map<string, Seen>(
    [...fragmentBytes.keys()].map((name) => [name, { received: [], puts: 0 }]),
  );
  const waiting = new Set<() => void>();
  let isReading = true;
  const server = createServer((request, response) => {
    const name = /^\/publish\/demo\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
    const seen = tracks.get(name)!;
    if (request.method === 'GET') {
      const last = seen.received.at(-1);
      response.end(
        JSON.stringify({ nextTicks: last === undefined ? null : (last + 1) * DURATION }),
      );
      return;
    }
    seen.puts += 1;
    seen.current = request;
    const push = fragmentReader(fragmentBytes.get(name)!, seen.received);
    request.on('error', () => undefined);
    request.on('end', () => response.end());
    request.on('data', (slice: Buffer) => {
      push(slice);
      waiting.forEach((check) => {
        check();
      });
    });
    if (!isReading) {
      request.pause();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tracks,
    stopReading() {
      isReading = false;
      tracks.forEach(({ current }) => current?.pause());
    },
    readOn() {
      isReading = true;
      tracks.forEach(({ current }) => current?.resume());
    },
    /** Reads what is published to it from now on; what it has not read is lost. */
    readAnew() {
      isReading = true;
      tracks.forEach(({ current }) => current?.destroy());
    },
    /** Resolves once fragment `number` of every track is here. */
    has(number: number): Promise<void> {
      return new Promise((resolve) => {
        const check = (): void => {
          if ([...tracks.values()].every(({ received }) => received.at(-1) === number)) {
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
}

/** Reads fragments of `bytes` each behind the header and writes down their numbers. */
function fragmentReader(bytes: number, received: number[]): (slice: Buffer) => void {
  let rest = Buffer.alloc(0);
  let skip = INIT_BYTES;
  return (slice) => {
    rest = Buffer.concat([rest, slice]);
    for (;;) {
      if (rest.toString('latin1', skip + 4, skip + 8) === 'free') {
        rest = rest.subarray(skip + 8); // says that nothing has come meanwhile
      } else if (rest.length >= skip + bytes) {
        received.push(rest.readUInt32BE(skip));
        rest = rest.subarray(skip + bytes);
      } else {
        break;
      }
      skip = 0;
    }
  };
}

/** Publishes to two origins, and paces itself by the one that reads. */
async function publishToTwo(ladder: Ladder) {
  const fragmentBytes = fragmentBytesOf(ladder);
  const good = await startOrigin(fragmentBytes);
  const slow = await startOrigin(fragmentBytes);
  const counts = new Map<string, number>();
  const metrics: Metrics = {
    ...noMetrics,
    counter: (name) => ({
      add(value = 1) {
        counts.set(name, (counts.get(name) ?? 0) + value);
      },
    }),
  };
  const tracks = publishedTracks(ladder);
  tracks.forEach(({ log }) => {
    log.beginRun();
    log.acceptInit(new Uint8Array(INIT_BYTES));
  });
  const publishing = startPublishing(
    {
      ...{ logger: silentLogger, metrics, internalToken: new Secret('token') },
      directory: { origins: () => Promise.resolve([good.url, slow.url]) },
    },
    { job: jobOf(ladder), epoch: { timestamp: 5, attempt: 1 }, tracks },
    () => undefined,
  );
  let next = 0;
  let mostBytes = 0;
  return {
    ...{ good, slow, publishing },
    dropped: () => counts.get('grandstand_worker_dropped_fragments_total') ?? 0,
    last: () => next - 1,
    /** The most that was kept at any time. */
    mostBytes: () => mostBytes,
    /** Appends until `isEnough`, a fragment of each track whenever the good origin has those before. */
    async append(isEnough: () => boolean): Promise<void> {
      for (; !isEnough(); next += 1) {
        expect(next).toBeLessThan(MOST_FRAGMENTS);
        const startsSegment = next % PER_SEGMENT === 0;
        const dts = ticks(next * DURATION);
        for (const { name, log } of tracks) {
          const bytes = Buffer.alloc(fragmentBytes.get(name)!);
          bytes.writeUInt32BE(next);
          log.append({ bytes, dts, endTicks: dts + DURATION, startsSegment });
        }
        mostBytes = Math.max(
          mostBytes,
          tracks.reduce((sum, { log }) => sum + log.bytes, 0),
        );
        await good.has(next);
      }
    },
    async end(): Promise<void> {
      tracks.forEach(({ log }) => {
        log.close();
      });
      await publishing.finish();
      [good, slow].forEach((origin) => {
        origin.close();
      });
    },
  };
}

/**
 * Both have all of it but for one hole at most in each track of the slow one, which ends at a segment.
 *
 * @returns fragments in the holes, by track
 */
function holesOf({ good, slow }: Record<'good' | 'slow', ReadingOrigin>): number[] {
  return [...good.tracks].map(([name, { received: all, puts }]) => {
    expect(all).toEqual(all.map((_, index) => index));
    expect(puts).toBe(1);
    const { received } = slow.tracks.get(name)!;
    const at = received.findIndex((number, index) => number !== index);
    if (at < 0) {
      expect(received).toEqual(all);
      return 0;
    }
    const to = received[at] ?? Number.NaN;
    expect(to % PER_SEGMENT).toBe(0);
    expect(received.slice(at)).toEqual(all.slice(to));
    return to - at;
  });
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

function putsOf({ tracks }: ReadingOrigin): number[] {
  return [...tracks.values()].map(({ puts }) => puts);
}

/** It was full, and never fuller: otherwise nothing was bounded. */
function expectBounded(mostBytes: number): void {
  expect(mostBytes).toBeLessThanOrEqual(KEPT_BYTES);
  expect(mostBytes).toBeGreaterThan(0.97 * KEPT_BYTES);
}

describe.each([
  ['one track', ONE_TRACK],
  ['a ladder', DEFAULT_LADDER],
])('%s', (_name, ladder) => {
  it('an origin that reads again goes on in the same publish; what it was too slow for is counted', async () => {
    const run = await publishToTwo(ladder);
    const { good, slow, dropped } = run;
    await run.append(() => run.last() >= PER_SEGMENT && hasBegun(slow));
    slow.stopReading();
    await run.append(() => dropped() > 2 * PER_SEGMENT);
    slow.readOn();
    await slow.has(run.last());
    await run.end();
    expect(sumOf(holesOf({ good, slow }))).toBe(dropped());
    expect(putsOf(slow)).toEqual(putsOf(good));
    expectBounded(run.mostBytes());
  });

  it('an origin that is stuck is connected again and gets what is kept; what went meanwhile is counted', async () => {
    const run = await publishToTwo(ladder);
    const { good, slow, dropped, publishing } = run;
    await run.append(() => run.last() >= PER_SEGMENT && hasBegun(slow));
    slow.stopReading();
    await run.append(() => dropped() > 0);
    await vi.advanceTimersByTimeAsync(5000);
    await vi.waitUntil(() => publishing.fault() !== undefined);
    expect(publishing.fault()).toContain('takes nothing for 5000 ms');
    const before = dropped();
    const away = run.last() + 5 * PER_SEGMENT;
    await run.append(() => run.last() >= away);
    slow.readAnew();
    let isBack = false;
    void slow.has(run.last()).then(() => {
      isBack = true;
    });
    // Moves the clock as well: each track tries again once its connection is gone.
    await vi.waitUntil(() => isBack, { timeout: 10_000 });
    await run.end();
    const hole = sumOf(holesOf({ good, slow }));
    expect(dropped()).toBeGreaterThan(before);
    // Not counted: what had left for it, and was lost in the sockets.
    expect(dropped()).toBeLessThanOrEqual(hole);
    expect(putsOf(slow)).toEqual(putsOf(good).map(() => 2));
    expectBounded(run.mostBytes());
  });
});

function hasBegun({ tracks }: ReadingOrigin): boolean {
  return [...tracks.values()].every(({ received }) => received.length > 0);
}
