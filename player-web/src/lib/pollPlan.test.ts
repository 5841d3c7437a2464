import { describe, expect, it } from 'vitest';
import { adaptPlan, FIRST_POLL, planNext } from './pollPlan.ts';

describe('a poll', () => {
  it('asks at once, then about once per interval', () => {
    expect(FIRST_POLL.dueAtMs).toBeLessThan(0);
    expect(planNext(FIRST_POLL, 1000, 2000, true, 0).dueAtMs).toBe(2800);
    expect(planNext(FIRST_POLL, 1000, 2000, true, 0.5).dueAtMs).toBe(3000);
  });

  it('asks a server that is away more and more rarely, and a server that is back as before', () => {
    let plan = FIRST_POLL;
    const waits = [1, 2, 3, 4, 5].map(() => {
      plan = planNext(plan, 0, 2000, false, 0.5);
      return plan.dueAtMs;
    });
    expect(waits).toEqual([4000, 8000, 16_000, 16_000, 16_000]);
    expect(planNext(plan, 0, 2000, true, 0.5)).toMatchObject({ dueAtMs: 2000, failures: 0 });
  });

  it('spreads an audience whose picture stops at one instant over the whole shorter interval', () => {
    const playing = planNext(FIRST_POLL, 0, 10_000, true, 0.5);
    const due = [0, 0.25, 0.5, 0.99].map(
      (random) => adaptPlan(playing, 5000, 2000, random).dueAtMs,
    );
    expect(due).toEqual([5000, 5500, 6000, 6980]);
  });

  it('never asks later for a shorter interval, nor anew for a longer one', () => {
    const playing = planNext(FIRST_POLL, 0, 10_000, true, 0.5);
    expect(adaptPlan(playing, 9900, 2000, 0.9).dueAtMs).toBe(10_000);
    const waiting = planNext(FIRST_POLL, 0, 2000, true, 0.5);
    expect(adaptPlan(waiting, 100, 10_000, 0.5).dueAtMs).toBe(2000);
  });

  it('keeps its back-off where the picture stops while the server is away', () => {
    const away = planNext(FIRST_POLL, 0, 10_000, false, 0.5);
    expect(adaptPlan(away, 1000, 2000, 0).dueAtMs).toBe(16_000);
  });
});
