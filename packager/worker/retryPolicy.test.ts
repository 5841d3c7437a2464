import { expect, test } from 'vitest';
import { MAX_BARREN_RUNS, RetryPolicy } from './retryPolicy.ts';

test('runs that encode nothing end the job after five on end, with growing pauses before', () => {
  const policy = new RetryPolicy();
  const barren = { frames: 0, livedMs: 6000 };
  const steps = Array.from({ length: MAX_BARREN_RUNS }, () => policy.after(barren));
  expect(steps).toEqual([
    ...[1, 2, 3, 4].map((attempt) => ({ kind: 'again', attempt })),
    { kind: 'give-up' },
  ]);
});

test('a run that encodes keeps the job; a long one starts the back-off anew', () => {
  const policy = new RetryPolicy();
  for (let turn = 0; turn < 20; turn += 1) {
    policy.after({ frames: 0, livedMs: 500 });
    expect(policy.after({ frames: 30, livedMs: 1000 }).kind).toBe('again');
  }
  expect(policy.after({ frames: 400, livedMs: 6000 })).toEqual({ kind: 'again', attempt: 0 });
  expect(policy.after({ frames: 400, livedMs: 4000 })).toEqual({ kind: 'again', attempt: 1 });
});
