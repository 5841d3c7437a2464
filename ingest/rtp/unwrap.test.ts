import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unwrapper } from './unwrap.ts';

describe('Unwrapper', () => {
  it.each([16, 32] as const)('follows any walk of less than half the range (%i bits)', (bits) => {
    const range = 2 ** bits;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: range - 1 }),
        fc.array(fc.integer({ min: -100, max: range / 2 - 200 }), { maxLength: 40 }),
        (first, steps) => {
          const unwrapper = new Unwrapper(bits);
          const origin = unwrapper.unwrap(first) - first;
          let newest = first;
          for (const step of steps) {
            const truth = newest + step;
            newest = Math.max(newest, truth);
            const wrapped = ((truth % range) + range) % range;
            expect(unwrapper.unwrap(wrapped) - origin).toBe(truth);
          }
        },
      ),
    );
  });

  it('stays positive just before its first value, and peek does not move it', () => {
    const unwrapper = new Unwrapper(16);
    expect(unwrapper.unwrap(2)).toBe(65_538);
    expect(unwrapper.peek(65_535)).toBe(65_535);
    expect(unwrapper.peek(30_000)).toBe(95_536);
    expect(unwrapper.unwrap(3)).toBe(65_539);
  });
});
