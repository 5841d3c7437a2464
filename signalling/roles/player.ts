/** What a player may do: list, subscribe, ask for the seat, and talk to its streamer. */
import type { MessageOf, ParsedMessage, RawMessage, SignallingMessage } from '../protocol/index.ts';
import { listedIds, type Player, type RemoteStreamer } from '../registry.ts';
import { acceptSeat, offerSeat, requestSeat } from './handover.ts';
import {
  changed,
  closePlayer,
  current,
  endSubscription,
  needsSeat,
  refuse,
  subscribe,
} from './subscription.ts';
import { type Handlers, ignore, isSdp, nothing, send, sendOf, type Turn } from './turn.ts';

/** What each message from a player does. */
export const PLAYER_HANDLERS: Handlers<Player> = {
  listStreamers(turn, player) {
    send(turn, player.connection, { type: 'streamerList', ids: listedIds(turn.registry) });
  },
  subscribe(turn, player, { streamerId }, raw) {
    subscribe(turn, player, streamerId, raw);
  },
  unsubscribe(turn, player) {
    endSubscription(turn, changed(turn, { ...player, hasChosen: true }), 'left');
  },
  ping(turn, player, { time }) {
    send(turn, player.connection, { type: 'pong', time });
  },
  pong: nothing,
  stats: nothing,
  offer: forwardSdp,
  answer: forwardSdp,
  iceCandidate: forward,
  layerPreference: forward,
  dataChannelRequest: forward,
  peerDataChannelsReady: forward,
  seatRequest(turn, player, message, raw) {
    if (!isElsewhere(turn, player, message.streamerId, raw)) {
      requestSeat(turn, player, message);
    }
  },
  seatOffer(turn, player, message, raw) {
    if (!isElsewhere(turn, player, message.streamerId, raw)) {
      offerSeat(turn, player, message);
    }
  },
  seatAccept(turn, player, message, raw) {
    if (!isElsewhere(turn, player, message.streamerId, raw)) {
      acceptSeat(turn, player, message);
    }
  },
};

/** Whether a frame asks for a peer connection of a streamer, which costs it an encoder. */
export function isSubscribe(parsed: ParsedMessage): boolean {
  return parsed.kind === 'message' && parsed.message.type === 'subscribe';
}

/** A frame from a player that names a known type but does not fit it. */
export function invalidFromPlayer(
  turn: Turn,
  player: Player,
  { type, reason }: Extract<ParsedMessage, { kind: 'invalid' }>,
): void {
  ignore(turn, player.connection, 'invalid', reason);
  if (type === 'subscribe') {
    send(turn, player.connection, { type: 'subscribeFailed', message: `${reason}.` });
  } else if (type === 'offer' || type === 'answer') {
    refuse(turn, player, `Refused: ${reason}.`);
  }
}

/** A player that said nothing for long is one of UE 5.0 or 5.1: it waits for an offer. */
export function silentPlayer(turn: Turn, player: Player): void {
  const ids = candidates(turn);
  const [only] = ids;
  if (!player.hasSpoken && ids.length === 1 && only !== undefined) {
    subscribe(turn, player, only);
  }
}

function forwardSdp(
  turn: Turn,
  player: Player,
  message: MessageOf<'offer' | 'answer'>,
  raw: RawMessage,
): void {
  if (isSdp(message.sdp)) {
    forward(turn, player, message, raw);
    return;
  }
  const reason = `${message.type}.sdp is not SDP`;
  ignore(turn, player.connection, 'invalid', reason);
  refuse(turn, player, `Refused: ${reason}.`);
}

/** Every field goes on as it came; only the id is ours, so that no player can speak as another. */
function forward(turn: Turn, player: Player, { type }: SignallingMessage, raw: RawMessage): void {
  const { connection } = player;
  if (
    player.subscribedTo === undefined &&
    player.remote === undefined &&
    mayGuess(turn, player, type)
  ) {
    const [first] = candidates(turn);
    if (first === undefined) {
      closePlayer(turn, player, 1013, 'Streamer is not connected.', 'left');
      return;
    }
    subscribe(turn, player, first);
  }
  const { subscribedTo, remote } = current(turn, player);
  if (remote !== undefined) {
    turn.effects.push({ kind: 'relay', connection, replica: remote.replica, message: raw });
  } else if (subscribedTo === undefined) {
    ignore(turn, connection, 'unroutable', `${type} before subscribe`);
  } else {
    sendOf(turn, player, subscribedTo, raw);
  }
}

/**
 * Whether to subscribe a player that talks without having subscribed, as Wilbur does with whatever
 * message. Where seats are kept only an offer counts (the first word of UE 4.26 and 4.27), and
 * never from a player that has chosen: the last candidates of an old peer must not take a seat.
 */
function mayGuess(turn: Turn, player: Player, type: SignallingMessage['type']): boolean {
  return !player.hasChosen && (!needsSeat(turn, player) || type === 'offer');
}

/** Streamers in the order in which a player that names none gets one: ours first, named or not. */
function candidates(turn: Turn): readonly string[] {
  const ours = [...turn.registry.streamers.values()].map(({ streamerId }) => streamerId);
  return [...new Set([...ours, ...turn.registry.remoteStreamers.keys()])];
}

/** Hands a message about a seat to the replica of its streamer. */
function isElsewhere(turn: Turn, player: Player, streamerId: string, raw: RawMessage): boolean {
  const replica = turn.registry.remoteStreamers.get(streamerId);
  if (replica === undefined) {
    return false;
  }
  turn.effects.push({ kind: 'relay', connection: player.connection, replica, message: raw });
  return true;
}

/** A frame for one of our players from the replica of its streamer. */
export function relayedToPlayer(
  turn: Turn,
  player: Player,
  from: RemoteStreamer,
  message: RawMessage,
): void {
  if (message['type'] === 'offer' && player.remote?.streamerId !== from.streamerId) {
    // It was given a seat there: what it had elsewhere ends. Where it had it there too, that replica
    // has seen to it, and would take `unsubscribe` for the seat that it has just given.
    if (player.remote?.replica !== from.replica) {
      endSubscription(turn, player, 'left');
    }
    changed(turn, { ...current(turn, player), remote: from, hasChosen: true });
  }
  if (message['type'] === 'subscribeFailed' && player.remote?.replica === from.replica) {
    changed(turn, { ...current(turn, player), remote: undefined });
  }
  if (message['type'] === 'streamerIdChanged' && typeof message['newID'] === 'string') {
    const { replica } = from;
    changed(turn, { ...current(turn, player), remote: { replica, streamerId: message['newID'] } });
  }
  send(turn, player.connection, message);
}
