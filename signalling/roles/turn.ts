/**
 * One turn of the state machine: what may come out of it, and the moves that both roles share.
 * A turn is mutable inside one `step` only.
 */
import type {
  MessageOf,
  ParsedMessage,
  RawMessage,
  SignallingMessage,
  SignallingType,
} from '../protocol/index.ts';
import { type ConnectionId, type Player, type Registry, withPlayer, without } from '../registry.ts';

/** What others in the house are told. A rename is followed by `streamerIdentified` of the new id. */
export type SignallingEvent =
  | { readonly kind: 'streamerIdentified'; readonly streamerId: string }
  | { readonly kind: 'streamerRenamed'; readonly from: string; readonly to: string }
  | { readonly kind: 'streamerGone'; readonly streamerId: string }
  | {
      readonly kind: 'presenterConnected' | 'presenterGone';
      readonly streamerId: string;
      readonly playerId: string;
    };

/** What the server does after a turn, in order. */
export type Effect =
  | {
      readonly kind: 'send';
      readonly to: ConnectionId;
      readonly message: SignallingMessage | RawMessage;
    }
  | {
      readonly kind: 'close';
      readonly connection: ConnectionId;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly kind: 'notify'; readonly event: SignallingEvent }
  /** A message had no effect, or was refused: counted and logged. */
  | {
      readonly kind: 'ignored';
      readonly connection: ConnectionId;
      readonly why: 'unknown_type' | 'invalid' | 'unroutable' | 'not_expected';
      readonly detail: string;
    };

/** The rules that hold, from the configuration. */
export type Rules = {
  readonly mode: 'open' | 'presenter';
  /** Players per streamer in mode `open`; 0 for any number. */
  readonly maxPlayers: number;
  readonly peerConnectionOptions: Readonly<Record<string, unknown>>;
};

/** State and effects of the step that runs. */
export type Turn = { registry: Registry; readonly effects: Effect[]; readonly rules: Rules };

/** The version of Epic's protocol that is spoken. */
export const PROTOCOL_VERSION = '1.3.0';

/** Sends to one connection. */
export function send(turn: Turn, to: ConnectionId, message: SignallingMessage | RawMessage): void {
  turn.effects.push({ kind: 'send', to, message });
}

/** The first message on every connection. */
export function sendConfig(turn: Turn, to: ConnectionId): void {
  send(turn, to, {
    type: 'config',
    peerConnectionOptions: turn.rules.peerConnectionOptions,
    protocolVersion: PROTOCOL_VERSION,
  });
}

/** Tells the rest of the house. */
export function notify(turn: Turn, event: SignallingEvent): void {
  turn.effects.push({ kind: 'notify', event });
}

/** Notes a message that had no effect. */
export function ignore(
  turn: Turn,
  connection: ConnectionId,
  why: Extract<Effect, { kind: 'ignored' }>['why'],
  detail: string,
): void {
  turn.effects.push({ kind: 'ignored', connection, why, detail });
}

/** Ends a subscription if there is one; the streamer is told. The player stays connected. */
export function endSubscription(turn: Turn, player: Player): void {
  const streamer =
    player.subscribedTo === undefined
      ? undefined
      : turn.registry.streamers.get(player.subscribedTo);
  if (streamer === undefined) {
    return;
  }
  turn.registry = withPlayer(turn.registry, { ...player, subscribedTo: undefined });
  send(turn, streamer.connection, { type: 'playerDisconnected', playerId: player.playerId });
  notePresenter(turn, 'presenterGone', player, streamer.streamerId);
}

/** Ends the subscription and says why: Epic's frontend shows the text and does not try again. */
export function refuse(turn: Turn, player: Player, message: string): void {
  endSubscription(turn, player);
  send(turn, player.connection, { type: 'subscribeFailed', message });
}

/** Closes a player's connection, never with 1001, on which Epic's frontend gives up for good. */
export function closePlayer(turn: Turn, player: Player, code: number, reason: string): void {
  endSubscription(turn, player);
  turn.registry = without(turn.registry, player.connection);
  turn.effects.push({ kind: 'close', connection: player.connection, code, reason });
}

/** Tells of a presenter; the ingest is none. */
export function notePresenter(
  turn: Turn,
  kind: 'presenterConnected' | 'presenterGone',
  player: Player,
  streamerId: string | undefined,
): void {
  if (player.role === 'player' && streamerId !== undefined) {
    notify(turn, { kind, streamerId, playerId: player.playerId });
  }
}

/** What each message of a role does; a type without a handler is not expected of that role. */
export type Handlers<P> = {
  readonly [T in SignallingType]?: (
    turn: Turn,
    peer: P,
    message: MessageOf<T>,
    raw: RawMessage,
  ) => void;
};

/** Runs the handler of a message. */
export function dispatch<P extends { readonly connection: ConnectionId }>(
  handlers: Handlers<P>,
  turn: Turn,
  peer: P,
  { message, raw }: Extract<ParsedMessage, { kind: 'message' }>,
): void {
  // The table maps each type to the handler of that very type, which TypeScript cannot follow here.
  const handler = handlers[message.type] as
    ((turn: Turn, peer: P, message: SignallingMessage, raw: RawMessage) => void) | undefined;
  if (handler === undefined) {
    ignore(turn, peer.connection, 'not_expected', message.type);
  } else {
    handler(turn, peer, message, raw);
  }
}

/** A handler for what needs no answer. */
export function nothing(): void {
  // Nothing to do.
}

/** Whether text can be a session description: the `v=0` line comes first (RFC 8866 §5.1). */
export function isSdp(text: string): boolean {
  return /^v=0\r?\n/.test(text);
}
