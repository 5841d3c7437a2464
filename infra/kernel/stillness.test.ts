import { expect, it } from 'vitest';
import { Gaps } from './stillness.ts';

it('tells how long the process stood still of late, also before the next tick', () => {
  const gaps = new Gaps();
  for (let nowMs = 0; nowMs <= 2000; nowMs += 250) {
    gaps.tick(nowMs);
  }
  expect(gaps.longestMs(2200, 10_000)).toBe(0);
  // Stopped for 6 s; the lock is found lost before the timer has ticked.
  expect(gaps.longestMs(8000, 10_000)).toBe(5800);
  gaps.tick(8250);
  expect(gaps.longestMs(8400, 10_000)).toBe(5800);
  expect(gaps.longestMs(18_400, 10_000)).toBe(10_000);
});
