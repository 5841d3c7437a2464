/**
 * The rules of signalling as one pure function: (who is there, what happened) gives who is there
 * now and what is to be done. Epic's Wilbur (protocol 1.3.0) where it is sound; it never throws.
 */
import { assertNever } from '../../infra/kernel/errors.ts';
import type { ParsedMessage } from '../protocol/index.ts';
import {
  type ConnectionId,
  type Player,
  type Registry,
  type Streamer,
  subscribersOf,
  withPlayer,
  without,
  withStreamer,
} from '../registry.ts';
import { invalidFromPlayer, PLAYER_HANDLERS } from './player.ts';
import { identifyTimedOut, invalidFromStreamer, STREAMER_HANDLERS } from './streamer.ts';
import {
  closePlayer,
  dispatch,
  type Effect,
  endSubscription,
  type Handlers,
  ignore,
  notify,
  type Rules,
  send,
  sendConfig,
  type Turn,
} from './turn.ts';

/** Which listener a connection came by: what it is is never decided by a message. */
export type Role = 'streamer' | 'player' | 'ingest';

/** What happened. Events of a connection that is closed or unknown change nothing. */
export type ConnectionEvent =
  | {
      readonly kind: 'connected';
      readonly connection: ConnectionId;
      readonly role: Role;
      readonly remoteAddress: string;
    }
  | {
      readonly kind: 'received';
      readonly connection: ConnectionId;
      readonly parsed: ParsedMessage;
    }
  | { readonly kind: 'identifyTimedOut'; readonly connection: ConnectionId }
  | { readonly kind: 'closed'; readonly connection: ConnectionId };

/** Takes one step. */
export function step(
  registry: Registry,
  event: ConnectionEvent,
  rules: Rules,
): { readonly registry: Registry; readonly effects: readonly Effect[] } {
  const turn: Turn = { registry, effects: [], rules };
  const streamer = registry.streamers.get(event.connection);
  const player = registry.players.get(event.connection);
  if (event.kind === 'connected') {
    connect(turn, event);
  } else if (streamer !== undefined) {
    streamerEvent(turn, streamer, event);
  } else if (player !== undefined) {
    playerEvent(turn, player, event);
  }
  return { registry: turn.registry, effects: turn.effects };
}

function connect(
  turn: Turn,
  { connection, role, remoteAddress }: Extract<ConnectionEvent, { kind: 'connected' }>,
): void {
  // config first: a streamer has its ICE servers before anyone can subscribe to it.
  sendConfig(turn, connection);
  if (role === 'streamer') {
    turn.registry = withStreamer(turn.registry, {
      connection,
      remoteAddress,
      streamerId: undefined,
      requestedId: undefined,
    });
    send(turn, connection, { type: 'identify' });
    return;
  }
  const number = turn.registry.nextPlayerNumber;
  turn.registry = withPlayer(
    { ...turn.registry, nextPlayerNumber: number + 1 },
    { connection, remoteAddress, role, playerId: String(number), subscribedTo: undefined },
  );
}

type LaterEvent = Exclude<ConnectionEvent, { kind: 'connected' }>;

function streamerEvent(turn: Turn, streamer: Streamer, event: LaterEvent): void {
  switch (event.kind) {
    case 'received':
      receive(turn, streamer, event.parsed, STREAMER_HANDLERS, invalidFromStreamer);
      return;
    case 'identifyTimedOut':
      identifyTimedOut(turn, streamer);
      return;
    case 'closed':
      streamerClosed(turn, streamer);
      return;
    default:
      assertNever(event);
  }
}

function playerEvent(turn: Turn, player: Player, event: LaterEvent): void {
  switch (event.kind) {
    case 'received':
      receive(turn, player, event.parsed, PLAYER_HANDLERS, invalidFromPlayer);
      return;
    case 'identifyTimedOut':
      return;
    case 'closed':
      endSubscription(turn, player);
      turn.registry = without(turn.registry, player.connection);
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

/** Its players are closed, as Wilbur does: Epic's frontend then comes back by itself. */
function streamerClosed(turn: Turn, streamer: Streamer): void {
  const { streamerId } = streamer;
  for (const player of subscribersOf(turn.registry, streamer.connection)) {
    closePlayer(turn, player, 1000, 'The streamer disconnected.');
  }
  turn.registry = without(turn.registry, streamer.connection);
  // The players' farewells were for the streamer that is gone.
  const kept = turn.effects.filter(
    (effect) => effect.kind !== 'send' || effect.to !== streamer.connection,
  );
  turn.effects.splice(0, turn.effects.length, ...kept);
  if (streamerId !== undefined) {
    notify(turn, { kind: 'streamerGone', streamerId });
  }
}
