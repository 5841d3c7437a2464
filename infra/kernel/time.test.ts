import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatIsoMs,
  formatSeconds,
  rescale,
  ticks,
  ticksFromUnixMs,
  unixMs,
  unixMsFromTicks,
} from './time.ts';

const EPOCH_90K = 161_567_676_360_000; // 2026-11-20 in 90 kHz ticks

describe('rescale', () => {
  it.each([
    [90_000, 90_000, 48_000, 'floor', 48_000],
    [1, 90_000, 48_000, 'floor', 0],
    [1, 90_000, 48_000, 'ceil', 1],
    [15, 90_000, 48_000, 'round', 8],
    [EPOCH_90K, 90_000, 48_000, 'floor', 86_169_427_392_000],
    [-1, 90_000, 48_000, 'floor', -1],
  ] as const)('%d/%d to /%d %s is %d', (value, from, to, rounding, expected) => {
    expect(rescale(value, from, to, rounding)).toBe(expected);
  });

  it('agrees with exact arithmetic at epoch size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200_000_000_000_000 }), (value) => {
        expect(BigInt(rescale(value, 90_000, 48_000, 'floor'))).toBe(
          (BigInt(value) * 48_000n) / 90_000n,
        );
      }),
    );
  });
});

describe('text', () => {
  it('prints seconds with six decimals', () => {
    expect(formatSeconds(94 * 1024, 48_000)).toBe('2.005333');
    expect(formatSeconds(93 * 1024, 48_000)).toBe('1.984000');
    expect(formatSeconds(180_000, 90_000)).toBe('2.000000');
    expect(formatSeconds(-45_000, 90_000)).toBe('-0.500000');
  });

  it('prints an instant in ISO 8601 with milliseconds', () => {
    expect(formatIsoMs(ticks(EPOCH_90K), 90_000)).toBe('2026-11-20T17:40:04.000Z');
  });
});

describe('Unix milliseconds', () => {
  it('go to ticks and back within a tick', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (ms) => {
        expect(unixMsFromTicks(ticksFromUnixMs(unixMs(ms), 90_000), 90_000)).toBeCloseTo(ms, 3);
      }),
    );
  });

  it('refuses what is no integer', () => {
    expect(() => ticks(0.5)).toThrow(RangeError);
    expect(() => ticks(2 ** 53)).toThrow(RangeError);
    expect(() => unixMs(Number.NaN)).toThrow(RangeError);
  });
});
