/**
 * The origin alone in a process, for `npm run bench -- origin`: a public and an internal listener on
 * free ports, no Redis, no disk. Told by IPC; run with --expose-gc.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOrigin, originConfigSchema } from '../../packager/origin/index.ts';
import { systemBroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { createMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { BENCH_BROADCAST, BENCH_TOKEN } from './replay.ts';

/** What the process says: its ports once, and on `heap` what it holds. */
export type OriginSays =
  | { readonly kind: 'up'; readonly publicPort: number; readonly internalPort: number }
  | { readonly kind: 'heap'; readonly heapBytes: number; readonly held: number };

if (process.send !== undefined) {
  await main((message) => process.send?.(message));
}

async function main(say: (message: OriginSays) => void): Promise<void> {
  const metrics = createMetrics();
  const origin = await createOrigin(
    {
      logger: silentLogger,
      metrics,
      clock: systemBroadcastClock(),
      directory: { broadcast: () => Promise.resolve(BENCH_BROADCAST) },
      board: {
        reportLostPublisher: () => Promise.resolve(),
        reportOrigin: () => Promise.resolve(),
      },
      internalToken: new Secret(BENCH_TOKEN),
    },
    // A window of sixteen seconds is a playlist of about 2 KB.
    originConfigSchema.parse({ windowMs: 16_000, ringMs: 120_000 }),
  );
  const publicPort = await listen((request, response) => {
    if (!origin.handleMedia(request, response)) {
      response.writeHead(404).end();
    }
  });
  const internalPort = await listen((request, response) => {
    if (!origin.handlePublish(request, response)) {
      response.writeHead(404).end();
    }
  });
  process.on('message', () => {
    void metrics.render().then(({ body }) => {
      globalThis.gc?.();
      const held = Number(/^grandstand_origin_held_requests (\d+)/m.exec(body)?.[1] ?? Number.NaN);
      say({ kind: 'heap', heapBytes: process.memoryUsage().heapUsed, held });
    });
  });
  process.once('disconnect', () => process.exit());
  say({ kind: 'up', publicPort, internalPort });
}

async function listen(handler: RequestListener): Promise<number> {
  const server = createServer({ requestTimeout: 0 }, handler);
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}
