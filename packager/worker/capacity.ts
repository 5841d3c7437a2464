/** How many jobs an encoder carries at once. Pure; the probe supplies what it finds. */

/** A capacity and where it comes from. */
export type Capacity = { readonly capacity: number; readonly capacityReason: string };

/** Sessions that are looked for at most: beyond them something else gives out first. */
const MAX_SESSIONS = 24;

/** Software: a job takes up to one core at real time, ingest and origin want some too. */
export function softwareCapacity(configured: number | undefined, cores: number): Capacity {
  return configured === undefined
    ? {
        capacity: Math.max(1, Math.floor(cores / 2)),
        capacityReason: `half of ${cores} core${cores === 1 ? '' : 's'}`,
      }
    : { capacity: configured, capacityReason: 'worker.concurrency' };
}

/** A GPU: every rung is a session of its own. */
export function gpuCapacity(
  configured: number | undefined,
  sessions: number,
  rungs: number,
): Capacity {
  return configured === undefined
    ? {
        capacity: Math.max(1, Math.floor(sessions / rungs)),
        capacityReason: `${sessions} session${sessions === 1 ? '' : 's'} for ladders of ${rungs}`,
      }
    : { capacity: configured, capacityReason: 'worker.concurrency' };
}

/**
 * The most sessions that open at once, from `least`, which have, to 24.
 *
 * @param opens whether so many do
 */
export async function mostSessions(
  opens: (count: number) => Promise<boolean>,
  least: number,
): Promise<number> {
  let low = least;
  let high = Math.max(least, MAX_SESSIONS) + 1;
  let count = high - 1;
  while (low + 1 < high) {
    if (await opens(count)) {
      low = count;
    } else {
      high = count;
    }
    count = Math.floor((low + high) / 2);
  }
  return low;
}
