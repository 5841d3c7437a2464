/**
 * Sockets and timers around the rules of roles/: the streamers' listener, upgrades of players and
 * of the ingest on the gateway's servers. Owns the registry; every change of it is one `step`.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { errorText } from '../infra/kernel/errors.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { Secret } from '../infra/kernel/secret.ts';
import { ingestRefusal, listenForStreamers, refuseUpgrade } from './admission.ts';
import type { SignallingConfig } from './config.ts';
import { type Connection, MISSED_BEATS, openConnection } from './connection.ts';
import { type ConnectionId, EMPTY_REGISTRY } from './registry.ts';
import { type ConnectionEvent, type Role, step } from './roles/step.ts';
import type { Effect, SignallingEvent } from './roles/turn.ts';
import { type SignallingSnapshot, snapshotOf } from './view.ts';

/** What signalling is given. */
export type SignallingDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Bearer token of the internal listener, which the ingest shows. */
  readonly internalToken: Secret;
};

/** The running signalling server. */
export type Signalling = Closeable & {
  /** Takes an upgrade of the public listener, on any path. */
  handlePlayerUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes an upgrade of the internal listener: the ingest, on `/signalling`, with the token. */
  handleIngestUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  snapshot(): SignallingSnapshot;
  /** Listens to changes; the result stops it. */
  onChange(listener: (event: SignallingEvent) => void): () => void;
  /** Port of the streamers' listener: the configured one, or the one that 0 became. */
  readonly streamersPort: number;
};

/** Largest frame, bytes. A larger one closes its socket with 1009. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** How long peers have to answer the close frame when the server stops, ms. */
const CLOSE_GRACE_MS = 500;
/** Own connections of the ingest: one for each broadcast. */
const MAX_INGESTS = 1000;

type Member = { readonly role: Role; readonly connection: Connection };

/**
 * Starts to listen for streamers. Runs until `signal` aborts or `close`.
 * @throws GatewayError `port_in_use` or `bad_config` when the port cannot be had
 */
export async function startSignalling(
  deps: SignallingDeps,
  config: SignallingConfig,
  signal: AbortSignal,
): Promise<Signalling> {
  const hub = createHub(deps, config);
  const server = await listenForStreamers(
    config.streamers,
    2 * config.maxStreamers,
    (request, socket, head) => {
      hub.accept('streamer', request, socket, head);
    },
  );
  const address = server.address();
  const streamersPort =
    typeof address === 'object' && address !== null ? address.port : config.streamers.port;
  deps.logger.info({ host: config.streamers.host, port: streamersPort }, 'streamers can connect');

  let closing: Promise<void> | undefined;
  const close = (reason: string): Promise<void> => {
    closing ??= closeAll(server, hub, reason);
    return closing;
  };
  const onAbort = (): void => {
    void close('stopping');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) {
    onAbort();
  }
  return {
    streamersPort,
    snapshot: () => hub.snapshot(),
    onChange: (listener) => hub.onChange(listener),
    handlePlayerUpgrade(request, socket, head) {
      hub.accept('player', request, socket, head);
    },
    handleIngestUpgrade(request, socket, head) {
      const refusal = ingestRefusal(request, deps.internalToken);
      if (refusal === undefined) {
        hub.accept('ingest', request, socket, head);
      } else {
        refuseUpgrade(socket, refusal.status, refusal.text);
      }
    },
    async close(reason) {
      signal.removeEventListener('abort', onAbort);
      await close(reason);
    },
  };
}

type Hub = {
  accept(role: Role, request: IncomingMessage, socket: Duplex, head: Buffer): void;
  snapshot(): SignallingSnapshot;
  onChange(listener: (event: SignallingEvent) => void): () => void;
  /** Says goodbye to everyone; resolves when all are gone or the grace is over. */
  disband(reason: string): Promise<void>;
};

function createHub({ logger, metrics }: SignallingDeps, config: SignallingConfig): Hub {
  const startedMs = performance.now();
  const members = new Map<ConnectionId, Member>();
  const listeners = new Set<(event: SignallingEvent) => void>();
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const counts = signallingMetrics(metrics);
  const limits: Readonly<Record<Role, number>> = {
    streamer: config.maxStreamers,
    player: config.maxConnections,
    ingest: MAX_INGESTS,
  };
  let registry = EMPTY_REGISTRY;
  let nextConnection: ConnectionId = 1;
  let isClosing = false;
  let whenEmpty: (() => void) | undefined;

  const countOf = (role: Role): number =>
    [...members.values()].filter((member) => member.role === role).length;

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'send':
        members.get(effect.to)?.connection.send(effect.message);
        return;
      case 'close':
        members.get(effect.connection)?.connection.close(effect.code, effect.reason);
        return;
      case 'notify':
        tell(effect.event);
        return;
      case 'ignored': {
        const { connection, why, detail } = effect;
        const role = members.get(connection)?.role ?? 'player';
        counts.ignored.add(1, { role, why });
        logger.debug({ connection, role, why, detail }, 'message ignored');
      }
    }
  };

  const tell = (event: SignallingEvent): void => {
    const { kind, ...fields } = event;
    logger.info(fields, EVENT_TEXTS[kind]);
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        logger.error({ event: kind, error: errorText(error) }, 'a listener of signalling failed');
      }
    }
  };

  /** A fault of ours in one step costs one connection, not the server. */
  const happen = (event: ConnectionEvent): void => {
    try {
      const { registry: next, effects } = step(registry, event, config);
      registry = next;
      effects.forEach(perform);
    } catch (error) {
      logger.error({ event: event.kind, error: errorText(error) }, 'signalling step failed');
      members.get(event.connection)?.connection.close(1011, 'internal error');
    }
  };

  const heart = setInterval(() => {
    for (const { connection } of members.values()) {
      connection.beat();
    }
  }, config.pingTimeoutMs / MISSED_BEATS);
  heart.unref();

  return {
    accept(role, request, socket, head) {
      if (isClosing || countOf(role) >= limits[role]) {
        counts.refused.add(1, { role });
        logger.warn({ role, limit: limits[role], isClosing }, 'connection refused');
        refuseUpgrade(socket, 503, isClosing ? 'stopping' : `too many ${role} connections`);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const id = nextConnection;
        nextConnection += 1;
        const remoteAddress = request.socket.remoteAddress ?? '';
        let identifyTimer: NodeJS.Timeout | undefined;
        const connection = openConnection(
          webSocket,
          {
            onMessage(parsed) {
              happen({ kind: 'received', connection: id, parsed });
            },
            onFault(fault) {
              counts.faults.add(1, { role });
              logger.warn({ connection: id, role, fault }, 'connection dropped');
            },
            onClosed(code, reason) {
              clearTimeout(identifyTimer);
              members.delete(id);
              counts.connections.set(countOf(role), { role });
              logger.debug({ connection: id, role, code, reason }, 'disconnected');
              happen({ kind: 'closed', connection: id });
              if (members.size === 0) {
                whenEmpty?.();
              }
            },
          },
          config,
        );
        members.set(id, { role, connection });
        counts.connections.set(countOf(role), { role });
        logger.debug({ connection: id, role, remoteAddress }, 'connected');
        happen({ kind: 'connected', connection: id, role, remoteAddress });
        if (role === 'streamer') {
          identifyTimer = setTimeout(() => {
            happen({ kind: 'identifyTimedOut', connection: id });
          }, config.identifyTimeoutMs);
        }
      });
    },
    snapshot: () => snapshotOf(registry, performance.now() - startedMs),
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    async disband(reason) {
      isClosing = true;
      clearInterval(heart);
      if (members.size === 0) {
        return;
      }
      await new Promise<void>((resolve) => {
        const grace = setTimeout(resolve, CLOSE_GRACE_MS);
        whenEmpty = () => {
          clearTimeout(grace);
          resolve();
        };
        for (const { connection } of members.values()) {
          // Service restart: Epic's frontend comes back, which it would not after 1001.
          connection.close(1012, reason);
        }
      });
      for (const { connection } of members.values()) {
        connection.terminate();
      }
    },
  };
}

const EVENT_TEXTS: Readonly<Record<SignallingEvent['kind'], string>> = {
  streamerIdentified: 'streamer identified',
  streamerRenamed: 'streamer renamed',
  streamerGone: 'streamer gone',
  presenterConnected: 'presenter connected',
  presenterGone: 'presenter gone',
};

async function closeAll(server: Server, hub: Hub, reason: string): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
  await hub.disband(reason);
  server.closeAllConnections();
  await closed;
}

function signallingMetrics(metrics: Metrics) {
  return {
    connections: metrics.gauge(
      'grandstand_signalling_connections',
      'WebSocket connections by role',
      ['role'],
    ),
    ignored: metrics.counter(
      'grandstand_signalling_messages_ignored_total',
      'Messages that had no effect, by role of the sender and why',
      ['role', 'why'],
    ),
    faults: metrics.counter(
      'grandstand_signalling_faults_total',
      'Connections that failed or broke a bound',
      ['role'],
    ),
    refused: metrics.counter(
      'grandstand_signalling_refused_total',
      'Connections refused at the door: at the limit, or stopping',
      ['role'],
    ),
  };
}
