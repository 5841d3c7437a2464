import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NackList } from './nackList.ts';
import { RoundTrip } from './roundTrip.ts';

const DEADLINE_MS = 400;

function setup(roundTripMs = 40): { list: NackList; roundTrip: RoundTrip } {
  const roundTrip = new RoundTrip();
  for (let count = 0; count < 30; count += 1) {
    roundTrip.sample(roundTripMs);
  }
  return { list: new NackList(roundTrip), roundTrip };
}

describe('NackList', () => {
  it('asks at once, again when an answer is overdue, and stops when the packet comes', () => {
    const { list } = setup(20);
    list.arrived(65_534, 0);
    list.arrived(65_538, 0);
    expect(list.due(0, DEADLINE_MS)).toEqual([65_535, 65_536, 65_537]);
    expect(list.due(29, DEADLINE_MS)).toEqual([]);
    list.arrived(65_536, 29);
    expect(list.due(32, DEADLINE_MS)).toEqual([65_535, 65_537]);
    list.arrived(65_535, 50);
    list.arrived(65_537, 50);
    expect(list.due(1000, DEADLINE_MS)).toEqual([]);
  });

  it('does not ask when the answer would come after the deadline', () => {
    const { list } = setup(100);
    list.arrived(1, 0);
    list.arrived(3, 0);
    const asked = Array.from({ length: 60 }, (_, index) => index * 10).filter(
      (nowMs) => list.due(nowMs, DEADLINE_MS).length > 0,
    );
    expect(asked).toEqual([0, 110, 220]); // at 330 an answer would come at 430
  });

  it('asks no more for what was given up', () => {
    const { list } = setup();
    list.arrived(1, 0);
    list.arrived(4, 0);
    list.giveUpBelow(3);
    expect(list.due(0, DEADLINE_MS)).toEqual([3]);
  });

  it('learns the round trip from first answers only', () => {
    const { list, roundTrip } = setup(40);
    list.arrived(1, 0);
    list.arrived(3, 0);
    list.due(0, DEADLINE_MS);
    list.due(60, DEADLINE_MS);
    list.arrived(2, 90);
    expect(roundTrip.smoothedMs).toBe(40);
    list.arrived(5, 100);
    list.due(100, DEADLINE_MS);
    list.arrived(4, 180);
    expect(roundTrip.smoothedMs).toBe(45);
  });

  it('learns that the round trip has grown past the time-out, from answers to packets asked for twice', () => {
    const { list, roundTrip } = setup(40);
    for (let sequence = 2; sequence < 40; sequence += 2) {
      const atMs = sequence * 100;
      list.arrived(sequence + 1, atMs);
      list.due(atMs, DEADLINE_MS);
      list.due(atMs + roundTrip.timeoutMs, DEADLINE_MS);
      list.arrived(sequence, atMs + 150, true);
    }
    expect(roundTrip.smoothedMs).toBeGreaterThan(120);
  });

  it('waits a little before it asks where packets overtake each other', () => {
    const { list } = setup(40);
    list.arrived(1, 0);
    list.arrived(3, 0);
    expect(list.due(0, DEADLINE_MS)).toEqual([2]);
    list.arrived(2, 8); // too early for an answer
    list.arrived(5, 100);
    expect(list.due(107, DEADLINE_MS)).toEqual([]);
    expect(list.due(108, DEADLINE_MS)).toEqual([4]);
  });

  it('lets an outage go: a keyframe is cheaper', () => {
    const { list } = setup();
    list.arrived(1, 0);
    list.arrived(5000, 0);
    expect(list.due(0, DEADLINE_MS)).toEqual([]);
  });

  it('only ever asks for what is missing, in order, whatever comes', () => {
    const step = fc.record({
      sequence: fc.integer({ min: 65_000, max: 66_500 }),
      afterMs: fc.integer({ min: 0, max: 60 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { list } = setup();
        const came = new Set<number>();
        let nowMs = 0;
        for (const { sequence, afterMs } of steps) {
          nowMs += afterMs;
          list.arrived(sequence, nowMs);
          came.add(sequence);
          const due = list.due(nowMs, DEADLINE_MS);
          expect(due.filter((each) => came.has(each))).toEqual([]);
          expect([...due].sort((a, b) => a - b)).toEqual(due);
          expect(due.length).toBeLessThanOrEqual(512);
        }
      }),
    );
  });
});
