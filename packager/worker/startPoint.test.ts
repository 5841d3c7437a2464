import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { startPoint } from './startPoint.ts';

test.each([
  // newest, not before, whether it takes over -> T0
  [1_795_196_401_900, 0, false, 1_795_196_404_000],
  [1_795_196_403_300, 0, false, 1_795_196_404_000],
  [1_795_196_403_300.5, 0, false, 1_795_196_406_000],
  [1_795_196_401_900, 1_795_196_407_966, false, 1_795_196_408_000],
  // A run in the place of another does not let the next segment pass.
  [1_795_196_403_800, 1_795_196_402_500, true, 1_795_196_404_000],
  [1_795_196_403_800, 0, true, 1_795_196_404_000],
  [1_795_196_403_999, 1_795_196_402_500, true, 1_795_196_404_000],
  [1_795_196_404_250, 1_795_196_402_500, true, 1_795_196_404_000],
  [1_795_196_404_250.5, 1_795_196_402_500, true, 1_795_196_406_000],
  // Nothing is published twice.
  [1_795_196_404_200, 1_795_196_404_033, true, 1_795_196_406_000],
])(
  'newest %d, published until %d, takes over: %s: T0 is %d',
  (newest, notBeforeMs, isTakeover, t0Ms) => {
    const rules = { leadMs: 700, notBeforeMs, isTakeover };
    expect(startPoint(unixMs(newest), { segmentMs: 2000 }, rules).t0Ms).toBe(t0Ms);
  },
);

test('T0 is on the grid past the lead, K is the first AAC frame in it', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1.6e12, max: 4e12, noNaN: true }),
      fc.integer({ min: 1000, max: 3000 }),
      fc.integer({ min: 200, max: 5000 }),
      (newest, segmentMs, leadMs) => {
        const { t0Ms, videoTicks, audioTicks } = startPoint(
          unixMs(newest),
          { segmentMs },
          { leadMs },
        );
        expect(t0Ms % segmentMs).toBe(0);
        expect(t0Ms - newest).toBeGreaterThanOrEqual(leadMs - 0.001);
        expect(t0Ms - newest).toBeLessThan(leadMs + segmentMs + 0.001);
        expect(videoTicks).toBe(t0Ms * 90);
        expect(audioTicks % 1024).toBe(0);
        expect(audioTicks).toBeGreaterThanOrEqual(t0Ms * 48);
        expect(audioTicks - t0Ms * 48).toBeLessThan(1024);
      },
    ),
  );
});
