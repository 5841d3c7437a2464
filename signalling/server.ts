/**
 * The signalling server put together: listeners of streamers and SFUs, upgrades of players and of
 * the ingest on the gateway's servers, replicas where there is a backplane.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { assertNever } from '../infra/kernel/errors.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { Secret } from '../infra/kernel/secret.ts';
import { ADMIT_EVERYONE, type Admission } from './admission.ts';
import {
  type FullSignallingConfig,
  fullSignallingConfigSchema,
  type SignallingConfigInput,
} from './config.ts';
import {
  type CreateServer,
  ingestRefusal,
  isLoopback,
  listenForPeers,
  refuseUpgrade,
} from './door.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { createGate } from './gate.ts';
import { createHub, type Hub } from './hub.ts';
import { joinReplicas, type Replica } from './replica.ts';
import type { Backplane, ReplicaMessage } from './replication.ts';
import type { OrderOutcome } from './roles/handover.ts';
import type { OperatorOrder } from './roles/orders.ts';
import type { SignallingEvent } from './roles/turn.ts';
import type { PeersView, SignallingSnapshot } from './view.ts';

/** What signalling is given. */
export type SignallingDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Bearer token of the internal listener, which the ingest shows. */
  readonly internalToken: Secret;
  /** Who may come in; everyone where left out. */
  readonly admission?: Admission;
  /** What the replicas share; this server is alone where left out. */
  readonly backplane?: Backplane;
  /** Makes the servers of streamers and SFUs, for TLS; plain HTTP where left out. */
  readonly createServer?: CreateServer;
};

/** The running signalling server. */
export type Signalling = Closeable & {
  /** Takes an upgrade of the public listener, on any path. */
  handlePlayerUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes an upgrade of the internal listener: the ingest, on `/signalling`, with the token. */
  handleIngestUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Who is here; streamers of other replicas by id. */
  snapshot(): SignallingSnapshot;
  /** Players and seats of every replica. */
  peers(): Promise<PeersView>;
  /** Carries out an order, on whichever replica it concerns. */
  order(order: OperatorOrder): Promise<OrderOutcome>;
  /** Listens to changes; the result stops it. */
  onChange(listener: (event: SignallingEvent) => void): () => void;
  /** Port of the streamers' listener: the configured one, or the one that 0 became. */
  readonly streamersPort: number;
  /** Port of the SFUs' listener, where there is one. */
  readonly sfuPort: number | undefined;
};

/** SFU connections at once, sockets in handshake among them. */
const MAX_SFU_SOCKETS = 32;

/**
 * Starts to listen for streamers. Runs until `signal` aborts or `close`.
 *
 * @throws GatewayError `port_in_use` or `bad_config` when a port cannot be had
 */
export async function startSignalling(
  deps: SignallingDeps,
  input: SignallingConfigInput,
  signal: AbortSignal,
): Promise<Signalling> {
  const config = fullSignallingConfigSchema.parse(input);
  const hub = createHub(deps, config, deps.backplane !== undefined);
  const gate = createGate(
    {
      logger: deps.logger,
      admission: deps.admission ?? ADMIT_EVERYONE,
      nowMs: () => performance.now(),
      full: (role, pending) => hub.full(role, pending),
      onRefused: (role, why) => hub.refused(role, why),
      onGuest: (guest) => hub.enter(guest),
    },
    config,
  );
  let replica: Replica | undefined;
  const cluster = createCluster(hub, () => replica);
  if (deps.backplane !== undefined) {
    replica = await joinHub(deps.logger, deps.backplane, hub, config, cluster);
  }
  const servers: Server[] = [];
  const close = closer(hub, replica, servers);
  try {
    servers.push(
      await listenForPeers(
        config.streamers,
        'signalling.streamers',
        2 * config.maxStreamers,
        (request, socket, head) => gate.handle('streamer', request, socket, head),
        deps.createServer,
      ),
    );
    if (config.sfu !== undefined) {
      servers.push(
        await listenForPeers(
          config.sfu,
          'signalling.sfu',
          MAX_SFU_SOCKETS,
          (request, socket, head) => gate.handle('sfu', request, socket, head),
          deps.createServer,
        ),
      );
    }
  } catch (error) {
    await close('start failed');
    throw error;
  }
  const [streamersPort = 0, sfuPort] = servers.map(portOf);
  sayWhereWeListen(deps.logger, config, streamersPort);

  const onAbort = (): void => {
    void close('stopping');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) {
    onAbort();
  }
  return {
    streamersPort,
    sfuPort,
    snapshot: () => hub.snapshot(),
    peers: () => cluster.peers(),
    order: (order) => cluster.carryOut(order),
    onChange: (listener) => hub.onChange(listener),
    handlePlayerUpgrade(request, socket, head) {
      gate.handle('player', request, socket, head);
    },
    handleIngestUpgrade(request, socket, head) {
      const refusal = ingestRefusal(request, deps.internalToken);
      if (refusal === undefined) {
        gate.handle('ingest', request, socket, head);
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

async function joinHub(
  logger: Logger,
  backplane: Backplane,
  hub: Hub,
  config: FullSignallingConfig,
  cluster: Pick<Cluster, 'receive'>,
): Promise<Replica> {
  const isProbing = ['probe', 'replace'].includes(config.streamerIdCollision);
  let hear: (message: ReplicaMessage) => void = () => undefined;
  let onGone: (replica: string) => void = () => undefined;
  const replica = await joinReplicas(
    { backplane, logger },
    {
      id: randomUUID(),
      leaseMs: config.leaseMs,
      seatGraceMs: config.seatGraceMs,
      probeTimeoutMs: isProbing ? config.probeTimeoutMs : 0,
    },
    {
      onRemotes: (streamers) => hub.happen({ kind: 'remotes', streamers }),
      onReplicaGone: (gone) => onGone(gone),
      onStreamerLost: (streamerId) => hub.loseStreamer(streamerId),
      onMessage: (message) => hear(message),
    },
  );
  const relay = hub.joinReplicas(replica, await replica.playerNumbers());
  onGone = (gone) => relay.replicaGone(gone);
  hear = (message) => {
    const from = replica.id;
    switch (message.kind) {
      case 'probe': {
        const { streamerId } = message;
        void hub.probe(streamerId).then((isAlive) => {
          replica.send(message.from, { kind: 'probed', from, streamerId, isAlive });
        });
        return;
      }
      case 'question':
      case 'answer':
        cluster.receive(message);
        return;
      case 'toStreamer':
      case 'playerGone':
      case 'toPlayer':
      case 'closePlayer':
      case 'probed':
        relay.receive(message);
        return;
      default:
        assertNever(message);
    }
  };
  return replica;
}

function closer(
  hub: Hub,
  replica: Replica | undefined,
  servers: readonly Server[],
): (reason: string) => Promise<void> {
  let closing: Promise<void> | undefined;
  const closeAll = async (reason: string): Promise<void> => {
    const closed = servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await hub.disband(reason);
    servers.forEach((server) => server.closeAllConnections());
    await Promise.all(closed);
    await replica?.close(reason);
  };
  return (reason) => {
    closing ??= closeAll(reason);
    return closing;
  };
}

function sayWhereWeListen(logger: Logger, config: FullSignallingConfig, port: number): void {
  const listeners = { 'signalling.streamers': config.streamers, 'signalling.sfu': config.sfu };
  for (const [setting, listener] of Object.entries(listeners)) {
    if (listener !== undefined && !isLoopback(listener.host)) {
      logger.warn(
        { setting, host: listener.host },
        'anyone who reaches this address can be a streamer: keep it behind a firewall',
      );
    }
  }
  logger.info({ host: config.streamers.host, port }, 'streamers can connect');
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
