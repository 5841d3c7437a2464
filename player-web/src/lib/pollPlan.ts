/**
 * When a page asks again. Pure; dom.ts keeps the timer. A picture freezes, and a server goes and
 * returns, for a whole audience in the same instant: nothing here may make all of them ask in step.
 */

/** When to ask next, and under which interval that was planned. */
export type PollPlan = {
  readonly dueAtMs: number;
  /** As the page wanted it (ms). */
  readonly intervalMs: number;
  /** Questions in a row that got no answer. */
  readonly failures: number;
};

/** A server that is away is asked no more rarely than about this (ms). */
const MAX_INTERVAL_MS = 16_000;

/** Asks at once. */
export const FIRST_POLL: PollPlan = {
  dueAtMs: Number.NEGATIVE_INFINITY,
  intervalMs: 0,
  failures: 0,
};

/**
 * The plan after a question has ended: the interval ±10 %, twice as long for each failure in a row
 * and then ±50 %.
 *
 * @param random in [0, 1)
 */
export function planNext(
  plan: PollPlan,
  nowMs: number,
  intervalMs: number,
  hasAnswered: boolean,
  random: number,
): PollPlan {
  if (hasAnswered) {
    return { dueAtMs: nowMs + intervalMs * (0.9 + 0.2 * random), intervalMs, failures: 0 };
  }
  const failures = plan.failures + 1;
  const backOffMs = Math.min(MAX_INTERVAL_MS, intervalMs * 2 ** Math.min(failures, 10));
  return { dueAtMs: nowMs + backOffMs * (0.5 + random), intervalMs, failures };
}

/**
 * The plan where the page now wants another interval: a shorter one begins anywhere within itself,
 * since what shortened it (the picture stopped) did so for every viewer at once.
 *
 * @param random in [0, 1)
 */
export function adaptPlan(
  plan: PollPlan,
  nowMs: number,
  intervalMs: number,
  random: number,
): PollPlan {
  if (intervalMs >= plan.intervalMs) {
    return { ...plan, intervalMs };
  }
  const soonMs = plan.failures > 0 ? plan.dueAtMs : nowMs + intervalMs * random;
  return { ...plan, intervalMs, dueAtMs: Math.min(plan.dueAtMs, soonMs) };
}
