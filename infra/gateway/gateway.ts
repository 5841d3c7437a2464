/**
 * One process of the gateway: what all roles share, the roles that run here, and the listeners over
 * them. Builds in order, closes in reverse; ffmpeg, Redis and the demo are children that never
 * outlive it.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type EncoderChoice } from '../../packager/worker/index.ts';
import { systemBroadcastClock } from '../kernel/broadcastClock.ts';
import type { GatewayError } from '../kernel/errors.ts';
import { errorText } from '../kernel/errors.ts';
import { type Closeable, closeStack, type CloseStack } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { connectStore } from '../kernel/redis.ts';
import { openDoors } from './admission.ts';
import type { GatewayConfig, Listen, Role } from './config.ts';
import { claimDataDirectory, keptSecret } from './dataDirectory.ts';
import { redisDirectory } from './directory.ts';
import { accessGuard, type Guard } from './http/api/access.ts';
import { withDescription } from './http/api/description.ts';
import { operationsRoutes } from './http/api/operations.ts';
import { createApp } from './http/app.ts';
import { listen, type ListenOptions } from './http/listen.ts';
import { internalHandler } from './internalHandler.ts';
import { startLeases } from './leases.ts';
import { openRedis } from './openRedis.ts';
import { openCertificates, openPublicListeners, urlHost } from './publicListeners.ts';
import { baseUrl, type House, type RolePart } from './roles/house.ts';
import { buildIngest } from './roles/ingest.ts';
import { buildOrigin } from './roles/origin.ts';
import { buildSignalling } from './roles/signalling.ts';
import { buildWorker } from './roles/worker.ts';

const CLOCK_OFFSET_WARNING_MS = 250;
const ROOT = join(import.meta.dirname, '..', '..');
const PAGES_DIRECTORY = join(ROOT, 'player-web', 'dist');

/** A running gateway and what the start table says of it. */
export type Gateway = Closeable & {
  readonly roles: readonly Role[];
  readonly publicUrl: string;
  /** Pages over TLS, and media over HTTP/2, where a certificate is configured. */
  readonly tls: { readonly publicUrl: string; readonly mediaUrl: string } | undefined;
  /** Undefined where signalling runs elsewhere. */
  readonly streamerUrl: string | undefined;
  readonly internalUrl: string;
  readonly redis: string;
  /** Undefined where workers run elsewhere. */
  readonly encoder: EncoderChoice | undefined;
};

/**
 * Starts the configured roles.
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
  const area = (name: string): Logger => logger.child({ area: name });
  const metrics = createMetrics();
  const clock = systemBroadcastClock();
  const data = stack.push(await claimDataDirectory(config.dataDir));
  const internalToken = config.internal.token ?? (await keptSecret(data.path, 'internal.token'));
  const redis = await openRedis(config, data.path, area('redis'), stack, onFatal);
  const store = stack.push(await connectStore(redis.location, area('redis')));
  const at = config.internal.listen;
  const internalUrl = (
    config.internal.advertise ?? baseUrl('http', urlHost(at.host), at.port)
  ).replace(/\/+$/, '');
  const house: House = {
    ...{ config, area, metrics, clock, store, internalToken, internalUrl, stack },
    seat: { instance: `${process.pid}-${randomBytes(4).toString('hex')}`, host: hostname() },
    location: redis.location,
    directory: redisDirectory(store),
    dataDirectory: data.path,
    certificates: await openCertificates(config.tls, area('http'), stack),
  };
  const doors = await openDoors({
    ...{ config: config.admission, dataDirectory: data.path, store, stack },
    logger: area('admission'),
  });
  const guard = accessGuard({
    ...{ token: internalToken, trustLoopback: config.http.trustLoopback },
    ...{ operators: doors.operators, isOpen: config.admission.kind === 'none' },
  });

  const builders: Readonly<Record<Role, () => RolePart | Promise<RolePart>>> = {
    origin: () => buildOrigin(house),
    ingest: () => buildIngest(house),
    worker: () => buildWorker(house),
    signalling: () => buildSignalling(house, doors, guard),
  };
  const parts: RolePart[] = [];
  // In the order of the table: who is asked is there before who asks.
  for (const [role, make] of Object.entries(builders)) {
    if (config.roles.includes(role as Role)) {
      parts.push(await make());
    }
  }
  const urls = await openListeners(house, parts, guard);
  const leases = parts.flatMap((part) => part.leases ?? []);
  stack.push(
    startLeases(house.directory, house.seat, leases, clockWatch(house, logger), area('lease')),
  );
  parts.forEach((part) => part.work?.());
  return {
    ...urls,
    roles: config.roles,
    streamerUrl: parts.find((part) => part.streamerUrl !== undefined)?.streamerUrl,
    internalUrl,
    redis: redis.description,
    encoder: parts.find((part) => part.encoder !== undefined)?.encoder,
    close: (reason) => stack.close(reason),
  };
}

async function openListeners(
  house: House,
  parts: readonly RolePart[],
  guard: Guard,
): Promise<Pick<Gateway, 'publicUrl' | 'tls'>> {
  const { config, area, stack, store, certificates } = house;
  const listening = listenOptions(house);
  const internal = internalHandler(house, parts);
  stack.push(
    await listen(
      { ...listening(config.internal.listen, 'internal.listen'), requestTimeoutMs: 0 },
      internal.onRequest,
      internal.onUpgrade,
    ),
  );
  const notReady = async (): Promise<readonly string[]> => {
    const isRedisUp = await store.get('grandstand:ready').then(
      () => true,
      () => false,
    );
    return isRedisUp ? [] : ['redis'];
  };
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const routes = [...operationsRoutes(notReady), ...parts.flatMap((part) => part.routes ?? [])];
  const handleUpgrade = parts.find((part) => part.handleUpgrade !== undefined)?.handleUpgrade;
  return openPublicListeners(
    { config, certificates, listening, stack },
    {
      handleMedia: (request, response) =>
        parts.some((part) => part.handleMedia?.(request, response)),
      handlePage: createApp({
        ...{ logger: area('http'), guard, routes: withDescription(routes, version) },
        pagesDirectory: config.roles.includes('signalling') ? PAGES_DIRECTORY : undefined,
      }),
      handleUpgrade: handleUpgrade ?? ((_request, socket) => socket.destroy()),
    },
  );
}

function listenOptions({ config, metrics, area }: House) {
  const refused = metrics.counter(
    'grandstand_http_refused_connections_total',
    'Connections past http.limits.maxConnections.',
    ['listener'],
  );
  const logger = area('http');
  return (at: Listen, setting: string): ListenOptions => ({
    ...{ at, setting, limits: config.http.limits },
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
}

function clockWatch({ clock, metrics }: House, logger: Logger): () => void {
  return () => {
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
  };
}
