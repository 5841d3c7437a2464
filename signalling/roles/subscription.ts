/**
 * Who is connected to a streamer: subscribe by the rules, leave, be closed, hand over. In mode
 * `presenter` the old holder of a seat is always disconnected before the new one is connected.
 */
import {
  type Player,
  playerById,
  type Seat,
  type Streamer,
  streamerById,
  subscribersOf,
  withPlayer,
  without,
} from '../registry.ts';
import type { RawMessage } from '../protocol/index.ts';
import { freeSeat, grantSeat, keepSeat, noteAtSeat } from './seats.ts';
import { ignore, notify, send, sendOf, type Turn } from './turn.ts';

/**
 * Why a subscription ends. `left`: of its own will, or thrown out: the seat is free. `lost`: its
 * connection is gone. `streamerGone`: nobody is there to be told. `moved`: the caller sees to the seat.
 */
export type Ending = 'left' | 'lost' | 'streamerGone' | 'moved';

/** Subscribes a player, or says why not. For the same streamer too: it asks for a fresh peer. */
export function subscribe(
  turn: Turn,
  asking: Player,
  streamerId: string,
  raw: RawMessage = { type: 'subscribe', streamerId },
): void {
  const player = changed(turn, { ...asking, hasChosen: true });
  const streamer = streamerById(turn.registry, streamerId);
  if (streamer === undefined) {
    const replica = turn.registry.remoteStreamers.get(streamerId);
    if (replica === undefined || player.role === 'sfu') {
      fail(turn, player, `Streamer ${streamerId} does not exist.`);
    } else {
      endSubscription(turn, player, 'left');
      changed(turn, { ...current(turn, player), remote: { streamerId, replica } });
      turn.effects.push({ kind: 'relay', connection: player.connection, replica, message: raw });
    }
    return;
  }
  const refusal = refusalOf(turn, player, streamer);
  if (refusal !== undefined) {
    fail(turn, player, refusal);
    return;
  }
  if (!needsSeat(turn, player)) {
    endSubscription(turn, player, 'left');
    connectPlayer(turn, player, streamer);
    return;
  }
  const seat = turn.registry.seats.get(streamerId);
  const isHolder = seat?.playerId === player.playerId && seat.state === 'held';
  if (seat !== undefined && !isHolder) {
    disconnectHolder(turn, seat, 'You have connected again from elsewhere.');
  }
  const isAgain = current(turn, player).subscribedTo === streamer.connection;
  endSubscription(turn, player, isAgain ? 'moved' : 'left');
  connectPlayer(turn, player, streamer);
  if (!isHolder) {
    grantSeat(
      turn,
      player,
      streamerId,
      seat === undefined ? 'subscribed' : 'the same presenter is back',
    );
  }
}

/** Ends a subscription if there is one; the streamer is told. The player stays connected. */
export function endSubscription(turn: Turn, peer: Player, why: Ending): void {
  const player = current(turn, peer);
  if (player.remote !== undefined) {
    const { replica } = player.remote;
    changed(turn, { ...player, remote: undefined });
    turn.effects.push({
      kind: 'relay',
      connection: player.connection,
      replica,
      message: { type: 'unsubscribe' },
    });
  }
  const streamer =
    player.subscribedTo === undefined
      ? undefined
      : turn.registry.streamers.get(player.subscribedTo);
  if (streamer === undefined) {
    return;
  }
  changed(turn, { ...player, subscribedTo: undefined, remote: undefined });
  if (why !== 'streamerGone') {
    sendOf(turn, player, streamer.connection, {
      type: 'playerDisconnected',
      playerId: player.playerId,
    });
  }
  notePresenter(turn, 'presenterGone', player, streamer.streamerId);
  const seat = turn.registry.seats.get(streamer.streamerId);
  if (why !== 'moved' && seat?.playerId === player.playerId && seat.state === 'held') {
    leaveSeat(turn, seat, why);
  }
}

/** Ends the subscription and says why: Epic's frontend shows the text and does not try again. */
export function refuse(turn: Turn, player: Player, message: string): void {
  endSubscription(turn, player, 'left');
  fail(turn, player, message);
}

/** Closes a player's connection, never with 1001, on which Epic's frontend gives up for good. */
export function closePlayer(
  turn: Turn,
  player: Player,
  code: number,
  reason: string,
  why: Ending,
): void {
  endSubscription(turn, player, why);
  turn.registry = without(turn.registry, player.connection);
  turn.effects.push({ kind: 'close', connection: player.connection, code, reason });
}

/** Moves control to a player: whoever had it is disconnected from the streamer first. */
export function handOver(turn: Turn, streamer: Streamer, to: Player, reason: string): void {
  const { streamerId } = streamer;
  const seat = turn.registry.seats.get(streamerId);
  if (seat !== undefined) {
    disconnectHolder(turn, seat, `Control has gone to another presenter: ${reason}.`);
  }
  const player = changed(turn, { ...current(turn, to), hasChosen: true });
  endSubscription(turn, player, 'left');
  connectPlayer(turn, player, streamer);
  grantSeat(turn, player, streamerId, reason);
}

/** Frees a seat and gives it to the first who waits for it. */
export function vacate(turn: Turn, seat: Seat, reason: string): void {
  freeSeat(turn, seat, reason);
  const streamer = streamerById(turn.registry, seat.streamerId);
  if (streamer === undefined) {
    return;
  }
  const waiting = seat.waiting.flatMap((playerId) => {
    const player = playerById(turn.registry, playerId);
    return player === undefined ? [] : [player];
  });
  const [next, ...rest] = waiting;
  if (next !== undefined) {
    handOver(turn, streamer, next, 'it was waiting for the seat');
    const granted = turn.registry.seats.get(seat.streamerId);
    if (granted !== undefined && rest.length > 0) {
      noteAtSeat(turn, granted, { waiting: rest.map(({ playerId }) => playerId) });
    }
  }
}

/** Takes the holder of a seat off its streamer and tells it why; the seat itself is untouched. */
export function disconnectHolder(turn: Turn, seat: Seat, message: string): void {
  const holder = playerById(turn.registry, seat.playerId);
  const streamer = streamerById(turn.registry, seat.streamerId);
  if (holder !== undefined && holder.subscribedTo === streamer?.connection) {
    endSubscription(turn, holder, 'moved');
    fail(turn, holder, message);
  }
}

/** Why this player may not control that streamer, whoever holds its seat; undefined when it may. */
export function rightRefusal(player: Player, streamerId: string): string | undefined {
  const { role, streamerIds } = player.identity;
  if (player.role !== 'player') {
    return undefined;
  }
  if (role === 'observer' || role === 'streamer') {
    return `You may watch streamer ${streamerId}, not control it: open its watch page.`;
  }
  return streamerIds === undefined || streamerIds.includes(streamerId)
    ? undefined
    : `Your token is not for streamer ${streamerId}.`;
}

/** Whether this player controls, by the rules of the mode. */
export function needsSeat(turn: Turn, player: Player): boolean {
  return turn.rules.mode === 'presenter' && player.role === 'player';
}

/** The player as it is now in this turn. */
export function current(turn: Turn, player: Player): Player {
  return turn.registry.players.get(player.connection) ?? player;
}

/** Puts a changed player into the registry; one that has gone stays gone. */
export function changed(turn: Turn, player: Player): Player {
  if (turn.registry.players.has(player.connection)) {
    turn.registry = withPlayer(turn.registry, player);
  }
  return player;
}

/** Why this player may not subscribe, in words for its user; undefined when it may. */
function refusalOf(turn: Turn, player: Player, streamer: Streamer): string | undefined {
  const { streamerId } = streamer;
  const right = rightRefusal(player, streamerId);
  if (right !== undefined) {
    return right;
  }
  if (streamer.connection === player.connection) {
    return `Streamer ${streamerId} is yourself.`;
  }
  if (needsSeat(turn, player)) {
    return seatRefusal(turn.registry.seats.get(streamerId), player);
  }
  const others = subscribersOf(turn.registry, streamer.connection).filter(
    (other) => other.role === 'player' && other.connection !== player.connection,
  );
  const { maxPlayers } = turn.rules;
  return player.role === 'player' && maxPlayers > 0 && others.length >= maxPlayers
    ? `Streamer ${streamerId} is full. Max players = ${maxPlayers}.`
    : undefined;
}

function seatRefusal(seat: Seat | undefined, player: Player): string | undefined {
  const isSame = seat?.subject !== undefined && seat.subject === player.identity.subject;
  if (seat === undefined || isSame || seat.playerId === player.playerId) {
    return undefined;
  }
  return seat.state === 'grace'
    ? `Streamer ${seat.streamerId} is kept for its presenter, who was just disconnected. Try again in a moment.`
    : `Streamer ${seat.streamerId} already has a presenter. Only one can control it at a time.`;
}

function connectPlayer(turn: Turn, peer: Player, streamer: Streamer): void {
  const player = changed(turn, {
    ...current(turn, peer),
    subscribedTo: streamer.connection,
    remote: undefined,
  });
  if (!streamer.isLegacy) {
    send(turn, streamer.connection, {
      type: 'playerConnected',
      playerId: player.playerId,
      dataChannel: true,
      sfu: player.role === 'sfu',
      // Only for frontends that ask: Epic's SS_Test fails on a field that it does not know.
      ...(player.offersToReceive ? { sendOffer: false } : {}),
    });
  }
  notePresenter(turn, 'presenterConnected', player, streamer.streamerId);
}

function leaveSeat(turn: Turn, seat: Seat, why: Ending): void {
  const isKept = why !== 'left' && seat.subject !== undefined;
  if (isKept) {
    keepSeat(
      turn,
      seat,
      why === 'lost' ? 'the presenter was disconnected' : 'the streamer is gone',
    );
  } else if (why === 'streamerGone') {
    freeSeat(turn, seat, 'the streamer is gone');
  } else {
    vacate(turn, seat, why === 'left' ? 'the presenter left' : 'the presenter was disconnected');
  }
}

function fail(turn: Turn, player: Player, message: string): void {
  if (player.role === 'sfu') {
    ignore(turn, player.connection, 'unroutable', message);
  } else {
    send(turn, player.connection, { type: 'subscribeFailed', message });
  }
}

/** Tells of a presenter; the ingest and an SFU are none. */
function notePresenter(
  turn: Turn,
  kind: 'presenterConnected' | 'presenterGone',
  player: Player,
  streamerId: string,
): void {
  if (player.role === 'player') {
    notify(turn, { kind, streamerId, playerId: player.playerId });
  }
}
