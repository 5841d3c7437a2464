/** Ends a long-lived job when nobody wants it any more: BullMQ cancels only on its own worker. */
import { pause } from '../kernel/lifecycle.ts';

const CHECK_INTERVAL_MS = 1000;
/** An unwanted job goes on this long: a streamer that restarts finds its worker still there. */
const GRACE_MS = 30_000;

/**
 * A signal that aborts with `signal`, or once `isWanted` has said no for 30 s on end. A check
 * that fails counts as wanted: Redis being away ends nothing.
 */
export function watchJob(
  signal: AbortSignal,
  isWanted: () => Promise<boolean>,
): { readonly signal: AbortSignal; close(): void } {
  const unwanted = new AbortController();
  const done = new AbortController();
  const either = AbortSignal.any([signal, unwanted.signal, done.signal]);
  void (async () => {
    let lastWantedMs = performance.now();
    while (!either.aborted) {
      if (await isWanted().catch(() => true)) {
        lastWantedMs = performance.now();
      } else if (performance.now() - lastWantedMs > GRACE_MS) {
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
