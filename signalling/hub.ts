/**
 * Connections, timers and the registry around the rules of roles/: every change is one `step`, and
 * what comes out of it is done here. Leaves letting people in to the gate.
 */
import { errorText } from '../infra/kernel/errors.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { FullSignallingConfig } from './config.ts';
import {
  type Connection,
  type ConnectionHandlers,
  MISSED_BEATS,
  openConnection,
} from './connection.ts';
import type { Guest } from './gate.ts';
import { peerConnectionOptionsFor } from './iceServers.ts';
import { AddressLimiter, limiter } from './limits.ts';
import { type ConnectionId, EMPTY_REGISTRY, type Registry } from './registry.ts';
import { isSubscribe } from './roles/player.ts';
import { createRelay, type Relay, type RelayHouse } from './relay.ts';
import { EVENT_TEXTS, signallingMetrics } from './reports.ts';
import { PLAYER_BLOCK, type Replica } from './replica.ts';
import { type ConnectionEvent, type HouseEvent, order, type Role, step } from './roles/step.ts';
import type { OrderOutcome } from './roles/handover.ts';
import type { OperatorOrder } from './roles/orders.ts';
import type { Effect, Rules, SignallingEvent } from './roles/turn.ts';
import { type PeersView, peersOf, type SignallingSnapshot, snapshotOf } from './view.ts';

/** Everyone who is connected. */
export type Hub = {
  /** Why nobody of that role may come in now, with so many at the door; undefined when one may. */
  full(role: Role, pending: number): string | undefined;
  refused(role: Role, why: string): void;
  enter(guest: Guest): void;
  snapshot(): SignallingSnapshot;
  /** Whose sockets are here, and the seats of the streamers that are. */
  peers(): PeersView;
  order(wish: OperatorOrder): OrderOutcome;
  onChange(listener: (event: SignallingEvent) => void): () => void;
  /** What happened to nobody in particular. */
  happen(event: HouseEvent): void;
  /** From now on ids, seats and frames are shared. */
  joinReplicas(replica: Replica, firstPlayerNumber: number): Relay;
  /** Our streamer of that id, if it is alive after a ping. */
  probe(streamerId: string): Promise<boolean>;
  /** Another replica has taken our streamer's id. */
  loseStreamer(streamerId: string): void;
  registry(): Registry;
  /** Says goodbye to everyone; resolves when all are gone or the grace is over. */
  disband(reason: string): Promise<void>;
};

/** How long peers have to answer the close frame when the server stops, ms. */
const CLOSE_GRACE_MS = 500;
/** Own connections of the ingest: one for each broadcast. */
const MAX_INGESTS = 1000;
const MAX_SFUS = 16;
/** Subscribes of one player: the application makes an encoder for each. */
const SUBSCRIBE_RATE = { perSecond: 2, burst: 10 };
/** Longest timer of Node, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What a connection brings along. */
type Meta = Pick<
  Extract<ConnectionEvent, { kind: 'connected' }>,
  'identity' | 'traits' | 'relayedAs'
>;
type Member = { readonly role: Role; readonly connection: Connection };

/** Makes an empty hub. */
export function createHub(
  deps: { readonly logger: Logger; readonly metrics: Metrics },
  config: FullSignallingConfig,
  isReplicated: boolean,
): Hub {
  const { logger } = deps;
  const startedMs = performance.now();
  const members = new Map<ConnectionId, Member>();
  const timers = new Set<NodeJS.Timeout>();
  const listeners = new Set<(event: SignallingEvent) => void>();
  const messages = new AddressLimiter(config.messageRate);
  const counts = signallingMetrics(deps.metrics);
  const limits: Readonly<Record<Role, number>> = {
    streamer: config.maxStreamers,
    player: config.maxConnections,
    sfu: MAX_SFUS,
    ingest: MAX_INGESTS,
  };
  const rules: Rules = {
    mode: config.mode,
    maxPlayers: config.maxPlayers,
    collision: config.streamerIdCollision,
    isReplicated,
    peerConnectionOptions: (peer) =>
      peerConnectionOptionsFor(
        config.peerConnectionOptions,
        { ...config.turn, secret: config.turn.secret },
        peer,
        Date.now(),
      ),
  };
  let registry = EMPTY_REGISTRY;
  let replication: { readonly replica: Replica; readonly relay: Relay } | undefined;
  let nextConnection: ConnectionId = 1;
  let lastPlayerNumber = Number.MAX_SAFE_INTEGER;
  let nextBlock: number | undefined;
  let isAsking = false;
  let isClosing = false;
  let whenEmpty: (() => void) | undefined;

  const connectionOf = (id: ConnectionId): Connection | undefined => members.get(id)?.connection;
  const countOf = (role: Role): number => {
    let count = 0;
    for (const member of members.values()) {
      count += member.role === role ? 1 : 0;
    }
    return count;
  };
  const after = (delayMs: number, work: () => void): NodeJS.Timeout => {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        work();
      },
      Math.min(delayMs, MAX_TIMER_MS),
    );
    timers.add(timer);
    return timer;
  };
  const cancel = (timer: NodeJS.Timeout | undefined): void => {
    clearTimeout(timer);
    if (timer !== undefined) {
      timers.delete(timer);
    }
  };

  const noteIgnored = ({ connection, why, detail }: Extract<Effect, { kind: 'ignored' }>): void => {
    const role = members.get(connection)?.role ?? 'player';
    counts.ignored.add(1, { role, why });
    logger.debug({ connection, role, why, detail }, 'message ignored');
  };
  /** What concerns the other replicas. */
  const share = (
    effect: Extract<Effect, { kind: 'claim' | 'unclaim' | 'saveSeat' | 'relay' }>,
  ): void => {
    if (effect.kind === 'claim') {
      void claim(effect.connection, effect.streamerId);
    } else if (effect.kind === 'unclaim') {
      replication?.replica.unclaim(effect.streamerId);
    } else if (effect.kind === 'saveSeat') {
      replication?.replica.saveSeat(effect.streamerId, effect.seat);
    } else {
      replication?.relay.toStreamer(effect.connection, effect.replica, effect.message);
    }
  };
  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'send':
        connectionOf(effect.to)?.send(effect.message);
        return;
      case 'close':
        connectionOf(effect.connection)?.close(effect.code, effect.reason);
        return;
      case 'notify':
        tell(effect.event);
        return;
      case 'ignored':
        noteIgnored(effect);
        return;
      case 'probe':
        void probeMember(effect.connection);
        return;
      case 'startGrace': {
        const { streamerId, epoch } = effect;
        after(config.seatGraceMs, () => happen({ kind: 'graceOver', streamerId, epoch }));
        return;
      }
      case 'claim':
      case 'unclaim':
      case 'saveSeat':
      case 'relay':
        share(effect);
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
  const happen = (event: ConnectionEvent | HouseEvent): void => {
    try {
      const { registry: next, effects } = step(registry, event, rules);
      registry = next;
      effects.forEach(perform);
    } catch (error) {
      logger.error({ event: event.kind, error: errorText(error) }, 'signalling step failed');
      if ('connection' in event) {
        connectionOf(event.connection)?.close(1011, 'internal error');
      }
    }
  };

  const probeMember = async (connection: ConnectionId): Promise<boolean> => {
    const member = members.get(connection);
    const isAlive =
      member !== undefined &&
      config.streamerIdCollision !== 'replace' &&
      (await member.connection.probe(config.probeTimeoutMs));
    happen({ kind: 'probed', connection, isAlive });
    if (!isAlive) {
      // Nobody is there to answer a close frame.
      member?.connection.terminate();
    }
    return isAlive;
  };

  const claim = async (connection: ConnectionId, streamerId: string): Promise<void> => {
    const answer = await replication?.replica.claim(streamerId);
    const isGranted = answer?.isGranted ?? true;
    if (answer?.seat !== undefined) {
      happen({ kind: 'seatRestored', seat: answer.seat });
    }
    happen({ kind: 'claimed', connection, streamerId, isGranted });
  };

  /** Takes the next block of player numbers in time. */
  const countPlayers = (): void => {
    const next = registry.nextPlayerNumber;
    if (next > lastPlayerNumber && nextBlock !== undefined) {
      happen({ kind: 'playerNumbers', from: nextBlock });
      lastPlayerNumber = nextBlock + PLAYER_BLOCK - 1;
      nextBlock = undefined;
    }
    if (lastPlayerNumber - next < PLAYER_BLOCK / 2 && nextBlock === undefined && !isAsking) {
      isAsking = true;
      replication?.replica.playerNumbers().then(
        (block) => {
          isAsking = false;
          nextBlock = block;
        },
        (error: unknown) => {
          isAsking = false;
          logger.warn({ error: errorText(error) }, 'no new player numbers');
        },
      );
    }
  };

  const startDeadlines = (
    id: ConnectionId,
    role: Role,
    { identity, traits }: Meta,
    deadlines: NodeJS.Timeout[],
  ): void => {
    if (identity.expiresMs !== undefined) {
      const leftMs = Math.max(0, identity.expiresMs - Date.now());
      deadlines.push(after(leftMs, () => connectionOf(id)?.close(1008, 'Your token has ended.')));
    }
    if (role === 'streamer') {
      // UE 4.26 and 4.27 will never say a name.
      const waitMs = traits?.isLegacy === true ? 0 : config.identifyTimeoutMs;
      deadlines.push(after(waitMs, () => happen({ kind: 'identifyTimedOut', connection: id })));
    }
    if (role === 'player' && config.legacyPlayerAutoSubscribeMs !== undefined) {
      const waitMs = config.legacyPlayerAutoSubscribeMs;
      deadlines.push(after(waitMs, () => happen({ kind: 'silent', connection: id })));
    }
  };

  const add = (
    role: Role,
    address: string,
    open: (id: ConnectionId, handlers: ConnectionHandlers) => Connection,
    meta: Meta,
  ): ConnectionId => {
    const id = nextConnection;
    nextConnection += 1;
    const deadlines: NodeJS.Timeout[] = [];
    const isLimited = role === 'player' && meta.relayedAs === undefined;
    const maySubscribe = limiter(SUBSCRIBE_RATE);
    const connection = open(id, {
      onMessage(parsed) {
        if (isLimited && !messages.allows(address, performance.now())) {
          counts.faults.add(1, { role });
          logger.warn({ connection: id, role, address }, 'too many messages');
          connectionOf(id)?.close(1008, 'too many messages');
          return;
        }
        if (isLimited && isSubscribe(parsed) && !maySubscribe(performance.now())) {
          noteIgnored({ kind: 'ignored', connection: id, why: 'rate', detail: 'subscribe' });
          const message = 'Too many subscribes. Try again in a moment.';
          connectionOf(id)?.send({ type: 'subscribeFailed', message });
          return;
        }
        happen({ kind: 'received', connection: id, parsed });
      },
      onFault(fault) {
        counts.faults.add(1, { role });
        logger.warn({ connection: id, role, fault }, 'connection dropped');
      },
      onClosed(code, reason) {
        deadlines.forEach(cancel);
        members.delete(id);
        counts.connections.set(countOf(role), { role });
        logger.debug({ connection: id, role, code, reason }, 'disconnected');
        happen({ kind: 'closed', connection: id });
        replication?.relay.closed(id);
        if (members.size === 0) {
          whenEmpty?.();
        }
      },
    });
    members.set(id, { role, connection });
    counts.connections.set(countOf(role), { role });
    logger.debug({ connection: id, role, address }, 'connected');
    happen({ kind: 'connected', connection: id, role, remoteAddress: address, ...meta });
    countPlayers();
    startDeadlines(id, role, meta, deadlines);
    return id;
  };

  const heart = setInterval(() => {
    for (const { connection } of members.values()) {
      connection.beat();
    }
  }, config.pingTimeoutMs / MISSED_BEATS);
  heart.unref();

  const relayHouse: RelayHouse = {
    registry: () => registry,
    addStandIn({ playerId, role, remoteAddress, identity, offersToReceive }, open) {
      const traits = { isLegacy: false, offersToReceive };
      add(role, remoteAddress, open, { identity, traits, relayedAs: playerId });
    },
    relayed(connection, from, message) {
      happen({ kind: 'relayed', connection, from, message });
    },
    close(connection, code, reason) {
      connectionOf(connection)?.close(code, reason);
    },
  };

  return {
    full(role, pending) {
      if (isClosing) {
        return 'stopping';
      }
      if (role !== 'streamer' && registry.nextPlayerNumber > lastPlayerNumber) {
        return 'no player ids now';
      }
      return countOf(role) + pending >= limits[role] ? `too many ${role} connections` : undefined;
    },
    refused(role, why) {
      counts.refused.add(1, { role, why });
      logger.warn({ role, why }, 'connection refused');
    },
    enter({ role, socket, remoteAddress, identity, traits }) {
      // Several may have been at the door when there was one number left.
      if (isClosing || (role !== 'streamer' && registry.nextPlayerNumber > lastPlayerNumber)) {
        socket.terminate();
        return;
      }
      add(role, remoteAddress, (_id, handlers) => openConnection(socket, handlers, config), {
        identity,
        traits,
      });
    },
    snapshot: () => snapshotOf(registry, performance.now() - startedMs),
    peers: () => peersOf(registry, replication?.replica.id),
    order(wish) {
      const { registry: next, effects, outcome } = order(registry, wish, rules);
      registry = next;
      effects.forEach(perform);
      return outcome;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    happen,
    joinReplicas(replica, firstPlayerNumber) {
      happen({ kind: 'playerNumbers', from: firstPlayerNumber });
      lastPlayerNumber = firstPlayerNumber + PLAYER_BLOCK - 1;
      replication = { replica, relay: createRelay(replica, relayHouse) };
      return replication.relay;
    },
    async probe(streamerId) {
      for (const streamer of registry.streamers.values()) {
        if (streamer.streamerId === streamerId) {
          return await probeMember(streamer.connection);
        }
      }
      return false;
    },
    loseStreamer(streamerId) {
      for (const { connection, streamerId: id } of registry.streamers.values()) {
        if (id === streamerId) {
          members
            .get(connection)
            ?.connection.close(1012, 'Another replica has taken over this id.');
        }
      }
    },
    registry: () => registry,
    async disband(reason) {
      isClosing = true;
      clearInterval(heart);
      timers.forEach(clearTimeout);
      if (members.size > 0) {
        await new Promise<void>((resolve) => {
          const grace = setTimeout(resolve, CLOSE_GRACE_MS);
          whenEmpty = () => {
            clearTimeout(grace);
            resolve();
          };
          for (const { connection } of [...members.values()]) {
            // Service restart: Epic's frontend comes back, which it would not after 1001.
            connection.close(1012, reason);
          }
        });
      }
      for (const { connection } of [...members.values()]) {
        connection.terminate();
      }
      // What the last farewells started.
      timers.forEach(clearTimeout);
    },
  };
}
