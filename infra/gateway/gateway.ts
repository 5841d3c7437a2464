/**
 * The wiring of every role in one process: the only place that knows everyone. Builds in order,
 * closes in reverse; ffmpeg, Redis and the demo are children that never outlive it.
 */
import { join } from 'node:path';
import { createIngest } from '../../ingest/index.ts';
import { createOrigin } from '../../packager/origin/index.ts';
import { createWorker, type EncoderChoice, probeEncoder } from '../../packager/worker/index.ts';
import { buildAdmission, startSignalling } from '../../signalling/index.ts';
import { systemBroadcastClock } from '../kernel/broadcastClock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { errorText } from '../kernel/errors.ts';
import { type JobContext, openJobQueue, startJobRunner } from '../kernel/jobs.ts';
import { type Closeable, closeStack, type CloseStack } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { connectStore } from '../kernel/redis.ts';
import { isAuthorized } from '../kernel/secret.ts';
import { ingestJobSchema, transcodeJobSchema } from '../kernel/wire.ts';
import { redisAgreement } from './agreement.ts';
import type { GatewayConfig, Listen } from './config.ts';
import { startController } from './controller.ts';
import { desiredBroadcasts } from './desired.ts';
import { claimDataDirectory, keptSecret } from './dataDirectory.ts';
import { redisDirectory } from './directory.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { openPublicListeners, urlHost } from './publicListeners.ts';
import { runWhileWanted, wantOf } from './jobWatch.ts';
import { TOKEN_SECRET_FILE } from './loadConfig.ts';
import { startLeases } from './leases.ts';
import { openRedis } from './openRedis.ts';
import { createViews } from './views.ts';

const CLOCK_OFFSET_WARNING_MS = 250;
const PAGES_DIRECTORY = join(import.meta.dirname, '..', '..', 'player-web', 'dist');

/** A running gateway and what the start table says of it. */
export type Gateway = Closeable & {
  readonly publicUrl: string;
  /** Pages over TLS, and media over HTTP/2, where a certificate is configured. */
  readonly tls: { readonly publicUrl: string; readonly mediaUrl: string } | undefined;
  readonly streamerUrl: string;
  readonly internalUrl: string;
  readonly redis: string;
  readonly encoder: EncoderChoice;
};

/**
 * Starts every role.
 *
 * @param onFatal told when something that cannot be replaced has ended (the private Redis)
 * @throws GatewayError with what to do; what was started before is closed again
 */
export async function startGateway(
  config: GatewayConfig,
  logger: Logger,
  onFatal: (error: GatewayError) => void,
): Promise<Gateway> {
  const stack = closeStack((error) => logger.warn({ error: errorText(error) }, 'closing'));
  try {
    return await build(config, logger, onFatal, stack);
  } catch (error) {
    await stack.close('start failed');
    throw error;
  }
}

async function build(
  config: GatewayConfig,
  logger: Logger,
  onFatal: (error: GatewayError) => void,
  stack: CloseStack,
): Promise<Gateway> {
  const stopping = new AbortController();
  const area = (name: string): Logger => logger.child({ area: name });
  const metrics = createMetrics();
  const clock = systemBroadcastClock();
  const internalUrl = `http://${urlHost(config.internal.listen.host)}:${config.internal.listen.port}`;

  const dataDirectory = stack.push(await claimDataDirectory(config.dataDir));
  const internalToken =
    config.internal.token ?? (await keptSecret(dataDirectory.path, 'internal.token'));
  const redis = await openRedis(config, dataDirectory.path, area('redis'), stack, onFatal);
  const store = stack.push(await connectStore(redis.location, area('redis')));
  const directory = redisDirectory(store);
  const encoder = await probeEncoder(config.worker, area('worker'));

  const deps = { metrics, clock, directory, board: directory, internalToken };
  const keeping = {
    agreement: redisAgreement(store),
    mediaDirectory: join(dataDirectory.path, 'media'),
  };
  const origin = stack.push(
    await createOrigin({ ...deps, ...keeping, logger: area('origin') }, config.origin),
  );
  const ingest = stack.push(
    createIngest({ ...deps, logger: area('ingest'), internalBaseUrl: internalUrl }, config.ingest),
  );
  const worker = createWorker({ ...deps, logger: area('worker'), encoder }, config.worker);
  await keptSecret(dataDirectory.path, TOKEN_SECRET_FILE);
  const admission = stack.push(
    await buildAdmission(config.admission, { logger: area('admission'), nowMs: () => Date.now() }),
  );
  const signalling = stack.push(
    await startSignalling(
      { logger: area('signalling'), metrics, internalToken, admission },
      config.signalling,
      stopping.signal,
    ),
  );

  const refused = metrics.counter(
    'grandstand_http_refused_connections_total',
    'Connections past http.limits.maxConnections.',
    ['listener'],
  );
  const listening = <T extends string>(at: Listen, setting: T) => ({
    at,
    setting,
    limits: config.http.limits,
    onRefused() {
      refused.add(1, { listener: setting });
    },
    onFault(error: unknown) {
      logger.error(
        { error: errorText(error), stack: error instanceof Error ? error.stack : undefined },
        'request failed',
      );
    },
  });
  stack.push(
    await listen(
      { ...listening(config.internal.listen, 'internal.listen'), requestTimeoutMs: 0 },
      (request, response) => {
        if (ingest.handleFeed(request, response) || origin.handlePublish(request, response)) {
          return;
        }
        if (!isAuthorized(request.headers.authorization, internalToken)) {
          response
            .writeHead(401, { 'Content-Type': 'text/plain' })
            .end('the internal listener needs its bearer token\n');
          return;
        }
        if (request.method === 'GET' && request.url === '/metrics') {
          void metrics.render().then(
            ({ contentType, body }) =>
              response.writeHead(200, { 'Content-Type': contentType }).end(body),
            (error: unknown) => response.writeHead(500).end(errorText(error)),
          );
          return;
        }
        response
          .writeHead(404, { 'Content-Type': 'text/plain' })
          .end('no such path on the internal listener\n');
      },
      (request, socket, head) => signalling.handleIngestUpgrade(request, socket, head),
    ),
  );

  const desired = desiredBroadcasts({
    ...config.broadcast,
    directory,
    nowMs: () => clock.nowMs(),
    maxBroadcasts: config.maxBroadcasts,
  });
  const ingestQueue = stack.push(openJobQueue(redis.location, 'ingest', area('queue')));
  const transcodeName = `transcode-${encoder.class}`;
  const transcodeQueue = stack.push(openJobQueue(redis.location, transcodeName, area('queue')));
  const controller = stack.push(
    startController(
      {
        logger: area('controller'),
        directory,
        desired,
        ingestQueue,
        transcodeQueue,
      },
      config,
    ),
  );
  stack.defer(
    signalling.onChange((event) => {
      if (event.kind === 'streamerIdentified') {
        controller.streamerIdentified(event.streamerId);
      }
    }),
  );

  const views = createViews(directory, signalling, clock);
  const app = createApp({
    logger: area('http'),
    pagesDirectory: PAGES_DIRECTORY,
    ...views,
    desired,
    writeRule: { token: internalToken, trustLoopback: config.http.trustLoopback },
    recordings: (id) => origin.recordings(id),
    async notReady() {
      const isRedisUp = await store.get('grandstand:ready').then(
        () => true,
        () => false,
      );
      return isRedisUp ? [] : ['redis'];
    },
  });
  const publicListeners = await openPublicListeners(
    { config, logger: area('http'), listening, stack },
    {
      handleMedia: (request, response) => origin.handleMedia(request, response),
      handlePage: app,
      handleUpgrade: (request, socket, head) => {
        signalling.handlePlayerUpgrade(request, socket, head);
      },
    },
  );

  stack.push(
    startLeases(
      directory,
      internalUrl,
      () => {
        const offsetMs = clock.offsetMs();
        metrics
          .gauge('grandstand_clock_offset_ms', 'Wall clock minus broadcast clock (ms)')
          .set(offsetMs);
        if (Math.abs(offsetMs) > CLOCK_OFFSET_WARNING_MS) {
          logger.warn(
            { offsetMs: Math.round(offsetMs) },
            'the system clock was stepped; the broadcast clock follows by 1 ms/s',
          );
        }
      },
      area('lease'),
    ),
  );

  const runner = (
    name: string,
    concurrency: number,
    process: (job: JobContext) => Promise<void>,
  ): Closeable =>
    startJobRunner({ location: redis.location, name, concurrency }, process, area('queue'));
  stack.push(
    runner('ingest', config.maxBroadcasts, async (job) => {
      const payload = ingestJobSchema.parse(job.payload);
      await runWhileWanted(
        job.signal,
        async () => wantOf(payload.broadcast, await directory.broadcast(payload.broadcast.id)),
        (signal) => ingest.run(payload, job.epoch, signal),
      );
    }),
  );
  stack.push(
    runner(transcodeName, config.worker.concurrency, async (job) => {
      const payload = transcodeJobSchema.parse(job.payload);
      const { id } = payload.broadcast;
      await runWhileWanted(
        job.signal,
        async () => {
          const want = wantOf(payload.broadcast, await directory.broadcast(id));
          return want === 'wanted' && (await directory.feedOf(id)) === undefined ? 'idle' : want;
        },
        (signal) => worker.run(payload, job.epoch, signal),
      );
    }),
  );
  stack.defer(() => {
    stopping.abort();
  });

  return {
    ...publicListeners,
    streamerUrl: `ws://${urlHost(config.signalling.streamers.host)}:${signalling.streamersPort}`,
    internalUrl,
    redis: redis.description,
    encoder,
    close: (reason) => stack.close(reason),
  };
}
