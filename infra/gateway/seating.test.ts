import { describe, expect, it } from 'vitest';
import { type Seat, seatingOf } from './seating.ts';

const A: Seat = { instance: 'a', host: 'one' };
const B: Seat = { instance: 'b', host: 'one' };
const C: Seat = { instance: 'c', host: 'two' };

describe('a slot', () => {
  it.each([
    ['take', 'nobody runs the other', A, undefined, [A, B, C], 0],
    ['leave', 'this process runs the other', A, A, [A, B], 0],
    ['leave', 'this process runs the other, and no other lives', A, A, [A], 60_000],
    ['take', 'another process of the only host runs the other', B, A, [A, B], 0],
    ['leave', 'a worker on another host could take it', B, A, [A, B, C], 0],
    ['take', 'no worker on another host took it', B, A, [A, B, C], 6000],
    ['take', 'the other host runs the other', C, A, [A, B, C], 0],
    ['take', 'who ran the other is dead', A, { instance: 'dead', host: 'one' }, [A, C], 0],
  ] satisfies [string, string, Seat, Seat | undefined, Seat[], number][])(
    'is one to %s where %s',
    (kind, _why, me, other, workers, waitedMs) => {
      expect(seatingOf(me, other, workers, waitedMs).kind).toBe(kind);
    },
  );
});
