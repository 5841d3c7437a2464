/**
 * Control from one presenter to another: by the operator, by offer and accept between presenters,
 * and after the grace. The moves themselves are subscription.ts's; here is who may order them.
 */
import { type Player, playerById, streamerById } from '../registry.ts';
import type { MessageOf } from '../protocol/index.ts';
import { noteAtSeat, tell } from './seats.ts';
import {
  current,
  disconnectHolder,
  handOver,
  needsSeat,
  rightRefusal,
  subscribe,
  vacate,
} from './subscription.ts';
import { ignore, send, type Turn } from './turn.ts';

/** What became of an order. */
export type OrderOutcome =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'refused';
      readonly code: 'no_streamer' | 'no_player' | 'no_seat' | 'not_allowed';
      readonly reason: string;
    };

/** Players that may wait for one seat. */
const MAX_WAITING = 16;
const DONE: OrderOutcome = { kind: 'done' };

/** The operator gives the seat to a player, whoever holds it. */
export function assignSeat(turn: Turn, streamerId: string, playerId: string): OrderOutcome {
  const streamer = streamerById(turn.registry, streamerId);
  if (streamer === undefined) {
    return refused('no_streamer', `Streamer ${streamerId} does not exist.`);
  }
  const player = playerById(turn.registry, playerId);
  if (player?.role !== 'player') {
    return refused('no_player', `Player ${playerId} does not exist here.`);
  }
  if (!needsSeat(turn, player)) {
    return refused('not_allowed', 'There are no seats in mode open.');
  }
  const refusal = rightRefusal(player, streamerId);
  if (refusal !== undefined) {
    return refused('not_allowed', refusal);
  }
  const seat = turn.registry.seats.get(streamerId);
  if (seat?.playerId !== playerId || seat.state !== 'held') {
    handOver(turn, streamer, player, 'the operator gave it the seat');
  }
  return DONE;
}

/** The operator takes the seat away; the first who waits gets it. */
export function releaseSeat(turn: Turn, streamerId: string): OrderOutcome {
  const seat = turn.registry.seats.get(streamerId);
  if (seat === undefined) {
    return refused('no_seat', `Nobody holds the seat of streamer ${streamerId}.`);
  }
  disconnectHolder(turn, seat, 'The operator has taken control back.');
  vacate(turn, seat, 'the operator took it back');
  return DONE;
}

/** The holder stayed away for the whole grace; a timer of an earlier absence is void. */
export function graceOver(turn: Turn, streamerId: string, epoch: number): void {
  const seat = turn.registry.seats.get(streamerId);
  if (seat?.state === 'grace' && seat.epoch === epoch) {
    vacate(turn, seat, 'the presenter did not come back');
  }
}

/** A player asks for the seat: it gets a free one, else it waits and the holder is told. */
export function requestSeat(
  turn: Turn,
  player: Player,
  { streamerId }: MessageOf<'seatRequest'>,
): void {
  const seat = turn.registry.seats.get(streamerId);
  const refusal = rightRefusal(player, streamerId);
  if (seat === undefined || refusal !== undefined || !needsSeat(turn, player)) {
    subscribe(turn, player, streamerId);
    return;
  }
  if (seat.playerId === player.playerId || seat.waiting.includes(player.playerId)) {
    return;
  }
  if (seat.waiting.length >= MAX_WAITING) {
    send(turn, player.connection, {
      type: 'subscribeFailed',
      message: `Too many wait for the seat of streamer ${streamerId}.`,
    });
    return;
  }
  noteAtSeat(turn, seat, { waiting: [...seat.waiting, player.playerId] });
  tell(turn, 'seatRequested', streamerId, player.playerId, 'the player asked for it');
  const holder = playerById(turn.registry, seat.playerId);
  if (holder !== undefined) {
    send(turn, holder.connection, { type: 'seatRequest', streamerId, playerId: player.playerId });
  }
}

/** The holder offers its seat to another player; the latest offer is the one that counts. */
export function offerSeat(
  turn: Turn,
  player: Player,
  { streamerId, playerId }: MessageOf<'seatOffer'>,
): void {
  const seat = turn.registry.seats.get(streamerId);
  const to = playerById(turn.registry, playerId);
  const isHolder = seat?.state === 'held' && seat.playerId === player.playerId;
  if (!isHolder || to?.role !== 'player' || to.playerId === player.playerId) {
    ignore(turn, player.connection, 'unroutable', `seatOffer to ${playerId}`);
    return;
  }
  if (rightRefusal(to, streamerId) !== undefined) {
    ignore(turn, player.connection, 'unroutable', `seatOffer to ${playerId}, who may not present`);
    return;
  }
  noteAtSeat(turn, seat, { offeredTo: to.playerId });
  send(turn, to.connection, { type: 'seatOffer', streamerId, playerId: player.playerId });
  tell(turn, 'seatOffered', streamerId, to.playerId, `player ${player.playerId} offered it`);
}

/** The player to whom the seat was offered takes it. */
export function acceptSeat(
  turn: Turn,
  player: Player,
  { streamerId }: MessageOf<'seatAccept'>,
): void {
  const seat = turn.registry.seats.get(streamerId);
  const streamer = streamerById(turn.registry, streamerId);
  if (streamer === undefined || seat?.offeredTo !== player.playerId) {
    ignore(turn, player.connection, 'unroutable', `seatAccept for ${streamerId}`);
    return;
  }
  handOver(turn, streamer, current(turn, player), 'offered and accepted');
}

/** An order that is not carried out, in words for the operator. */
export function refused(
  code: Extract<OrderOutcome, { kind: 'refused' }>['code'],
  reason: string,
): OrderOutcome {
  return { kind: 'refused', code, reason };
}
