/** Any worker can replace any other: two that joined a feed apart make segments that fit together. */
import { expect, test } from 'vitest';
import type { TranscodeJob } from '../../infra/kernel/wire.ts';
import { serveTestFeed } from './testFeed.ts';
import { interchangeOf, startWorkerOf } from './testInterchange.ts';
import { startTestOrigin, type TestOrigin } from './testOrigin.ts';

const job: TranscodeJob = {
  broadcast: {
    id: 'demo',
    source: { kind: 'pixel-streaming', streamerId: 'demo' },
    ladder: {
      video: [{ name: 'v180', width: 320, height: 180, bitrateBps: 300_000 }],
      audio: [{ name: 'a64', bitrateBps: 64_000 }],
    },
    grid: { segmentMs: 1000, partMs: 500, chunkMs: 100, fps: 30 },
    redundancy: 1,
    createdMs: 0,
  },
  group: 'main',
  slot: 0,
};

test('two workers that join a feed seconds apart make the same segments, and alternate ones decode', async () => {
  const feed = await serveTestFeed(25);
  const origins: [TestOrigin, TestOrigin] = [await startTestOrigin(), await startTestOrigin()];
  const segmentsOf = (origin: TestOrigin): number =>
    new Set(origin.received.get('v180')?.map(({ dts }) => Math.floor(dts / 90_000))).size;
  const first = startWorkerOf(job, feed.url, origins[0]);
  await origins[0].until(() => segmentsOf(origins[0]) >= 4);
  const second = startWorkerOf(job, feed.url, origins[1]);
  await origins[1].until(() => segmentsOf(origins[1]) >= 7);
  await Promise.all([first.stop(), second.stop()]);
  for (const [track, ticks] of [
    ['v180', 90_000],
    ['a64', 48_000],
  ] as const) {
    const seen = await interchangeOf(origins, track, ticks);
    expect(seen).toMatchObject({ unlike: [], isInitEqual: true, decodeFault: '' });
    expect(seen.segments).toBeGreaterThanOrEqual(4);
  }
  feed.close();
  origins.forEach((origin) => {
    origin.close();
  });
});
