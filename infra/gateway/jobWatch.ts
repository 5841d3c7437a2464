/** Ends a long-lived job when nobody wants it any more: BullMQ cancels only on its own worker. */
import { runOf } from './desired.ts';
import { pause } from '../kernel/lifecycle.ts';
import type { Broadcast } from '../kernel/wire.ts';

const CHECK_INTERVAL_MS = 1000;
/** An idle job goes on this long: a streamer that restarts finds its worker still there. */
const GRACE_MS = 30_000;

/** Whether a job is wanted: `idle` for a while still is, `over` ends it at once. */
export type Want = 'wanted' | 'idle' | 'over';

/**
 * What a job made for `mine` is to `now`, the broadcast as it is desired now. A broadcast that is
 * nowhere to be found may be a Redis that lost its data; one that ended, or runs anew, is not.
 */
export function wantOf(mine: Broadcast, now: Broadcast | undefined, slot = 0): Want {
  if (now === undefined) {
    return 'idle';
  }
  const isDesired = now.endedMs === undefined && slot < now.redundancy;
  return isDesired && runOf(now) === runOf(mine) ? 'wanted' : 'over';
}

/**
 * Runs a job while it is wanted. A fault of a job that is over is its end: the origin may refuse
 * what comes late before this watch has looked.
 */
export async function runWhileWanted(
  signal: AbortSignal,
  want: () => Promise<Want>,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const watch = watchJob(signal, want);
  try {
    await run(watch.signal);
  } catch (error) {
    if ((await want().catch(() => 'wanted')) !== 'over') {
      throw error;
    }
  } finally {
    watch.close();
  }
}

/**
 * A signal that aborts with `signal`, at once when the job is over, or when it was idle for 30 s on
 * end. A check that fails counts as wanted: Redis being away ends nothing.
 */
export function watchJob(
  signal: AbortSignal,
  want: () => Promise<Want>,
): { readonly signal: AbortSignal; close(): void } {
  const unwanted = new AbortController();
  const done = new AbortController();
  const either = AbortSignal.any([signal, unwanted.signal, done.signal]);
  void (async () => {
    let lastWantedMs = performance.now();
    while (!either.aborted) {
      const answer = await want().catch(() => 'wanted' as const);
      if (answer === 'wanted') {
        lastWantedMs = performance.now();
      } else if (answer === 'over' || performance.now() - lastWantedMs > GRACE_MS) {
        unwanted.abort('nobody wants this job any more');
      }
      await pause(CHECK_INTERVAL_MS, either);
    }
  })();
  return {
    signal: AbortSignal.any([signal, unwanted.signal]),
    close() {
      done.abort();
    },
  };
}
