/** Two origins and any faults: where one publisher is healthy at an origin, its tracks go on. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FIRST_MSN as N } from './fixtures.ts';
import { Pair, STEPS } from './twoOrigins.ts';

const SEGMENTS = 9;
const FAULTS_UNTIL = 5 * STEPS;
const MAKERS = [
  { slot: 0, attempt: 1 },
  { slot: 1, attempt: 1 },
  { slot: 0, attempt: 2, fromStep: 30 },
];

/** How a publisher fails at one origin: its connection stands still or ends, or neither. */
const fault = fc.oneof(
  { weight: 2, arbitrary: fc.record({ at: fc.nat(FAULTS_UNTIL), isGone: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ at: Infinity, isGone: false }) },
);

/** The older epoch of a slot may be fenced off by a newer one that fails: it is not among them. */
const healthy = fc.constantFrom(1, 2);

it('a track goes on with the one that is healthy, whatever the others do, here and there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(4), { minLength: 61, maxLength: 61 }),
      fc.array(fault, { minLength: 6, maxLength: 6 }),
      fc.tuple(healthy, healthy),
      async (lags, faults, well) => {
        let drawn = 0;
        const draw = (): number => lags[(drawn += 1) % lags.length] ?? 0;
        const pair = new Pair(MAKERS);
        for (let tick = 0; tick < (SEGMENTS + 1) * STEPS; tick += 1) {
          for (let connection = 0; connection < 12; connection += 1) {
            const [o, track, maker] = [connection & 1, (connection >> 1) & 1, connection >> 2];
            const isWell = well[o] === maker;
            const { at, isGone } = faults[o * 3 + maker]!;
            const end = isWell ? Infinity : at;
            await pair.sendUntil(o, maker, track, Math.min(tick - draw(), end, SEGMENTS * STEPS));
            if (!isWell && isGone && tick >= at) {
              pair.leave(o, maker, track);
            }
          }
          pair.nowMs = (N + tick / STEPS) * 2000;
          pair.sweep();
          if (draw() > 1) {
            pair.deliver();
          }
        }
        for (const live of pair.origins) {
          for (const name of ['v180', 'a128'] as const) {
            expect(live.track(name)?.frontierMsn, name).toBe(N + SEGMENTS);
            const last = live.track(name)?.ring.find(N + SEGMENTS - 1);
            expect(last?.isGap === true || last?.parts.some(({ isGap }) => isGap)).toBe(false);
          }
        }
      },
    ),
    { numRuns: 60, endOnFailure: true },
  );
});
