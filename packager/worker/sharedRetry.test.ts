import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SharedRetry } from './sharedRetry.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Three tracks to an origin that is away for `awayMs`: when each was tried, by the fake clock. */
async function triesOf(awayMs: number, random: number): Promise<number[][]> {
  const retry = new SharedRetry(() => random);
  const { signal } = new AbortController();
  const startMs = Date.now();
  const tracks = [0, 1, 2].map(async () => {
    const tries: number[] = [];
    for (let nowMs = 0; nowMs < awayMs; nowMs = Date.now() - startMs) {
      tries.push(nowMs);
      await retry.wait(signal);
    }
    return tries;
  });
  await vi.advanceTimersByTimeAsync(awayMs + 1000);
  return Promise.all(tracks);
}

it('an origin that is away is asked some three times a second by each track, all at the same time', async () => {
  const [first, ...others] = await triesOf(2000, 1);
  expect(first).toEqual([0, 250, 550, 850, 1150, 1450, 1750]);
  expect(others).toEqual([first, first]);
  const [soonest] = await triesOf(2000, 0);
  expect(soonest?.slice(0, 5)).toEqual([0, 125, 275, 425, 575]);
});

it('who answered is asked again soon, and nobody waits for an origin that is given up', async () => {
  const retry = new SharedRetry(() => 1);
  const stop = new AbortController();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const wait = retry.wait(stop.signal);
    await vi.advanceTimersByTimeAsync(300);
    await wait;
  }
  retry.answered();
  const soon = retry.wait(stop.signal);
  await vi.advanceTimersByTimeAsync(250);
  await soon;
  const given = [retry.wait(stop.signal), retry.wait(stop.signal)];
  stop.abort();
  await Promise.all(given);
  expect(vi.getTimerCount()).toBe(0);
});
