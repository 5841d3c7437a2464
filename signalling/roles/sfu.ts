/**
 * What Epic's SFU may do: it is a player of a streamer and a streamer to players, on one connection.
 * Only in mode `open`: all its players share its right to control.
 */
import type { MessageOf, ParsedMessage, RawMessage, SignallingMessage } from '../protocol/index.ts';
import { type Player, type Streamer, withStreamer } from '../registry.ts';
import { requestId } from './naming.ts';
import { closeSubscribers, subscriber, unroutable } from './streamer.ts';
import { closePlayer, endSubscription, subscribe } from './subscription.ts';
import { type Handlers, ignore, isSdp, nothing, notify, send, sendOf, type Turn } from './turn.ts';

/** Both sides of an SFU. */
export type Sfu = {
  readonly connection: Streamer['connection'];
  readonly streamer: Streamer;
  readonly player: Player;
};

/** What each message from an SFU does. */
export const SFU_HANDLERS: Handlers<Sfu> = {
  endpointId(turn, { streamer }, { id }) {
    requestId(turn, streamer, id);
  },
  // Unfiltered, and itself too: its own software looks for the first id that is not its own.
  listStreamers(turn, { connection }) {
    const ids = [...turn.registry.streamers.values()].map(({ streamerId }) => streamerId);
    send(turn, connection, { type: 'streamerList', ids });
  },
  subscribe(turn, { player }, { streamerId }) {
    subscribe(turn, player, streamerId);
  },
  unsubscribe(turn, { player }) {
    endSubscription(turn, player, 'left');
  },
  ping(turn, { connection }, { time }) {
    send(turn, connection, { type: 'pong', time });
  },
  pong: nothing,
  offer(turn, sfu, message, raw) {
    if (isSdp(message.sdp)) {
      toPlayer(turn, sfu, message, raw);
    } else {
      ignore(turn, sfu.connection, 'invalid', 'offer.sdp is not SDP');
    }
  },
  peerDataChannels: toPlayer,
  answer(turn, sfu, message, raw) {
    if (isSdp(message.sdp)) {
      toStreamer(turn, sfu, message, { ...raw, playerId: sfu.player.playerId });
    } else {
      ignore(turn, sfu.connection, 'invalid', 'answer.sdp is not SDP');
    }
  },
  streamerDataChannels(turn, sfu, message, raw) {
    toStreamer(turn, sfu, message, { ...raw, sfuId: sfu.player.playerId });
  },
  disconnectPlayer(turn, { streamer }, { type, playerId, reason }) {
    const player = subscriber(turn, streamer, playerId);
    if (player === undefined) {
      unroutable(turn, streamer, type, playerId);
    } else {
      closePlayer(turn, player, 1011, reason ?? '', 'left');
    }
  },
  startStreaming(turn, { streamer }) {
    setStreaming(turn, streamer, true);
  },
  stopStreaming(turn, { streamer }) {
    setStreaming(turn, streamer, false);
  },
};

/** A frame from an SFU that does not fit its type. */
export function invalidFromSfu(
  turn: Turn,
  { connection }: Sfu,
  { reason }: Extract<ParsedMessage, { kind: 'invalid' }>,
): void {
  ignore(turn, connection, 'invalid', reason);
}

/** The streamer of an SFU has gone: the SFU stays, its players do not. */
export function sfuLostStreamer(turn: Turn, player: Player): void {
  endSubscription(turn, player, 'streamerGone');
  send(turn, player.connection, { type: 'streamerDisconnected' });
  const streamer = turn.registry.streamers.get(player.connection);
  if (streamer !== undefined) {
    setStreaming(turn, streamer, false);
  }
}

function setStreaming(turn: Turn, streamer: Streamer, isStreaming: boolean): void {
  if (streamer.isStreaming === isStreaming) {
    return;
  }
  const { streamerId } = streamer;
  if (isStreaming && turn.rules.isReplicated) {
    // Others must know the id is in use before it is listed.
    requestId(turn, streamer, streamerId);
    return;
  }
  turn.registry = withStreamer(turn.registry, { ...streamer, isStreaming });
  if (isStreaming) {
    notify(turn, { kind: 'streamerIdentified', streamerId });
    return;
  }
  closeSubscribers(turn, streamer);
  notify(turn, { kind: 'streamerGone', streamerId });
  if (turn.rules.isReplicated) {
    turn.effects.push({ kind: 'unclaim', streamerId });
  }
}

/** To one of its players, which must not see the id (UE up to 5.4, and every SFU). */
function toPlayer(
  turn: Turn,
  { streamer }: Sfu,
  message: MessageOf<'offer' | 'peerDataChannels'>,
  raw: RawMessage,
): void {
  const player = subscriber(turn, streamer, message.playerId);
  if (player === undefined) {
    unroutable(turn, streamer, message.type, message.playerId);
    return;
  }
  send(turn, player.connection, withoutPlayerId(raw));
}

function toStreamer(
  turn: Turn,
  { player }: Sfu,
  { type }: SignallingMessage,
  message: RawMessage,
): void {
  const { subscribedTo, connection } = player;
  if (subscribedTo === undefined) {
    ignore(turn, connection, 'unroutable', `${type} before subscribe`);
  } else if (message['playerId'] === undefined) {
    sendOf(turn, player, subscribedTo, message);
  } else {
    send(turn, subscribedTo, message);
  }
}

function withoutPlayerId(raw: RawMessage): RawMessage {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => name !== 'playerId'));
}
