import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Logger, silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { ticks } from '../../infra/kernel/time.ts';
import type { TranscodeJob } from '../../infra/kernel/wire.ts';
import { startPublishing } from './publishing.ts';
import { TrackLog } from './trackLog.ts';

// Nothing that waits ends here by time.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const job: TranscodeJob = {
  broadcast: {
    ...{ id: 'demo', source: { kind: 'publish' }, redundancy: 1, createdMs: 0 },
    ladder: { video: [], audio: [{ name: 'a64', bitrateBps: 64_000 }] },
    grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
  },
  ...{ group: 'main', slot: 0 },
};

/** A base URL at which nobody listens. */
async function goneOrigin(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

it('ends at once where no origin takes anything, although the directory does not answer', async () => {
  const origin = await goneOrigin();
  const { promise: failed, resolve } = Promise.withResolvers<unknown>();
  const logger: Logger = {
    ...{ error: () => undefined, info: () => undefined, debug: () => undefined },
    warn: resolve,
    child: () => logger,
  };
  const log = new TrackLog(1_000_000);
  log.beginRun();
  log.acceptInit(new Uint8Array(8));
  log.append({ bytes: new Uint8Array(8), dts: ticks(0), endTicks: 1024, startsSegment: true });
  const answers = [Promise.resolve([origin])];
  const publishing = startPublishing(
    {
      ...{ logger, metrics: noMetrics, internalToken: new Secret('token') },
      directory: { origins: () => answers.shift() ?? new Promise(() => undefined) },
    },
    {
      ...{ job, epoch: { timestamp: 5, attempt: 1 } },
      tracks: [{ name: 'a64', kind: 'audio', log }],
    },
    () => undefined,
  );
  expect(await failed).toMatchObject({ code: 'origin_unavailable', track: 'a64' });
  expect(publishing.isTaken()).toBe(false);
  expect(publishing.fault()).toContain('ECONNREFUSED');
  // The next look into the directory is under way, and never ends.
  await vi.advanceTimersByTimeAsync(1000);
  expect(answers).toEqual([]);
  log.close();
  await publishing.finish();
  expect(publishing.fault()).toBeUndefined();
});

it('says that it lives while it has nothing to send', async () => {
  const HEADER = new Uint8Array(8);
  const FRAGMENT = Buffer.from('0000000a6d6461740102', 'hex');
  const BEAT = Buffer.from('0000000866726565', 'hex');
  let body = Buffer.alloc(0);
  let look = (): void => undefined;
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.end('{"nextTicks":null}');
      return;
    }
    request.on('data', (slice: Buffer) => {
      body = Buffer.concat([body, slice]);
      look();
    });
    request.on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // No polling: it would move the clock.
  const got = async (...parts: Uint8Array[]): Promise<void> => {
    const whole = Buffer.concat(parts);
    await new Promise<void>((resolve) => {
      look = () => {
        if (body.length >= whole.length) {
          resolve();
        }
      };
      look();
    });
    expect(body).toEqual(whole);
  };
  const log = new TrackLog(1_000_000);
  let dts = 0;
  const append = (): void => {
    log.append({ bytes: FRAGMENT, dts: ticks(dts), endTicks: dts + 1024, startsSegment: true });
    dts += 1024;
  };
  log.beginRun();
  log.acceptInit(HEADER);
  append();
  const { port } = server.address() as AddressInfo;
  const publishing = startPublishing(
    {
      ...{ logger: silentLogger, metrics: noMetrics, internalToken: new Secret('token') },
      directory: { origins: () => Promise.resolve([`http://127.0.0.1:${port}`]) },
    },
    {
      ...{ job, epoch: { timestamp: 5, attempt: 1 } },
      tracks: [{ name: 'a64', kind: 'audio', log }],
    },
    () => undefined,
  );
  await got(HEADER, FRAGMENT);
  await vi.advanceTimersByTimeAsync(400);
  append();
  await got(HEADER, FRAGMENT, FRAGMENT);
  await vi.advanceTimersByTimeAsync(499);
  append();
  await got(HEADER, FRAGMENT, FRAGMENT, FRAGMENT);
  await vi.advanceTimersByTimeAsync(1000);
  await got(HEADER, FRAGMENT, FRAGMENT, FRAGMENT, BEAT, BEAT);
  append();
  log.close();
  await publishing.finish();
  expect(body.subarray(-FRAGMENT.length)).toEqual(FRAGMENT);
  server.close();
});
