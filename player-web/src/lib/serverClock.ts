/**
 * The page's idea of the server's wall clock: asks `/time` and keeps the estimate of clockSync.ts.
 * The page's own wall clock (`Date.now`) is never believed: a viewer's machine may be minutes off.
 */
import { addSample, estimateClock, type ClockEstimate, type TimeSample } from './clockSync.ts';

/** A clock that agrees with the server's. */
export type ServerClock = {
  /** Unix ms now, or undefined before the first answer. */
  nowMs(): number | undefined;
  /** Unix ms of an instant of `performance.now()`. */
  atMs(monotonicMs: number): number | undefined;
  estimate(): ClockEstimate | undefined;
  close(): void;
};

/** Questions asked quickly at the start, so that the first estimate is already a good one. */
const BURST = 6;
const BURST_INTERVAL_MS = 200;
const INTERVAL_MS = 10_000;
const TIMEOUT_MS = 5000;

/** Starts to ask `url` (ISO 8601 text, UTC) and goes on until closed. */
export function startServerClock(url: string): ServerClock {
  let samples: readonly TimeSample[] = [];
  let estimate: ClockEstimate | undefined;
  let timer: number | undefined;
  let asked = 0;
  let asking: AbortController | undefined;
  let isClosed = false;

  async function ask(): Promise<void> {
    // AbortSignal.any is Safari 17.4: iPhones that have only the native player are older.
    const mine = new AbortController();
    asking = mine;
    const timeout = window.setTimeout(() => {
      mine.abort();
    }, TIMEOUT_MS);
    try {
      const sentMs = performance.now();
      const response = await fetch(url, {
        cache: 'no-store',
        signal: mine.signal,
      });
      const receivedMs = performance.now();
      const text = (await response.text()).trim();
      if (response.ok) {
        samples = addSample(samples, { sentMs, receivedMs, serverMs: Date.parse(text) });
        estimate = estimateClock(samples);
      }
    } catch {
      // Unreachable for now; the estimate so far stands and the next turn asks again.
    } finally {
      window.clearTimeout(timeout);
    }
    asked += 1;
    if (!isClosed) {
      // Spread: pages that were opened at one instant do not ask in step for ever.
      const waitMs = asked < BURST ? BURST_INTERVAL_MS : INTERVAL_MS * (0.8 + 0.4 * Math.random());
      timer = window.setTimeout(() => void ask(), waitMs);
    }
  }

  void ask();

  const atMs = (monotonicMs: number): number | undefined =>
    estimate === undefined ? undefined : monotonicMs + estimate.offsetMs;
  return {
    nowMs: () => atMs(performance.now()),
    atMs,
    estimate: () => estimate,
    close: () => {
      isClosed = true;
      asking?.abort();
      window.clearTimeout(timer);
    },
  };
}
