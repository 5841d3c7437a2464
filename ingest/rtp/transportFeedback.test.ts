import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransportFeedback } from './transportFeedback.ts';

const target = { senderSsrc: 1, mediaSsrc: 2 };

type Report = { base: number; count: number; arrivals: Map<number, number>; number: number };

/** An independent reader, written from the draft's figures. */
function read(packet: Uint8Array): Report {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  expect(view.getUint8(0)).toBe(0x8f);
  expect(view.getUint8(1)).toBe(205);
  expect((view.getUint16(2) + 1) * 4).toBe(packet.length);
  const base = view.getUint16(12);
  const count = view.getUint16(14);
  const statuses: number[] = [];
  let at = 20;
  while (statuses.length < count) {
    const chunk = view.getUint16(at);
    at += 2;
    if ((chunk & 0x8000) === 0) {
      statuses.push(...Array.from({ length: chunk & 0x1fff }, () => (chunk >> 13) & 3));
    } else {
      expect(chunk & 0x4000).toBe(0x4000);
      statuses.push(...[12, 10, 8, 6, 4, 2, 0].map((shift) => (chunk >> shift) & 3));
    }
  }
  let timeMs = ((view.getUint32(16) >>> 8) & 0xffffff) * 64;
  const arrivals = new Map<number, number>();
  statuses.slice(0, count).forEach((status, index) => {
    if (status !== 0) {
      timeMs += (status === 1 ? view.getUint8(at) : view.getInt16(at)) / 4;
      at += status;
      arrivals.set((base + index) & 0xffff, timeMs);
    }
  });
  expect(packet.length - at).toBeLessThan(4);
  return { base, count, arrivals, number: view.getUint8(19) };
}

describe('TransportFeedback', () => {
  it('reports each arrival to the quarter millisecond and every hole, over any wrap', () => {
    const gaps = fc.array(
      fc.record({
        skip: fc.integer({ min: 1, max: 40 }),
        afterMs: fc.float({ min: 0, max: 60, noNaN: true }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 1e9 }),
        gaps,
        (first, startMs, steps) => {
          const feedback = new TransportFeedback();
          const truth = new Map<number, number>();
          let sequence = first;
          let nowMs = startMs;
          for (const { skip, afterMs } of steps) {
            truth.set(sequence & 0xffff, nowMs);
            feedback.arrived(sequence & 0xffff, nowMs);
            sequence += skip;
            nowMs += afterMs;
          }
          const reports = feedback.take(target, nowMs).map(read);
          const seen = new Map(reports.flatMap(({ arrivals }) => [...arrivals]));
          expect([...seen.keys()].sort()).toEqual([...truth.keys()].sort());
          const originMs = Math.floor(startMs / 64 / 2 ** 24) * 64 * 2 ** 24;
          for (const [key, arrivedMs] of truth) {
            expect(Math.abs(originMs + (seen.get(key) ?? 0) - arrivedMs)).toBeLessThanOrEqual(
              0.126,
            );
          }
          let next = first & 0xffff;
          for (const { base, count } of reports) {
            expect(base).toBe(next); // nothing is left out between reports
            next = (base + count) & 0xffff;
          }
          expect(feedback.take(target, nowMs)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('goes back for a packet that comes after its report', () => {
    const feedback = new TransportFeedback();
    feedback.arrived(10, 1000);
    feedback.arrived(12, 1001);
    const first = feedback.take(target, 1050).map(read);
    expect(first[0]).toMatchObject({ base: 10, count: 3, number: 0 });
    feedback.arrived(11, 1060);
    feedback.arrived(13, 1061);
    const [second] = feedback.take(target, 1100).map(read);
    expect(second).toMatchObject({ base: 11, count: 3, number: 1 });
    expect(second?.arrivals.get(11)).toBe(1060);
    expect(second?.arrivals.get(12)).toBe(1001);
  });

  it('starts another report where a delta would not fit', () => {
    const feedback = new TransportFeedback();
    feedback.arrived(1, 0);
    feedback.arrived(2, 60_000);
    const reports = feedback.take(target, 60_000).map(read);
    expect(reports.map(({ base, count }) => [base, count])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});
