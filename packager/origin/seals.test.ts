/** A publisher is lost under two origins: they split the segment at one sample, whatever each had of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { FIRST_MSN as N, video } from './fixtures.ts';
import { made, Pair, STEPS, TRACKS } from './twoOrigins.ts';

const SEGMENTS = 6;

describe('a lost publisher', () => {
  it('leaves the same bytes on both origins, whatever each had of it, and nothing missing', async () => {
    const noise = fc.array(fc.nat(4), { minLength: 61, maxLength: 61 });
    await fc.assert(
      fc.asyncProperty(
        noise,
        fc.integer({ min: 10, max: 70 }),
        fc.nat(1),
        async (lags, at, lost) => {
          const pair = new Pair();
          let drawn = 0;
          const draw = (): number => lags[(drawn += 1) % lags.length] ?? 0;
          // What was on its way reaches each origin, or not: none of it as far as another.
          const last = [0, 1, 2, 3].map(() => at - draw());
          const gone = [0, 1, 2, 3].map(() => at + draw());
          for (let tick = 0; tick < (SEGMENTS + 1) * STEPS; tick += 1) {
            for (let connection = 0; connection < 8; connection += 1) {
              const [o, track, slot] = [connection & 1, (connection >> 1) & 1, connection >> 2];
              const until = tick - draw();
              const end = slot === lost ? last[connection & 3]! : SEGMENTS * STEPS;
              await pair.sendUntil(o, slot, track, Math.min(until, end));
              if (slot === lost && tick >= gone[connection & 3]!) {
                pair.leave(o, slot, track);
              }
            }
            pair.nowMs = (N + tick / STEPS) * 2000;
            pair.sweep();
            if (draw() > 1) {
              pair.deliver();
            }
          }
          for (const track of TRACKS) {
            for (const live of pair.origins) {
              expect(live.track(track)?.frontierMsn).toBe(N + SEGMENTS);
              expect(live.gapSegments).toBe(0);
              const parts = live.track(track)!.ring.segments.flatMap((segment) => segment.parts);
              expect(parts.some(({ isGap }) => isGap)).toBe(false);
            }
            for (let msn = N; msn < N + SEGMENTS; msn += 1) {
              const [a, b] = [0, 1].map((o) => pair.bytes(o, track, msn));
              expect(Buffer.compare(a!, b!), `${track} segment ${msn - N}`).toBe(0);
            }
          }
        },
      ),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it('that is there and says nothing for a part is lost too, on both', async () => {
    const pair = new Pair();
    for (let step = 0; step < 2 * STEPS; step += 1) {
      for (const slot of [0, 1]) {
        await pair.send(0, slot, 0);
        // The second origin is a step behind.
        if (step > 0 && (slot === 1 || step < 13)) {
          await pair.send(1, slot, 0);
        }
      }
      if (step === 12) {
        break;
      }
    }
    for (let step = 13; step < 40; step += 1) {
      await pair.send(0, 1, 0);
      await pair.send(1, 1, 0);
      pair.nowMs += 1;
      pair.sweep();
      pair.deliver();
    }
    const [a, b] = pair.origins.map((live) => live.track('v180')?.frontier);
    expect(a).toBeGreaterThan((N + 1.9) * 180_000);
    expect(b).toBeGreaterThan((N + 1.8) * 180_000);
    expect(Buffer.compare(pair.bytes(0, 'v180', N), pair.bytes(1, 'v180', N))).toBe(0);
  });

  it.each([4, 8, 11, 14, 16, 24, 33])(
    'goes on where the other stands still: here slot 0, there slot 1 (from step %i on)',
    async (stopsAt) => {
      const pair = new Pair();
      for (let step = 0; step < 5 * STEPS; step += 1) {
        for (const track of [0, 1]) {
          await pair.sendUntil(0, 0, track, Math.min(step, 14));
          await pair.sendUntil(0, 1, track, step);
          await pair.sendUntil(1, 0, track, step);
          await pair.sendUntil(1, 1, track, Math.min(step, stopsAt));
        }
        pair.nowMs = (N + step / STEPS) * 2000;
        pair.sweep();
        pair.deliver();
      }
      for (const live of pair.origins) {
        expect(live.track('v180')?.frontier).toBeGreaterThan((N + 4.8) * 180_000);
        expect(live.track('a128')?.frontier).toBeGreaterThan((N + 4.8) * 96_000);
        expect(live.gapSegments).toBe(0);
      }
    },
  );

  it('is not given up where nobody could go on', async () => {
    const pair = new Pair();
    const [live] = pair.origins;
    await pair.send(0, 0, 0);
    live!.publish('v180', pair.publishers[0]![0]![0]!, video(N + 0.05, N + 0.5));
    const loss = { slot: 0, epoch: { timestamp: 1, attempt: 1 }, fromTicks: 0 };
    pair.leave(0, 1, 0);
    live!.lostElsewhere('v180', loss);
    live!.publish('v180', pair.publishers[0]![0]![0]!, video(N + 0.5, N + 1));
    expect(live!.track('v180')?.frontierMsn).toBe(N + 1);
  });

  it.each([20, 30, 38, 50])(
    'leaves nothing missing at an origin that was stopped for %i steps',
    async (stopped) => {
      const pair = new Pair();
      const [stops, goesOn] = [65, 65 + stopped];
      for (let step = 0; step < goesOn + 4 * STEPS; step += 1) {
        pair.nowMs = (N + step / STEPS) * 2000;
        // Its sockets are read one after the other when it is back.
        for (const slot of step === goesOn ? [1, 0] : [0, 1]) {
          for (const track of [0, 1]) {
            await pair.sendUntil(1, slot, track, step);
            if (step < stops || step >= goesOn) {
              await pair.sendUntil(0, slot, track, step);
            }
          }
        }
        for (const live of pair.origins.slice(step < stops || step >= goesOn ? 0 : 1)) {
          live.giveUpOnLateTracks(unixMs(pair.nowMs));
        }
        pair.deliver();
      }
      for (const track of TRACKS) {
        const parts = pair.origins[0]!.track(track)!.ring.segments.flatMap((one) => one.parts);
        expect(parts.filter(({ isGap }) => isGap)).toEqual([]);
      }
    },
  );
});

it('an older publisher of a slot that stands by is fenced by its successor', async () => {
  const pair = new Pair();
  await pair.send(0, 0, 0);
  const live = pair.origins[0]!;
  const young = pair.join(live, 1, 2)[0]!;
  expect(live.publish('v180', pair.publishers[0]![1]![0]!, made('v180', 1, 0))).toBe('dropped');
  live.publish('v180', young, made('v180', 1, 0));
  expect(live.publish('v180', pair.publishers[0]![1]![0]!, made('v180', 1, 1))).toBe('fenced');
});
