/**
 * The ingest alone in a process, for `npm run bench -- ingest`: signalling, one session and a feed
 * that it reads itself. Told nothing; says where a streamer may come, then when it is live.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemBroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { feedPath } from '../../infra/kernel/wire.ts';
import { createIngest, ingestConfigSchema } from '../../ingest/index.ts';
import { startTinySignalling } from '../support/tinySignalling.ts';
import { BENCH_BROADCAST, BENCH_TOKEN } from './replay.ts';

/** What the process says. */
export type IngestSays =
  | { readonly kind: 'up'; readonly streamerUrl: string; readonly feedUrl: string }
  | {
      readonly kind: 'status';
      readonly framesIn: number;
      readonly framesDamaged: number;
      readonly bitrateBps: number;
    };

if (process.send !== undefined) {
  await main((message) => process.send?.(message));
}

async function main(say: (message: IngestSays) => void): Promise<void> {
  const signalling = await startTinySignalling();
  const server = createServer((request, response) => {
    if (!ingest.handleFeed(request, response)) {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ingest = createIngest(
    {
      logger: silentLogger,
      metrics: noMetrics,
      clock: systemBroadcastClock(),
      directory: { signallingServers: () => Promise.resolve([signalling.playerUrl]) },
      board: {
        announceFeed: () => Promise.resolve(),
        withdrawFeed: () => Promise.resolve(),
        reportIngest: (_id, { framesIn, framesDamaged, bitrateBps = 0 }) => {
          say({ kind: 'status', framesIn, framesDamaged, bitrateBps });
          return Promise.resolve();
        },
      },
      anchors: {
        timelineAnchor: () => Promise.resolve(undefined),
        keepTimelineAnchor: () => Promise.resolve(),
      },
      ffmpegPath: 'ffmpeg',
      onApplicationEvent: () => undefined,
      internalToken: new Secret(BENCH_TOKEN),
      internalBaseUrl: baseUrl,
    },
    ingestConfigSchema.parse({}),
  );
  process.once('disconnect', () => process.exit());
  say({
    kind: 'up',
    streamerUrl: signalling.streamerUrl,
    feedUrl: `${baseUrl}${feedPath(BENCH_BROADCAST.id)}`,
  });
  await signalling.identified;
  const broadcast = {
    ...BENCH_BROADCAST,
    source: { kind: 'pixel-streaming' as const, streamerId: 'synthetic' },
  };
  await ingest.run({ broadcast }, { timestamp: 1, attempt: 1 }, new AbortController().signal);
}
