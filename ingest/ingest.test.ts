import { expect, it } from 'vitest';
import { systemBroadcastClock } from '../infra/kernel/broadcastClock.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import { noMetrics } from '../infra/kernel/metrics.ts';
import { Secret } from '../infra/kernel/secret.ts';
import { broadcastSchema, DEFAULT_LADDER } from '../infra/kernel/wire.ts';
import { createIngest, type Ingest } from './ingest.ts';
import { ingestConfigSchema } from './config.ts';

const broadcast = broadcastSchema.parse({
  id: 'demo',
  source: { kind: 'pixel-streaming', streamerId: 'demo' },
  ladder: DEFAULT_LADDER,
  grid: {},
  createdMs: 0,
});
const never = new AbortController().signal;

/** Without a signalling server a session does nothing but wait. */
function make(): { ingest: Ingest; run: (attempt: number) => Promise<string> } {
  const ingest = createIngest(
    {
      logger: silentLogger,
      metrics: noMetrics,
      clock: systemBroadcastClock(),
      directory: { signallingServers: () => Promise.resolve([]) },
      board: {
        announceFeed: () => Promise.resolve(),
        withdrawFeed: () => Promise.resolve(),
        reportIngest: () => Promise.resolve(),
      },
      anchors: {
        timelineAnchor: () => Promise.resolve(undefined),
        keepTimelineAnchor: () => Promise.resolve(),
      },
      ffmpegPath: 'ffmpeg',
      onApplicationEvent: () => undefined,
      internalToken: new Secret('token'),
      internalBaseUrl: 'http://127.0.0.1:1',
    },
    ingestConfigSchema.parse({}),
  );
  const run = async (attempt: number): Promise<string> => {
    await ingest.run({ broadcast }, { timestamp: 1, attempt }, never);
    return `${attempt} ended`;
  };
  return { ingest, run };
}

it('leaves one session, of the highest epoch, when takeovers meet', async () => {
  const { ingest, run } = make();
  const first = run(1);
  const others = [run(3), run(2)];
  expect(await first).toBe('1 ended');
  expect(await others[1]).toBe('2 ended');
  expect(await Promise.race([others[0], Promise.resolve('3 runs')])).toBe('3 runs');
  await ingest.close('test');
  expect(await others[0]).toBe('3 ended');
});

it('starts nothing after it was closed, not even a takeover that was under way', async () => {
  const { ingest, run } = make();
  const first = run(1);
  const second = run(2);
  await ingest.close('test');
  expect(await Promise.all([first, second, run(3)])).toEqual(['1 ended', '2 ended', '3 ended']);
});
