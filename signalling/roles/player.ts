/** What a player may do: list, subscribe by the rules, and talk to the streamer it is subscribed to. */
import type { MessageOf, ParsedMessage, RawMessage, SignallingMessage } from '../protocol/index.ts';
import {
  listedIds,
  type Player,
  streamerById,
  type Streamer,
  subscribersOf,
  withPlayer,
} from '../registry.ts';
import {
  endSubscription,
  type Handlers,
  ignore,
  isSdp,
  notePresenter,
  nothing,
  refuse,
  send,
  type Turn,
} from './turn.ts';

/** What each message from a player does. */
export const PLAYER_HANDLERS: Handlers<Player> = {
  listStreamers(turn, player) {
    send(turn, player.connection, { type: 'streamerList', ids: listedIds(turn.registry) });
  },
  subscribe(turn, player, { streamerId }) {
    subscribe(turn, player, streamerId);
  },
  unsubscribe: endSubscription,
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
};

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

function subscribe(turn: Turn, player: Player, streamerId: string): void {
  const streamer = streamerById(turn.registry, streamerId);
  const refusal =
    streamer === undefined
      ? `Streamer ${streamerId} does not exist.`
      : refusalOf(turn, player, streamer, streamerId);
  if (streamer === undefined || refusal !== undefined) {
    send(turn, player.connection, { type: 'subscribeFailed', message: refusal ?? '' });
    return;
  }
  // Also for the same streamer: this is how a player asks for a fresh peer connection.
  endSubscription(turn, player);
  turn.registry = withPlayer(turn.registry, { ...player, subscribedTo: streamer.connection });
  send(turn, streamer.connection, {
    type: 'playerConnected',
    playerId: player.playerId,
    dataChannel: true,
    sfu: false,
  });
  notePresenter(turn, 'presenterConnected', player, streamerId);
}

/** Why this player may not subscribe, in words for its user; undefined when it may. */
function refusalOf(
  turn: Turn,
  player: Player,
  streamer: Streamer,
  streamerId: string,
): string | undefined {
  if (player.role === 'ingest') {
    return undefined;
  }
  const others = subscribersOf(turn.registry, streamer.connection).filter(
    (other) => other.role === 'player' && other.connection !== player.connection,
  );
  const { mode, maxPlayers } = turn.rules;
  if (mode === 'presenter' && others.length > 0) {
    return `Streamer ${streamerId} already has a presenter. Only one can control it at a time.`;
  }
  if (mode === 'open' && maxPlayers > 0 && others.length >= maxPlayers) {
    return `Streamer ${streamerId} is full. Max players = ${maxPlayers}.`;
  }
  return undefined;
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
  if (player.subscribedTo === undefined) {
    ignore(turn, player.connection, 'unroutable', `${type} before subscribe`);
    return;
  }
  send(turn, player.subscribedTo, { ...raw, playerId: player.playerId });
}
