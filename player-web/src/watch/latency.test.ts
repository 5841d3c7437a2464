import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addToSeries,
  isTooClose,
  medianOf,
  positionAt,
  shouldJumpToLive,
  spanOf,
  unixMsAt,
  type Series,
} from './latency.ts';

const T0 = 1_795_196_404_000;
const SEGMENTS = [0, 1, 2].map((index) => ({
  startS: 10 + index * 2,
  durationS: 2,
  unixMs: T0 + index * 2000,
}));

describe('unixMsAt', () => {
  it.each([
    [10, T0],
    [11.5, T0 + 1500],
    [12, T0 + 2000],
    [15.999, T0 + 5999],
    // past the newest listed segment: playback of a part that the playlist does not hold yet
    [16.4, T0 + 6400],
    // before the oldest
    [9, T0 - 1000],
  ])('at %f s', (positionS, wanted) => {
    expect(unixMsAt(SEGMENTS, positionS)).toBeCloseTo(wanted, 6);
  });

  it('follows a jump of UTC between two segments (a hole in the timeline)', () => {
    const holed = [...SEGMENTS, { startS: 16, durationS: 2, unixMs: T0 + 60_000 }];
    expect(unixMsAt(holed, 15)).toBe(T0 + 5000);
    expect(unixMsAt(holed, 16.5)).toBe(T0 + 60_500);
  });

  it('knows nothing without segments', () => {
    expect(unixMsAt([], 3)).toBeUndefined();
  });
});

describe('positionAt', () => {
  it('is the inverse of unixMsAt inside the playlist', () => {
    const holed = [...SEGMENTS, { startS: 16, durationS: 2, unixMs: T0 + 60_000 }];
    fc.assert(
      fc.property(fc.double({ min: 10, max: 17.999, noNaN: true }), (positionS) => {
        const unixMs = unixMsAt(holed, positionS) ?? Number.NaN;
        expect(positionAt(holed, unixMs)).toBeCloseTo(positionS, 5);
      }),
    );
  });

  it.each([
    ['the oldest for what has slid off', T0 - 5000, 10],
    ['the newest for what is not there yet', T0 + 90_000, 16],
    ['the near side of a hole', T0 + 6100, 16],
  ])('is %s', (_name, unixMs, wanted) => {
    expect(positionAt(SEGMENTS, unixMs)).toBe(wanted);
  });

  it('knows nothing without segments', () => {
    expect(positionAt([], T0)).toBeUndefined();
    expect(spanOf([])).toBeUndefined();
  });
});

describe('spanOf', () => {
  it('goes from the start of the oldest to the end of the newest', () => {
    expect(spanOf(SEGMENTS)).toEqual({ fromMs: T0, toMs: T0 + 6000 });
  });
});

describe('medianOf', () => {
  it('is not moved by a single outlier', () => {
    const series = [1200, 1210, 9000, 1190, 1205].reduce(
      (kept: Series, value, index) => addToSeries(kept, index * 200, value, 60_000),
      [],
    );
    expect(medianOf(series, 800, 1000)).toBe(1205);
    expect(medianOf(series, 800, 1)).toBe(1205);
    expect(medianOf(series, 60_000, 1000)).toBeUndefined();
  });

  it('keeps no more than its window', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }), (gaps) => {
        let atMs = 0;
        let series: Series = [];
        for (const gap of gaps) {
          atMs += gap;
          series = addToSeries(series, atMs, gap, 1000);
        }
        expect(series.every((point) => atMs - point.atMs < 1000)).toBe(true);
      }),
    );
  });
});

describe('isTooClose', () => {
  it.each([
    [false, 1500, 1536, false],
    [false, 1300, 1536, false],
    [false, 1200, 1536, true],
    [true, 1300, 1536, true],
    [true, 1490, 1536, false],
    [false, 900, 0, false],
  ])('was %s at %d ms of %d ms: %s', (was, latencyMs, targetMs, wanted) => {
    expect(isTooClose(was, latencyMs, targetMs)).toBe(wanted);
  });
});

describe('shouldJumpToLive', () => {
  const steady = (value: number, forMs: number): Series =>
    Array.from({ length: forMs / 250 + 1 }, (_, index) => ({ atMs: index * 250, value }));

  it.each([
    ['near the target', steady(1600, 6000), 6000, false],
    ['far behind, but only just', steady(6500, 2000), 2000, false],
    ['far behind for long', steady(6500, 6000), 6000, true],
    ['no values', [], 6000, false],
  ])('%s', (_name, series, nowMs, wanted) => {
    expect(shouldJumpToLive(series, nowMs, 1500)).toBe(wanted);
  });

  it('does not jump while one recent value was near', () => {
    const series = [...steady(6500, 6000), { atMs: 6100, value: 2000 }];
    expect(shouldJumpToLive(series, 6200, 1500)).toBe(false);
  });
});
