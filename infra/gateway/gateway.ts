/**
 * The wiring of every role in one process: the only place that knows everyone. Builds in order,
 * closes in reverse; ffmpeg, Redis and the demo are children that never outlive it.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createIngest } from '../../ingest/index.ts';
import { createOrigin } from '../../packager/origin/index.ts';
import { createWorker, type EncoderChoice, probeEncoder } from '../../packager/worker/index.ts';
import {
  playersView,
  type Signalling,
  startSignalling,
  statusView,
  streamersView,
} from '../../signalling/index.ts';
import { systemBroadcastClock } from '../kernel/broadcastClock.ts';
import { errorText, GatewayError } from '../kernel/errors.ts';
import { type JobContext, openJobQueue, startJobRunner } from '../kernel/jobs.ts';
import { type Closeable, closeStack, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { connectStore, type RedisLocation, startPrivateRedis } from '../kernel/redis.ts';
import { isAuthorized, Secret } from '../kernel/secret.ts';
import { ingestJobSchema, transcodeJobSchema } from '../kernel/wire.ts';
import { broadcastView, type BroadcastView, stateOf, type StreamerState } from './broadcastView.ts';
import type { GatewayConfig, Listen } from './config.ts';
import { startController, StateHistory } from './controller.ts';
import { claimDataDirectory } from './dataDirectory.ts';
import { redisDirectory, type RedisDirectory } from './directory.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { watchJob } from './jobWatch.ts';

const LEASE_RENEWAL_MS = 1000;
const CLOCK_OFFSET_WARNING_MS = 250;
const PAGES_DIRECTORY = join(import.meta.dirname, '..', '..', 'player-web', 'dist');

/** A running gateway and what the start table says of it. */
export type Gateway = Closeable & {
  readonly publicUrl: string;
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
  stack: ReturnType<typeof closeStack>,
): Promise<Gateway> {
  const stopping = new AbortController();
  const area = (name: string): Logger => logger.child({ area: name });
  const metrics = createMetrics();
  const clock = systemBroadcastClock();
  const internalToken = new Secret(config.internal.token ?? randomBytes(32).toString('base64url'));
  const internalUrl = `http://${urlHost(config.internal.listen.host)}:${config.internal.listen.port}`;

  const dataDirectory = stack.push(await claimDataDirectory(config.dataDir));
  const redis = await openRedis(config, dataDirectory.path, area('redis'), stack, onFatal);
  const store = stack.push(await connectStore(redis.location, area('redis')));
  const directory = redisDirectory(store);
  const encoder = await probeEncoder(config.worker, area('worker'));

  const deps = { metrics, clock, directory, board: directory, internalToken };
  const origin = stack.push(createOrigin({ ...deps, logger: area('origin') }, config.origin));
  const ingest = stack.push(
    createIngest({ ...deps, logger: area('ingest'), internalBaseUrl: internalUrl }, config.ingest),
  );
  const worker = createWorker({ ...deps, logger: area('worker'), encoder }, config.worker);
  const signalling = stack.push(
    await startSignalling(
      { logger: area('signalling'), metrics, internalToken },
      config.signalling,
      stopping.signal,
    ),
  );

  const onFault = (error: unknown): void => {
    logger.error(
      { error: errorText(error), stack: error instanceof Error ? error.stack : undefined },
      'request failed',
    );
  };
  const internal = stack.push(
    await listen(
      { at: config.internal.listen, setting: 'internal.listen', requestTimeoutMs: 0, onFault },
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

  const ingestQueue = stack.push(openJobQueue(redis.location, 'ingest', area('queue')));
  const transcodeName = `transcode-${encoder.class}`;
  const transcodeQueue = stack.push(openJobQueue(redis.location, transcodeName, area('queue')));
  const controller = stack.push(
    startController(
      {
        logger: area('controller'),
        directory,
        ingestQueue,
        transcodeQueue,
        nowMs: () => clock.nowMs(),
      },
      {
        ...config.broadcast,
        autoBroadcast: config.autoBroadcast,
        maxBroadcasts: config.maxBroadcasts,
      },
    ),
  );
  stack.defer(
    signalling.onChange((event) => {
      if (event.kind === 'streamerIdentified') {
        controller.streamerIdentified(event.streamerId);
      }
    }),
  );

  const views = createViews(directory, signalling, () => clock.nowMs());
  const app = createApp({
    logger: area('http'),
    pagesDirectory: PAGES_DIRECTORY,
    ...views,
    epicView: (path) => epicView(signalling, path),
    async notReady() {
      const isRedisUp = await store.get('grandstand:ready').then(
        () => true,
        () => false,
      );
      return isRedisUp ? [] : ['redis'];
    },
  });
  const publicListener = stack.push(
    await listen(
      { at: config.http.listen, setting: 'http.listen', requestTimeoutMs: 60_000, onFault },
      (request, response) => {
        if (!origin.handleMedia(request, response)) {
          app(request, response);
        }
      },
      (request, socket, head) => signalling.handlePlayerUpgrade(request, socket, head),
    ),
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
      const watch = watchJob(
        job.signal,
        async () => (await directory.broadcast(payload.broadcast.id)) !== undefined,
      );
      await ingest.run(payload, job.epoch, watch.signal).finally(() => watch.close());
    }),
  );
  stack.push(
    runner(transcodeName, config.worker.concurrency, async (job) => {
      const payload = transcodeJobSchema.parse(job.payload);
      const watch = watchJob(
        job.signal,
        async () => (await directory.feedOf(payload.broadcast.id)) !== undefined,
      );
      await worker.run(payload, job.epoch, watch.signal).finally(() => watch.close());
    }),
  );
  stack.defer(() => {
    stopping.abort();
  });

  return {
    publicUrl: `http://${urlHost(config.http.listen.host)}:${publicListener.port}`,
    streamerUrl: `ws://${urlHost(config.signalling.streamers.host)}:${signalling.streamersPort}`,
    internalUrl: `http://${urlHost(config.internal.listen.host)}:${internal.port}`,
    redis: redis.description,
    encoder,
    close: (reason) => stack.close(reason),
  };
}

async function openRedis(
  config: GatewayConfig,
  directory: string,
  logger: Logger,
  stack: ReturnType<typeof closeStack>,
  onFatal: (error: GatewayError) => void,
): Promise<{ readonly location: RedisLocation; readonly description: string }> {
  if (config.redis.url !== undefined) {
    return {
      location: { kind: 'url', url: config.redis.url },
      description: new URL(config.redis.url).host,
    };
  }
  await endOrphan(join(directory, 'redis.pid'));
  const redis = await startPrivateRedis(directory, logger);
  let isClosing = false;
  stack.push({
    async close(reason) {
      isClosing = true;
      await redis.child.close(reason);
    },
  });
  void redis.exited.then(() => {
    if (!isClosing) {
      onFatal(
        new GatewayError(
          'redis_unavailable',
          `the private redis-server has ended; see ${join(directory, 'redis.log')}`,
        ),
      );
    }
  });
  return { location: redis.location, description: 'private redis-server' };
}

/** Ends the private Redis of a gateway that was killed: its parent is gone, its socket is ours. */
async function endOrphan(pidFile: string): Promise<void> {
  const pid = await readFile(pidFile, 'utf8').then(Number, () => Number.NaN);
  if (!Number.isInteger(pid) || pid <= 1) {
    return;
  }
  const commandLine = (): Promise<string> =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  for (let tries = 0; tries < 50 && (await commandLine()).includes('redis-server'); tries += 1) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      break;
    }
    await pause(100);
  }
  await rm(pidFile, { force: true });
}

function startLeases(
  directory: RedisDirectory,
  internalUrl: string,
  onTick: () => void,
  logger: Logger,
): Closeable {
  const instance = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      try {
        await directory.leaseRole('origin', instance, internalUrl);
        await directory.leaseRole('signalling', instance, internalUrl);
      } catch (error) {
        logger.debug({ error: errorText(error) }, 'lease not renewed');
      }
      onTick();
      await pause(LEASE_RENEWAL_MS, stopped.signal);
    }
  })();
  return {
    async close() {
      stopped.abort();
      await loop;
    },
  };
}

function createViews(
  directory: RedisDirectory,
  signalling: Signalling,
  nowMs: () => ReturnType<ReturnType<typeof systemBroadcastClock>['nowMs']>,
): {
  broadcasts(): Promise<BroadcastView[]>;
  broadcast(id: string): Promise<BroadcastView | undefined>;
} {
  const history = new StateHistory();
  const view = async (id: string): Promise<BroadcastView | undefined> => {
    const broadcast = await directory.broadcast(id);
    if (broadcast === undefined) {
      return undefined;
    }
    const statuses = await directory.statusesOf(id);
    const streamer = streamerState(signalling, broadcast.source.streamerId);
    const now = nowMs();
    const { state } = stateOf(statuses, streamer, now);
    const since = history.since(id, state, now) as typeof now;
    return broadcastView(broadcast, statuses, streamer, { nowMs: now, since });
  };
  return {
    broadcast: view,
    async broadcasts() {
      const ids = (await directory.broadcasts()).map((broadcast) => broadcast.id).sort();
      return (await Promise.all(ids.map(view))).flatMap((one) => (one === undefined ? [] : [one]));
    },
  };
}

function streamerState(signalling: Signalling, streamerId: string): StreamerState {
  const { streamers, players } = signalling.snapshot();
  const isConnected = streamers.some(
    (streamer) => streamer.streamerId === streamerId && streamer.streaming,
  );
  const player = players.find((candidate) => candidate.subscribedTo === streamerId);
  return {
    isConnected,
    presenter: player === undefined ? null : { connected: true, playerId: player.playerId },
  };
}

function epicView(signalling: Signalling, path: readonly string[]): unknown {
  const [kind = '', id] = path;
  const snapshot = signalling.snapshot();
  switch (kind) {
    case 'status':
      return statusView(snapshot);
    case 'streamers':
      return id === undefined
        ? streamersView(snapshot)
        : streamersView(snapshot).find((streamer) => streamer.streamerId === id);
    case 'players':
      return id === undefined
        ? playersView(snapshot)
        : playersView(snapshot).find((player) => player.playerId === id);
    default:
      return undefined;
  }
}

function urlHost(host: Listen['host']): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return isIP(reachable) === 6 ? `[${reachable}]` : reachable;
}
