/**
 * Signalling alone in a process, for `npm run bench -- signalling`: no Redis, no tokens, no limits of
 * rate (all peers have one address). Told by IPC; run with --expose-gc.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { createMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { startSignalling } from '../../signalling/index.ts';

/** What the process says: its ports once, and on any message what it holds. */
export type SignallingSays =
  | { readonly kind: 'up'; readonly playersPort: number; readonly streamersPort: number }
  | {
      readonly kind: 'holds';
      readonly heapBytes: number;
      readonly residentBytes: number;
      readonly players: number;
    };

if (process.send !== undefined) {
  await main((message) => process.send?.(message));
}

async function main(say: (message: SignallingSays) => void): Promise<void> {
  const unlimited = { perSecond: 0 };
  const signalling = await startSignalling(
    { logger: silentLogger, metrics: createMetrics(), internalToken: new Secret('bench') },
    {
      streamers: { port: 0 },
      maxConnections: 10_000,
      connectionRate: unlimited,
      messageRate: unlimited,
    },
    new AbortController().signal,
  );
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    signalling.handlePlayerUpgrade(request, socket, head);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  process.on('message', () => {
    globalThis.gc?.();
    const { heapUsed: heapBytes, rss: residentBytes } = process.memoryUsage();
    const players = signalling.snapshot().players.length;
    say({ kind: 'holds', heapBytes, residentBytes, players });
  });
  process.once('disconnect', () => process.exit());
  const playersPort = (server.address() as AddressInfo).port;
  say({ kind: 'up', playersPort, streamersPort: signalling.streamersPort });
}
