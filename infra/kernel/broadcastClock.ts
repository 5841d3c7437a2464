/**
 * The one broadcast clock: monotonic, slewed towards the machine's wall clock by at most 1 ms/s,
 * so that a step of the system clock reaches no viewer (architecture §2). Used by ingest, origin
 * and /time.
 */
import { type UnixMs, unixMs } from './time.ts';

/** Gives the time of the broadcast. */
export interface Clock {
  /** Wall time on the broadcast clock; never goes back. */
  nowMs(): UnixMs;
}

/** Readings that the clock is made from. */
export type ClockSources = {
  /** Wall clock in ms since 1970, free to step. */
  readonly wallMs: () => number;
  /** Monotonic clock in ms, any origin. */
  readonly monotonicMs: () => number;
};

const MAX_SLEW_MS_PER_S = 1;

/** Pure: all readings come from `sources`. */
export class BroadcastClock implements Clock {
  readonly #sources: ClockSources;
  #lastMonotonicMs: number;
  #nowMs: number;

  constructor(sources: ClockSources) {
    this.#sources = sources;
    this.#lastMonotonicMs = sources.monotonicMs();
    this.#nowMs = sources.wallMs();
  }

  nowMs(): UnixMs {
    const monotonicMs = this.#sources.monotonicMs();
    const elapsedMs = Math.max(0, monotonicMs - this.#lastMonotonicMs);
    this.#lastMonotonicMs = Math.max(this.#lastMonotonicMs, monotonicMs);
    const errorMs = this.#sources.wallMs() - (this.#nowMs + elapsedMs);
    const limitMs = (elapsedMs / 1000) * MAX_SLEW_MS_PER_S;
    this.#nowMs += elapsedMs + Math.max(-limitMs, Math.min(limitMs, errorMs));
    return unixMs(this.#nowMs);
  }

  /** Wall clock minus broadcast clock in ms; beyond 250 is worth a warning and a metric. */
  offsetMs(): number {
    const nowMs = this.nowMs();
    return this.#sources.wallMs() - nowMs;
  }
}

/** The broadcast clock on this process's own clocks. */
export function systemBroadcastClock(): BroadcastClock {
  return new BroadcastClock({
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
  });
}
