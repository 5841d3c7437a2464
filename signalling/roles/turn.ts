/**
 * One turn of the state machine: what may come out of it, and the moves that all roles share.
 * A turn is mutable inside one `step` only.
 */
import type {
  MessageOf,
  ParsedMessage,
  PeerConnectionOptions,
  RawMessage,
  SignallingMessage,
  SignallingType,
} from '../protocol/index.ts';
import type { ConnectionId, Player, Registry, Seat } from '../registry.ts';

/** What others in the house are told. A rename is followed by `streamerIdentified` of the new id. */
export type SignallingEvent =
  | { readonly kind: 'streamerIdentified'; readonly streamerId: string }
  | { readonly kind: 'streamerRenamed'; readonly from: string; readonly to: string }
  | { readonly kind: 'streamerGone'; readonly streamerId: string }
  | {
      readonly kind: 'presenterConnected' | 'presenterGone';
      readonly streamerId: string;
      readonly playerId: string;
    }
  | {
      /**
       * `seatGranted`: the player holds the seat now. `seatKept`: it is away, the seat waits for it.
       * `seatReleased`: nobody holds it. `seatOffered`, `seatRequested`: to or by that player.
       */
      readonly kind: 'seatGranted' | 'seatKept' | 'seatReleased' | 'seatOffered' | 'seatRequested';
      readonly streamerId: string;
      readonly playerId: string;
      readonly reason: string;
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
      readonly why: 'unknown_type' | 'invalid' | 'unroutable' | 'not_expected' | 'rate';
      readonly detail: string;
    }
  /** Ping that streamer; `probed` tells whether it answered in time. */
  | { readonly kind: 'probe'; readonly connection: ConnectionId }
  /** Ask the other replicas for an id; `claimed` tells. */
  | { readonly kind: 'claim'; readonly connection: ConnectionId; readonly streamerId: string }
  /** Give an id back to the other replicas. */
  | { readonly kind: 'unclaim'; readonly streamerId: string }
  /** After the grace, `graceOver` with this epoch. */
  | { readonly kind: 'startGrace'; readonly streamerId: string; readonly epoch: number }
  /** The seat changed: to be kept where it outlives this replica; undefined where it is free. */
  | { readonly kind: 'saveSeat'; readonly streamerId: string; readonly seat: Seat | undefined }
  /** A frame of a player for the replica of its streamer. */
  | {
      readonly kind: 'relay';
      readonly connection: ConnectionId;
      readonly replica: string;
      readonly message: RawMessage;
    };

/** What to do when a streamer asks for an id that another streamer has. */
export type CollisionPolicy = 'probe' | 'suffix' | 'replace' | 'reject';

/** The rules that hold, from the configuration. */
export type Rules = {
  readonly mode: 'open' | 'presenter';
  /** Players per streamer in mode `open`; 0 for any number. */
  readonly maxPlayers: number;
  readonly collision: CollisionPolicy;
  /** Whether ids are shared with other replicas. */
  readonly isReplicated: boolean;
  /** What goes into `config` for a peer; `id` is a player's, or one made up for a streamer. */
  readonly peerConnectionOptions: (peer: {
    readonly role: 'streamer' | Player['role'];
    readonly id: string;
  }) => PeerConnectionOptions;
};

/** State and effects of the step that runs. */
export type Turn = { registry: Registry; readonly effects: Effect[]; readonly rules: Rules };

/** The version of Epic's protocol that is spoken. */
export const PROTOCOL_VERSION = '1.3.0';

/** Sends to one connection. */
export function send(turn: Turn, to: ConnectionId, message: SignallingMessage | RawMessage): void {
  turn.effects.push({ kind: 'send', to, message });
}

/** Sends to a streamer about or from a player; UE 4.26 and 4.27 read the id as a number. */
export function sendOf(
  turn: Turn,
  player: Player,
  to: ConnectionId,
  message: SignallingMessage | RawMessage,
): void {
  const isLegacy = turn.registry.streamers.get(to)?.isLegacy ?? false;
  send(turn, to, { ...message, playerId: isLegacy ? Number(player.playerId) : player.playerId });
}

/** The first message on every connection. */
export function sendConfig(
  turn: Turn,
  to: ConnectionId,
  peer: Parameters<Rules['peerConnectionOptions']>[0],
): void {
  send(turn, to, {
    type: 'config',
    peerConnectionOptions: turn.rules.peerConnectionOptions(peer),
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
