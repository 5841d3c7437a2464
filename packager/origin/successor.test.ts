/** A newer epoch takes the place of an older one of its slot under two origins: at the same sample. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_MSN as N } from './fixtures.ts';
import { Pair, STEPS, TRACKS } from './twoOrigins.ts';

const SEGMENTS = 8;
const OLD = { slot: 0, attempt: 1 };

/** Draws of a run: how late each piece is, again and again from the beginning. */
const lags = (most: number): fc.Arbitrary<() => number> =>
  fc.array(fc.nat(most), { minLength: 61, maxLength: 61 }).map((values) => {
    let drawn = 0;
    return () => values[(drawn += 1) % values.length] ?? 0;
  });

/** Where a successor begins: at a segment, as workers do, or anywhere in one. */
const beginning = fc.oneof(
  fc.integer({ min: 1, max: 3 }).map((segments) => segments * STEPS),
  fc.integer({ min: 10, max: 70 }),
);

/** What is made of every segment, as bytes of both origins, and whether something misses. */
function expectAlike(pair: Pair, until: number): void {
  for (const track of TRACKS) {
    for (let msn = N; msn < N + until; msn += 1) {
      const [a, b] = [0, 1].map((o) => pair.bytes(o, track, msn));
      expect(Buffer.compare(a!, b!), `${track} segment ${msn - N}`).toBe(0);
    }
  }
}

function makersIn(pair: Pair, until: number): ReadonlySet<number> {
  const bytes = TRACKS.flatMap((track) =>
    Array.from({ length: until }, (_, index) => pair.bytes(0, track, N + index).at(-1) ?? 0),
  );
  return new Set(bytes);
}

describe('a newer epoch', () => {
  it('is followed from the same segment on at both origins, and nothing is missing', async () => {
    await fc.assert(
      fc.asyncProperty(lags(4), beginning, async (draw, fromStep) => {
        const pair = new Pair([OLD, { slot: 0, attempt: 2, fromStep }]);
        for (let tick = 0; tick < (SEGMENTS + 1) * STEPS; tick += 1) {
          for (let connection = 0; connection < 8; connection += 1) {
            const [o, track, maker] = [connection & 1, (connection >> 1) & 1, connection >> 2];
            await pair.sendUntil(o, maker, track, Math.min(tick - draw(), SEGMENTS * STEPS));
          }
          pair.nowMs = (N + tick / STEPS) * 2000;
          pair.sweep();
          pair.deliver();
        }
        expectAlike(pair, SEGMENTS);
        for (const live of pair.origins) {
          expect(live.gapSegments).toBe(0);
          expect(live.splitSegments).toBe(0);
          for (const track of TRACKS) {
            expect(live.track(track)?.frontierMsn).toBe(N + SEGMENTS);
            const parts = live.track(track)!.ring.segments.flatMap((segment) => segment.parts);
            expect(parts.some(({ isGap }) => isGap)).toBe(false);
          }
        }
        expect(makersIn(pair, SEGMENTS)).toEqual(new Set([1, 2]));
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('finds the same of a lost one at both origins, whatever each had of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        lags(4),
        fc.integer({ min: 10, max: 50 }),
        fc.integer({ min: 5, max: 30 }),
        fc.boolean(),
        async (draw, at, awaySteps, isFrozen) => {
          const fromStep = Math.ceil((at + awaySteps) / STEPS) * STEPS;
          const pair = new Pair([OLD, { slot: 0, attempt: 2, fromStep }]);
          const last = [0, 1, 2, 3].map(() => at - draw());
          for (let tick = 0; tick < (SEGMENTS + 1) * STEPS; tick += 1) {
            for (let connection = 0; connection < 8; connection += 1) {
              const [o, track, maker] = [connection & 1, (connection >> 1) & 1, connection >> 2];
              const end = maker === 0 ? last[connection & 3]! : SEGMENTS * STEPS;
              await pair.sendUntil(o, maker, track, Math.min(tick - draw(), end));
              if (maker === 0 && !isFrozen && tick === at + 4) {
                pair.leave(o, maker, track);
              }
            }
            pair.nowMs = (N + tick / STEPS) * 2000;
            pair.sweep();
            pair.deliver();
          }
          expectAlike(pair, SEGMENTS);
          expect(pair.origins[0]!.track('v180')?.frontierMsn).toBe(N + SEGMENTS);
          expect(makersIn(pair, SEGMENTS).has(2)).toBe(true);
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it.each([
    ['at both', Infinity, 40],
    ['at one', 40, Infinity],
  ])('that hangs before its first sample %s is not waited for', async (_, first, second) => {
    const pair = new Pair([OLD, { slot: 0, attempt: 2, fromStep: 10 }]);
    const hangs = [Math.min(first, second), second];
    for (let step = 0; step <= 6 * STEPS; step += 1) {
      for (const track of [0, 1]) {
        for (const o of [0, 1]) {
          await pair.sendUntil(o, 0, track, step);
          await pair.sendUntil(o, 1, track, Math.min(step, hangs[o]!));
        }
      }
      pair.nowMs = (N + step / STEPS) * 2000;
      pair.sweep();
      pair.deliver();
    }
    expect(pair.held.get(`segment:demo:${N + 2}`)).toBe('0@1.2');
    for (const live of pair.origins) {
      expect(live.gapSegments).toBe(0);
      for (const track of TRACKS) {
        expect(live.track(track)?.frontierMsn).toBe(N + 6);
      }
    }
  });

  it('that one track follows already is named for the others', async () => {
    const pair = new Pair([OLD, { slot: 0, attempt: 2, fromStep: 10 }]);
    const [live] = pair.origins;
    for (let step = 0; step <= 6 * STEPS; step += 1) {
      // Sound is ahead: its maker asks.
      await pair.sendUntil(0, 0, 1, step);
      await pair.sendUntil(0, 1, 1, step);
      await pair.sendUntil(0, 1, 0, step - 1);
      if (step < 14) {
        await pair.sendUntil(0, 0, 0, step - 1);
      } else {
        pair.leave(0, 0, 0);
      }
      pair.nowMs = (N + step / STEPS) * 2000;
      pair.sweep();
      pair.deliver();
    }
    expect([3, 4, 5].map((msn) => pair.bytes(0, 'a128', N + msn).at(-1))).toEqual([2, 2, 2]);
    expect([...(live?.splits.keys() ?? [])].filter((msn) => msn > N + 2)).toEqual([]);
  });
});
