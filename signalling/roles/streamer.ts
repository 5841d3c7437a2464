/** What a streamer may do: name itself, and talk to the players that are subscribed to it. */
import type { MessageOf, ParsedMessage, RawMessage } from '../protocol/index.ts';
import { type Player, type Streamer, subscribersOf } from '../registry.ts';
import { requestId } from './naming.ts';
import { closePlayer, refuse } from './subscription.ts';
import { type Handlers, ignore, isSdp, nothing, send, type Turn } from './turn.ts';

/** What each message from a streamer does. */
export const STREAMER_HANDLERS: Handlers<Streamer> = {
  endpointId(turn, streamer, { id }) {
    requestId(turn, streamer, id);
  },
  ping(turn, streamer, { time }) {
    send(turn, streamer.connection, { type: 'pong', time });
  },
  pong: nothing,
  offer: forwardSdp,
  answer: forwardSdp,
  iceCandidate: forward,
  disconnectPlayer,
  // For SFUs: how much of the picture each may take.
  layerPreference(turn, streamer, _message, raw) {
    for (const player of subscribersOf(turn.registry, streamer.connection)) {
      if (player.role === 'sfu') {
        send(turn, player.connection, raw);
      }
    }
  },
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

/** Closes everyone who is subscribed: Epic's frontend then comes back by itself. */
export function closeSubscribers(turn: Turn, streamer: Streamer): void {
  for (const player of subscribersOf(turn.registry, streamer.connection)) {
    if (player.connection !== streamer.connection && player.role !== 'sfu') {
      closePlayer(turn, player, 1000, 'The streamer disconnected.', 'streamerGone');
    }
  }
}

/** A player by id, if it is subscribed to this streamer: none can reach another's players. */
export function subscriber(
  turn: Turn,
  streamer: Streamer,
  playerId: string | undefined,
): Player | undefined {
  return subscribersOf(turn.registry, streamer.connection).find(
    (player) => player.playerId === playerId,
  );
}

/** Notes a message for someone who is not there. */
export function unroutable(
  turn: Turn,
  streamer: Streamer,
  type: string,
  playerId: string | undefined,
): void {
  ignore(turn, streamer.connection, 'unroutable', `${type} for ${playerId ?? 'nobody'}`);
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
  closePlayer(turn, player, 1011, message.reason ?? '', 'left');
}
