import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeFor, SLIDE_MARGIN_MS, type Reach } from './place.ts';

const LIVE_MS = 1_795_212_000_000;
const HOUR_MS = 3_600_000;
const REACH: Reach = {
  liveMs: LIVE_MS,
  targetMs: 1000,
  live: { fromMs: LIVE_MS - 60_000, toMs: LIVE_MS },
  windowFromMs: LIVE_MS - 2 * HOUR_MS,
};

describe('placeFor', () => {
  it.each<[string, number, Partial<Reach>, string, number | undefined]>([
    ['now', 0, {}, 'live', undefined],
    ['the future', -60_000, {}, 'live', undefined],
    ['a second behind the target', 2000, {}, 'live', undefined],
    ['30 s back', 30_000, {}, 'live', 30_000],
    ['10 min back', 600_000, {}, 'window', 600_000],
    ['further back than is kept', 9 * HOUR_MS, {}, 'window', 2 * HOUR_MS - SLIDE_MARGIN_MS],
    ['10 min back without a window', 600_000, { windowFromMs: undefined }, 'live', 54_000],
    [
      'back to the start of a young one',
      50_000,
      { windowFromMs: LIVE_MS - 50_000 },
      'live',
      50_000,
    ],
    ['10 s back, live window unknown', 10_000, { live: undefined }, 'live', 10_000],
    ['30 s back, live window unknown', 30_000, { live: undefined }, 'window', 30_000],
  ])('%s', (_name, backMs, change, source, wantedBackMs) => {
    const place = placeFor(LIVE_MS - backMs, { ...REACH, ...change });
    expect(place.source).toBe(source);
    expect(place.isFollowing).toBe(wantedBackMs === undefined);
    expect(place.atMs).toBe(wantedBackMs === undefined ? undefined : LIVE_MS - wantedBackMs);
  });

  it('never goes to what is no longer or not yet there', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -HOUR_MS, max: 5 * HOUR_MS }),
        fc.option(fc.integer({ min: 0, max: 3 * HOUR_MS }), { nil: undefined }),
        (backMs, windowMs) => {
          const windowFromMs = windowMs === undefined ? undefined : LIVE_MS - windowMs;
          const { atMs, source } = placeFor(LIVE_MS - backMs, { ...REACH, windowFromMs });
          const oldestMs = source === 'window' ? (windowFromMs ?? LIVE_MS) : LIVE_MS - 60_000;
          expect(atMs ?? LIVE_MS).toBeGreaterThanOrEqual(oldestMs + SLIDE_MARGIN_MS);
          expect(atMs ?? LIVE_MS).toBeLessThanOrEqual(LIVE_MS);
        },
      ),
    );
  });
});
