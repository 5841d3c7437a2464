import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketIndex } from './packetIndex.ts';

describe('PacketIndex', () => {
  it('guesses the true index over any outage below half the range, and of late packets', () => {
    const steps = fc.array(
      fc.record({
        ahead: fc.integer({ min: 1, max: 0x7fff }),
        late: fc.integer({ min: 1, max: 1000 }),
      }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), steps, (start, outages) => {
        const index = new PacketIndex();
        let truth = start;
        expect(index.estimate(truth & 0xffff)).toBe(truth);
        index.accept(truth);
        for (const { ahead, late } of outages) {
          truth += ahead;
          expect(index.estimate(truth & 0xffff)).toBe(truth);
          index.accept(truth);
          const behind = truth - late;
          expect(index.estimate(behind & 0xffff)).toBe(behind < 0 ? undefined : behind);
        }
      }),
    );
  });

  it('tells replays, and what is too old to tell', () => {
    const index = new PacketIndex();
    expect(index.isReplay(70_000)).toBe(false);
    index.accept(70_000);
    expect(index.isReplay(70_000)).toBe(true);
    expect(index.isReplay(69_999)).toBe(false);
    index.accept(70_010);
    expect([69_999, 70_000, 70_010, 68_986].map((each) => index.isReplay(each))).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });
});
