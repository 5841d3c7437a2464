import { describe, expect, it } from 'vitest';
import { BroadcastClock } from './broadcastClock.ts';

function fakeSources(): { wall: number; monotonic: number } & ConstructorParameters<
  typeof BroadcastClock
>[0] {
  const state = {
    wall: 1_795_196_404_000,
    monotonic: 0,
    wallMs: () => state.wall,
    monotonicMs: () => state.monotonic,
  };
  return state;
}

describe('BroadcastClock', () => {
  it('follows elapsed time, and slews a step of the wall clock at 1 ms/s', () => {
    const sources = fakeSources();
    const clock = new BroadcastClock(sources);
    sources.wall += 5000; // a step of the system clock
    sources.monotonic += 1000;
    sources.wall += 1000;
    expect(clock.nowMs()).toBeCloseTo(1_795_196_405_001, 6);
    expect(clock.offsetMs()).toBeCloseTo(4999, 6);
  });

  it('never goes back when the wall clock does', () => {
    const sources = fakeSources();
    const clock = new BroadcastClock(sources);
    let last = clock.nowMs();
    sources.wall -= 5000;
    for (let second = 0; second < 7200; second += 1) {
      sources.monotonic += 1000;
      sources.wall += 1000;
      const now = clock.nowMs();
      expect(now - last).toBeGreaterThanOrEqual(999 - 1e-3);
      last = now;
    }
    expect(Math.abs(clock.offsetMs())).toBeLessThan(1e-6 + 0.01);
  });
});
