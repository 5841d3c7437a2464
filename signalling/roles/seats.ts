/**
 * The seat of a streamer: who may control it. Owns its states (free, held, kept for someone who is
 * away) and says every change. Leaves to subscription.ts who is connected to the streamer.
 */
import type { Player, Seat } from '../registry.ts';
import { notify, type SignallingEvent, type Turn } from './turn.ts';

/** Gives the seat to a player. Those who wait go on waiting, but for the player itself. */
export function grantSeat(turn: Turn, player: Player, streamerId: string, reason: string): void {
  const waiting = turn.registry.seats.get(streamerId)?.waiting ?? [];
  setSeat(turn, streamerId, {
    streamerId,
    subject: player.identity.subject,
    playerId: player.playerId,
    state: 'held',
    offeredTo: undefined,
    waiting: waiting.filter((playerId) => playerId !== player.playerId),
    epoch: nextEpoch(turn),
  });
  tell(turn, 'seatGranted', streamerId, player.playerId, reason);
}

/** The holder is away: nobody else gets the seat until the grace is over. */
export function keepSeat(turn: Turn, seat: Seat, reason: string): void {
  const epoch = nextEpoch(turn);
  setSeat(turn, seat.streamerId, { ...seat, state: 'grace', offeredTo: undefined, epoch });
  turn.effects.push({ kind: 'startGrace', streamerId: seat.streamerId, epoch });
  tell(turn, 'seatKept', seat.streamerId, seat.playerId, reason);
}

/** Frees the seat. */
export function freeSeat(turn: Turn, seat: Seat, reason: string): void {
  setSeat(turn, seat.streamerId, undefined);
  tell(turn, 'seatReleased', seat.streamerId, seat.playerId, reason);
}

/** Changes what is noted at the seat, not who holds it. */
export function noteAtSeat(
  turn: Turn,
  seat: Seat,
  notes: Partial<Pick<Seat, 'offeredTo' | 'waiting'>>,
): void {
  setSeat(turn, seat.streamerId, { ...seat, ...notes });
}

/** A seat that another replica, or this streamer's connection before, has left in the store. */
export function restoreSeat(
  turn: Turn,
  seat: Pick<Seat, 'streamerId' | 'subject' | 'playerId'>,
): void {
  if (!turn.registry.seats.has(seat.streamerId) && seat.subject !== undefined) {
    const restored = { ...seat, state: 'grace', offeredTo: undefined, waiting: [], epoch: 0 };
    keepSeat(turn, restored as Seat, 'the streamer came back elsewhere');
  }
}

/** The seat goes with its streamer to the streamer's new id. */
export function renameSeat(turn: Turn, from: string, to: string): void {
  const seat = turn.registry.seats.get(from);
  if (seat !== undefined) {
    setSeat(turn, from, undefined);
    setSeat(turn, to, { ...seat, streamerId: to });
    if (seat.state === 'grace') {
      turn.effects.push({ kind: 'startGrace', streamerId: to, epoch: seat.epoch });
    }
  }
}

/** Forgets a player that has gone: it waits no more and is offered nothing. */
export function forgetAtSeats(turn: Turn, playerId: string): void {
  for (const seat of turn.registry.seats.values()) {
    if (seat.offeredTo === playerId || seat.waiting.includes(playerId)) {
      noteAtSeat(turn, seat, {
        offeredTo: seat.offeredTo === playerId ? undefined : seat.offeredTo,
        waiting: seat.waiting.filter((waiting) => waiting !== playerId),
      });
    }
  }
}

/** Says a change of a seat. */
export function tell(
  turn: Turn,
  kind: Extract<SignallingEvent, { readonly reason: string }>['kind'],
  streamerId: string,
  playerId: string,
  reason: string,
): void {
  notify(turn, { kind, streamerId, playerId, reason });
}

function setSeat(turn: Turn, streamerId: string, seat: Seat | undefined): void {
  const seats = new Map(turn.registry.seats);
  if (seat === undefined) {
    seats.delete(streamerId);
  } else {
    seats.set(streamerId, seat);
  }
  turn.registry = { ...turn.registry, seats };
  if (turn.rules.isReplicated) {
    turn.effects.push({ kind: 'saveSeat', streamerId, seat });
  }
}

function nextEpoch(turn: Turn): number {
  const epoch = turn.registry.nextSeatEpoch;
  turn.registry = { ...turn.registry, nextSeatEpoch: epoch + 1 };
  return epoch;
}
