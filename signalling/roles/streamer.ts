/** What a streamer may do: name itself, and talk to the players that are subscribed to it. */
import type { MessageOf, ParsedMessage, RawMessage } from '../protocol/index.ts';
import {
  type Player,
  type Streamer,
  subscribersOf,
  uniqueStreamerId,
  withStreamer,
} from '../registry.ts';
import {
  closePlayer,
  type Handlers,
  ignore,
  isSdp,
  nothing,
  notify,
  refuse,
  send,
  type Turn,
} from './turn.ts';

/** What a streamer is called that does not say: Wilbur's name for it. */
const NAMELESS = 'UnknownStreamer';

/** What each message from a streamer does. */
export const STREAMER_HANDLERS: Handlers<Streamer> = {
  endpointId(turn, streamer, { id }) {
    const committedId = identify(turn, streamer, id);
    send(turn, streamer.connection, { type: 'endpointIdConfirm', committedId });
    announce(turn, streamer, committedId);
  },
  ping(turn, streamer, { time }) {
    send(turn, streamer.connection, { type: 'pong', time });
  },
  pong: nothing,
  offer: forwardSdp,
  answer: forwardSdp,
  iceCandidate: forward,
  disconnectPlayer,
  // Meant for an SFU, and there is none.
  layerPreference: nothing,
};

/** A frame from a streamer that names a known type but does not fit it. */
export function invalidFromStreamer(
  turn: Turn,
  streamer: Streamer,
  { type, reason, raw }: Extract<ParsedMessage, { kind: 'invalid' }>,
): void {
  ignore(turn, streamer.connection, 'invalid', reason);
  const playerId = raw?.['playerId'];
  const player =
    (type === 'offer' || type === 'answer') &&
    (typeof playerId === 'string' || typeof playerId === 'number')
      ? subscriber(turn, streamer, String(playerId))
      : undefined;
  if (player !== undefined) {
    refuse(turn, player, `The streamer's ${reason}.`);
  }
}

/** The streamer did not name itself in time: it is listed all the same, as Cirrus does. */
export function identifyTimedOut(turn: Turn, streamer: Streamer): void {
  if (streamer.streamerId === undefined) {
    announce(turn, streamer, identify(turn, streamer, ''));
  }
}

/** Gives the streamer its id. The same request again, or the id it has, changes nothing. */
function identify(turn: Turn, streamer: Streamer, wanted: string): string {
  const requestedId = wanted === '' ? NAMELESS : wanted;
  const { streamerId } = streamer;
  if (
    streamerId !== undefined &&
    (requestedId === streamer.requestedId || requestedId === streamerId)
  ) {
    return streamerId;
  }
  const committedId = uniqueStreamerId(turn.registry, requestedId, streamer.connection);
  turn.registry = withStreamer(turn.registry, {
    ...streamer,
    streamerId: committedId,
    requestedId,
  });
  return committedId;
}

/** Tells everyone whom a new id concerns; `before` is the streamer as it was. */
function announce(turn: Turn, before: Streamer, streamerId: string): void {
  if (before.streamerId === streamerId) {
    return;
  }
  if (before.streamerId !== undefined) {
    for (const player of subscribersOf(turn.registry, before.connection)) {
      send(turn, player.connection, { type: 'streamerIdChanged', newID: streamerId });
    }
    notify(turn, { kind: 'streamerRenamed', from: before.streamerId, to: streamerId });
  }
  notify(turn, { kind: 'streamerIdentified', streamerId });
}

function forwardSdp(
  turn: Turn,
  streamer: Streamer,
  message: MessageOf<'offer' | 'answer'>,
  raw: RawMessage,
): void {
  if (isSdp(message.sdp)) {
    forward(turn, streamer, message, raw);
    return;
  }
  const reason = `${message.type}.sdp is not SDP`;
  ignore(turn, streamer.connection, 'invalid', reason);
  const player = subscriber(turn, streamer, message.playerId);
  if (player !== undefined) {
    refuse(turn, player, `The streamer's ${reason}.`);
  }
}

/** Every field goes on as it came, the player's id as text (kept for players since UE 5.7). */
function forward(
  turn: Turn,
  streamer: Streamer,
  message: MessageOf<'offer' | 'answer' | 'iceCandidate'>,
  raw: RawMessage,
): void {
  const player = subscriber(turn, streamer, message.playerId);
  if (player === undefined) {
    unroutable(turn, streamer, message.type, message.playerId);
    return;
  }
  send(turn, player.connection, { ...raw, playerId: player.playerId });
}

function disconnectPlayer(
  turn: Turn,
  streamer: Streamer,
  message: MessageOf<'disconnectPlayer'>,
): void {
  const player = subscriber(turn, streamer, message.playerId);
  if (player === undefined) {
    unroutable(turn, streamer, message.type, message.playerId);
    return;
  }
  closePlayer(turn, player, 1011, message.reason ?? '');
}

/** A player by id, if it is subscribed to this streamer: none can reach another's players. */
function subscriber(
  turn: Turn,
  streamer: Streamer,
  playerId: string | undefined,
): Player | undefined {
  return subscribersOf(turn.registry, streamer.connection).find(
    (player) => player.playerId === playerId,
  );
}

function unroutable(
  turn: Turn,
  streamer: Streamer,
  type: string,
  playerId: string | undefined,
): void {
  ignore(turn, streamer.connection, 'unroutable', `${type} for ${playerId ?? 'nobody'}`);
}
