/**
 * Estimates the server's clock from answers of `/time`. Pure: it is handed instants and keeps
 * samples; serverClock.ts asks the network and reads the page's monotonic clock.
 */

/** One question to `/time`. `sentMs` and `receivedMs` are on the page's monotonic clock. */
export type TimeSample = {
  readonly sentMs: number;
  readonly receivedMs: number;
  /** What the server said (Unix ms). */
  readonly serverMs: number;
};

/** Where the server's clock stands against the page's monotonic one. */
export type ClockEstimate = {
  /** Add to a monotonic instant to get Unix ms. */
  readonly offsetMs: number;
  /** The answer lay somewhere inside the round trip: at most this far off (ms). */
  readonly uncertaintyMs: number;
};

/** Samples kept: a bound, and old ones must go so that drift of the two clocks is followed. */
const MAX_SAMPLES = 16;
/** A sample older than this is forgotten (ms). */
const MAX_AGE_MS = 180_000;

/** Adds a sample and forgets what is old. A sample that makes no sense is dropped. */
export function addSample(
  samples: readonly TimeSample[],
  sample: TimeSample,
): readonly TimeSample[] {
  const isSane =
    Number.isFinite(sample.serverMs) &&
    sample.serverMs > 0 &&
    Number.isFinite(sample.sentMs) &&
    sample.receivedMs >= sample.sentMs;
  if (!isSane) {
    return samples;
  }
  return [
    ...samples.filter((old) => sample.receivedMs - old.receivedMs <= MAX_AGE_MS),
    sample,
  ].slice(-MAX_SAMPLES);
}

/**
 * The estimate of the sample with the shortest round trip: queueing only ever lengthens a round
 * trip, so the shortest is the least skewed (the clock filter of RFC 5905 §10). Undefined while
 * there is no sample.
 */
export function estimateClock(samples: readonly TimeSample[]): ClockEstimate | undefined {
  let best: TimeSample | undefined;
  for (const sample of samples) {
    if (best === undefined || roundTripMs(sample) <= roundTripMs(best)) {
      best = sample;
    }
  }
  if (best === undefined) {
    return undefined;
  }
  return {
    offsetMs: best.serverMs - (best.sentMs + best.receivedMs) / 2,
    uncertaintyMs: roundTripMs(best) / 2,
  };
}

function roundTripMs(sample: TimeSample): number {
  return sample.receivedMs - sample.sentMs;
}
