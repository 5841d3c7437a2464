/** Waits for a condition of another process, which cannot be awaited otherwise. */
import { pause, withDeadline } from '../../infra/kernel/lifecycle.ts';

const INTERVAL_MS = 100;

/**
 * Asks `probe` every 100 ms until it gives something; a probe that throws is asked again, one that
 * never settles is not waited for past the deadline.
 *
 * @throws Error with `what` and the last fault after `timeoutMs`
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadlineMs) {
    try {
      const value = await withDeadline(Promise.resolve(probe()), deadlineMs - performance.now());
      if (value !== undefined && value !== false) {
        return value;
      }
    } catch (error) {
      last = error;
    }
    await pause(INTERVAL_MS);
  }
  throw new Error(`${what}: not seen within ${timeoutMs} ms`, { cause: last });
}
