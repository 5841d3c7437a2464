import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Logger } from '../../infra/kernel/logger.ts';
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
