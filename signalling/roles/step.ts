/**
 * The rules of signalling as one pure function: (who is there, what happened) gives who is there
 * now and what is to be done. Epic's Wilbur (protocol 1.3.0) where it is sound; it never throws.
 */
import { assertNever } from '../../infra/kernel/errors.ts';
import type { Identity } from '../admission.ts';
import type { ParsedMessage, RawMessage } from '../protocol/index.ts';
import {
  type ConnectionId,
  type Player,
  type Registry,
  type RemoteStreamer,
  type Seat,
  type Streamer,
  subscribersOf,
  withPlayer,
  without,
  withStreamer,
} from '../registry.ts';
import { graceOver, type OrderOutcome } from './handover.ts';
import { claimed, type CloseStreamer, identifyTimedOut, placeholderId, probed } from './naming.ts';
import { carryOut, type OperatorOrder } from './orders.ts';
import { invalidFromPlayer, PLAYER_HANDLERS, relayedToPlayer, silentPlayer } from './player.ts';
import { forgetAtSeats, restoreSeat } from './seats.ts';
import { invalidFromSfu, SFU_HANDLERS, sfuLostStreamer } from './sfu.ts';
import { closeSubscribers, invalidFromStreamer, STREAMER_HANDLERS } from './streamer.ts';
import { closePlayer, endSubscription } from './subscription.ts';
import {
  dispatch,
  type Effect,
  type Handlers,
  ignore,
  notify,
  type Rules,
  send,
  sendConfig,
  type Turn,
} from './turn.ts';

/** Which listener a connection came by: what it is is never decided by a message. */
export type Role = 'streamer' | 'player' | 'sfu' | 'ingest';

/** What happened to one connection. Events of one that is closed or unknown change nothing. */
export type ConnectionEvent =
  | {
      readonly kind: 'connected';
      readonly connection: ConnectionId;
      readonly role: Role;
      readonly remoteAddress: string;
      readonly identity: Identity;
      /** What the URL said of an old peer (`?legacy=4.27`, `?OfferToReceive=true`). */
      readonly traits?: { readonly isLegacy: boolean; readonly offersToReceive: boolean };
      /** A player of another replica, whose frames come here: it has an id and its `config`. */
      readonly relayedAs?: string;
    }
  | {
      readonly kind: 'received';
      readonly connection: ConnectionId;
      readonly parsed: ParsedMessage;
    }
  | { readonly kind: 'identifyTimedOut'; readonly connection: ConnectionId }
  /** A player has said nothing for `legacyPlayerAutoSubscribeMs`. */
  | { readonly kind: 'silent'; readonly connection: ConnectionId }
  /** Whether a pinged streamer answered. */
  | { readonly kind: 'probed'; readonly connection: ConnectionId; readonly isAlive: boolean }
  /** Whether an id is ours among the replicas. */
  | {
      readonly kind: 'claimed';
      readonly connection: ConnectionId;
      readonly streamerId: string;
      readonly isGranted: boolean;
    }
  /** A frame for our player from the replica of its streamer. */
  | {
      readonly kind: 'relayed';
      readonly connection: ConnectionId;
      readonly from: RemoteStreamer;
      readonly message: RawMessage;
    }
  | { readonly kind: 'closed'; readonly connection: ConnectionId };

/** What happened to nobody in particular. */
export type HouseEvent =
  | { readonly kind: 'graceOver'; readonly streamerId: string; readonly epoch: number }
  /** The streamers of the other replicas as they are now. */
  | { readonly kind: 'remotes'; readonly streamers: ReadonlyMap<string, string> }
  /** A seat that was left in the store. */
  | {
      readonly kind: 'seatRestored';
      readonly seat: Pick<Seat, 'streamerId' | 'subject' | 'playerId'>;
    }
  /** Player numbers from here on are ours to give. */
  | { readonly kind: 'playerNumbers'; readonly from: number };

/** Where a step leads. */
export type Step = { readonly registry: Registry; readonly effects: readonly Effect[] };

/** Takes one step. */
export function step(registry: Registry, event: ConnectionEvent | HouseEvent, rules: Rules): Step {
  const turn: Turn = { registry, effects: [], rules };
  if (!('connection' in event)) {
    houseEvent(turn, event);
  } else if (event.kind === 'connected') {
    connect(turn, event);
  } else if (event.kind === 'probed') {
    probed(turn, event.connection, event.isAlive, closeStreamer);
  } else {
    const streamer = registry.streamers.get(event.connection);
    const player = registry.players.get(event.connection);
    if (streamer !== undefined) {
      streamerEvent(turn, streamer, player, event);
    } else if (player !== undefined) {
      playerEvent(turn, player, event);
    } else if (event.kind === 'claimed' && event.isGranted) {
      turn.effects.push({ kind: 'unclaim', streamerId: event.streamerId });
    }
  }
  return { registry: turn.registry, effects: turn.effects };
}

/** Carries out an order of the operator. */
export function order(
  registry: Registry,
  wish: OperatorOrder,
  rules: Rules,
): Step & { readonly outcome: OrderOutcome } {
  const turn: Turn = { registry, effects: [], rules };
  const outcome = carryOut(turn, wish, closeStreamer);
  return { registry: turn.registry, effects: turn.effects, outcome };
}

function houseEvent(turn: Turn, event: HouseEvent): void {
  switch (event.kind) {
    case 'graceOver':
      graceOver(turn, event.streamerId, event.epoch);
      return;
    case 'remotes':
      remotesChanged(turn, event.streamers);
      return;
    case 'seatRestored':
      restoreSeat(turn, event.seat);
      return;
    case 'playerNumbers':
      turn.registry = { ...turn.registry, nextPlayerNumber: event.from };
      return;
    default:
      assertNever(event);
  }
}

function remotesChanged(turn: Turn, streamers: ReadonlyMap<string, string>): void {
  const ours = new Set([...turn.registry.streamers.values()].map(({ streamerId }) => streamerId));
  // A seat that waited here for a streamer that is elsewhere now is kept there.
  const seats = new Map(
    [...turn.registry.seats].filter(([id]) => ours.has(id) || !streamers.has(id)),
  );
  turn.registry = { ...turn.registry, seats, remoteStreamers: streamers };
  for (const player of turn.registry.players.values()) {
    const { remote } = player;
    if (remote !== undefined && streamers.get(remote.streamerId) !== remote.replica) {
      closePlayer(turn, player, 1000, 'The streamer disconnected.', 'streamerGone');
    }
  }
}

function connect(turn: Turn, event: Extract<ConnectionEvent, { kind: 'connected' }>): void {
  const { connection, role, remoteAddress, identity, traits, relayedAs } = event;
  const { offersToReceive = false, isLegacy = false } = traits ?? {};
  const number = turn.registry.nextPlayerNumber;
  const playerId = relayedAs ?? String(number);
  // config first: a streamer has its ICE servers before anyone can subscribe to it.
  if (relayedAs === undefined) {
    const id = role === 'streamer' ? `streamer-${connection}` : playerId;
    sendConfig(turn, connection, { role, id });
  }
  if (role !== 'streamer') {
    turn.registry = withPlayer(
      { ...turn.registry, nextPlayerNumber: relayedAs === undefined ? number + 1 : number },
      {
        ...{ connection, remoteAddress, role, playerId, identity, offersToReceive },
        isStandIn: relayedAs !== undefined,
        ...{ subscribedTo: undefined, remote: undefined, hasChosen: false, hasSpoken: false },
      },
    );
  }
  if (role === 'streamer' || role === 'sfu') {
    turn.registry = withStreamer(turn.registry, {
      ...{ connection, remoteAddress, kind: role, isLegacy, pending: undefined },
      ...{ requestedId: undefined, isStreaming: false, identity },
      streamerId: placeholderId(turn.registry, connection),
    });
    if (!isLegacy) {
      send(turn, connection, { type: 'identify' });
    }
  }
}

type LaterEvent = Exclude<ConnectionEvent, { kind: 'connected' | 'probed' }>;

function streamerEvent(
  turn: Turn,
  streamer: Streamer,
  player: Player | undefined,
  event: LaterEvent,
): void {
  const { connection } = streamer;
  switch (event.kind) {
    case 'received':
      if (player === undefined) {
        receive(turn, streamer, event.parsed, STREAMER_HANDLERS, invalidFromStreamer);
      } else {
        const sfu = { connection, streamer, player };
        receive(turn, sfu, event.parsed, SFU_HANDLERS, invalidFromSfu);
      }
      return;
    case 'identifyTimedOut':
      if (streamer.kind === 'streamer') {
        identifyTimedOut(turn, streamer);
      }
      return;
    case 'claimed':
      claimed(turn, streamer, event.streamerId, event.isGranted);
      return;
    case 'closed':
      streamerClosed(turn, streamer);
      return;
    case 'silent':
    case 'relayed':
      return;
    default:
      assertNever(event);
  }
}

function playerEvent(turn: Turn, player: Player, event: LaterEvent): void {
  switch (event.kind) {
    case 'received': {
      const speaking = player.hasSpoken ? player : { ...player, hasSpoken: true };
      if (speaking !== player && event.parsed.kind === 'message') {
        turn.registry = withPlayer(turn.registry, speaking);
      }
      receive(turn, speaking, event.parsed, PLAYER_HANDLERS, invalidFromPlayer);
      return;
    }
    case 'silent':
      silentPlayer(turn, player);
      return;
    case 'relayed':
      relayedToPlayer(turn, player, event.from, event.message);
      return;
    case 'closed':
      endSubscription(turn, player, 'lost');
      forgetAtSeats(turn, player.playerId);
      turn.registry = without(turn.registry, player.connection);
      return;
    case 'identifyTimedOut':
    case 'claimed':
      return;
    default:
      assertNever(event);
  }
}

function receive<T extends { readonly connection: ConnectionId }>(
  turn: Turn,
  peer: T,
  parsed: ParsedMessage,
  handlers: Handlers<T>,
  onInvalid: (turn: Turn, peer: T, parsed: Extract<ParsedMessage, { kind: 'invalid' }>) => void,
): void {
  switch (parsed.kind) {
    case 'message':
      dispatch(handlers, turn, peer, parsed);
      return;
    case 'invalid':
      onInvalid(turn, peer, parsed);
      return;
    case 'unknown':
      ignore(turn, peer.connection, 'unknown_type', parsed.type);
      return;
    default:
      assertNever(parsed);
  }
}

const closeStreamer: CloseStreamer = (turn, streamer, code, reason) => {
  streamerClosed(turn, streamer);
  turn.effects.push({ kind: 'close', connection: streamer.connection, code, reason });
};

/** Its players are closed, as Wilbur does; an SFU is told and stays. */
function streamerClosed(turn: Turn, streamer: Streamer): void {
  const { streamerId, connection } = streamer;
  closeSubscribers(turn, streamer);
  for (const player of subscribersOf(turn.registry, connection)) {
    sfuLostStreamer(turn, player);
  }
  const itself = turn.registry.players.get(connection);
  if (itself !== undefined) {
    endSubscription(turn, itself, 'lost');
  }
  turn.registry = without(turn.registry, connection);
  if (streamer.isStreaming) {
    notify(turn, { kind: 'streamerGone', streamerId });
    if (turn.rules.isReplicated) {
      turn.effects.push({ kind: 'unclaim', streamerId });
    }
  }
}
