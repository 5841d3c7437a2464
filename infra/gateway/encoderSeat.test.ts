import { expect, it } from 'vitest';
import { EncoderSeat } from './encoderSeat.ts';

it('rests with what still runs after a fault, longer each time, and is itself again once it works', () => {
  const seat = new EncoderSeat(3);
  const rests: number[] = [];
  seat.begin('a');
  for (let nowMs = 0; rests.length < 7; nowMs += 1000) {
    if (seat.limit(nowMs) === 3) {
      seat.begin('b');
      seat.end('b', nowMs, 'no session');
      rests.push(nowMs);
      expect([seat.limit(nowMs), seat.limitReason(nowMs), seat.running]).toEqual([
        1,
        'no session',
        1,
      ]);
    }
  }
  const lengths = rests.slice(1).map((atMs, index) => (atMs - (rests[index] ?? 0)) / 1000);
  expect(lengths).toEqual([15, 30, 60, 120, 240, 300]);
  const laterMs = (rests.at(-1) ?? 0) + 300_000;
  seat.works(laterMs - 1);
  seat.works(laterMs);
  seat.end('a', laterMs);
  expect([seat.limit(laterMs), seat.limitReason(laterMs), seat.running]).toEqual([3, undefined, 0]);
  seat.begin('b');
  seat.end('b', laterMs, 'driver gone');
  expect([seat.limit(laterMs + 14_999), seat.limit(laterMs + 15_000)]).toEqual([0, 3]);
});
