/**
 * Ticks on the UTC grid: tick n is due at `n / rate` seconds since 1970, so nothing drifts. What
 * happens at a tick is the caller's; ticks missed in a stall are not made up for, the caller sees
 * the gap in the numbers.
 */
import type { Clock } from '../kernel/broadcastClock.ts';
import type { Closeable } from '../kernel/lifecycle.ts';

/** The newest tick that is due at `nowMs`. */
export function dueTick(nowMs: number, rate: number): number {
  // A millionth of a tick forgives the rounding of `tick * 1000 / rate`.
  return Math.floor((nowMs * rate) / 1000 + 1e-6);
}

/** UTC of a tick in ms. */
export function tickMs(tick: number, rate: number): number {
  return (tick * 1000) / rate;
}

/**
 * Calls `onTick` with each tick as it falls due, never twice with one number.
 *
 * @param rate ticks per second
 */
export function startPacer(
  { clock }: { readonly clock: Clock },
  rate: number,
  onTick: (tick: number) => void,
): Closeable {
  let last = dueTick(clock.nowMs(), rate);
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    // Timers fire on whole milliseconds, at times one early: an early one is armed again.
    timer = setTimeout(fire, Math.max(0, Math.ceil(tickMs(last + 1, rate) - clock.nowMs())));
  };
  const fire = (): void => {
    const due = dueTick(clock.nowMs(), rate);
    if (due > last) {
      last = due;
      onTick(due);
    }
    arm();
  };
  arm();
  return {
    async close() {
      clearTimeout(timer);
      await Promise.resolve();
    },
  };
}
