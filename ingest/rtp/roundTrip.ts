/** The round trip to the sender, as its answers show it: smoothed like TCP's (RFC 6298 §2). */

/** Before any answer; about what a retransmission between two cities takes. */
const FIRST_GUESS_MS = 50;
const MAX_SAMPLE_MS = 2000;
/** Least margin over the smoothed value: the sender's pacer sends in bursts of 5 ms. */
const MIN_MARGIN_MS = 10;

/** One estimate for the whole peer. */
export class RoundTrip {
  #smoothedMs = FIRST_GUESS_MS;
  #deviationMs = FIRST_GUESS_MS / 4;
  #hasSample = false;

  /** Smoothed time (ms). */
  get smoothedMs(): number {
    return this.#smoothedMs;
  }

  /** After which an unanswered question was most probably lost (ms). */
  get timeoutMs(): number {
    return this.#smoothedMs + Math.max(MIN_MARGIN_MS, 2 * this.#deviationMs);
  }

  /** Takes one measurement; nonsense is left out. */
  sample(ms: number): void {
    if (!(ms >= 0 && ms <= MAX_SAMPLE_MS)) {
      return;
    }
    if (!this.#hasSample) {
      this.#hasSample = true;
      this.#smoothedMs = ms;
      this.#deviationMs = ms / 4;
      return;
    }
    this.#deviationMs += (Math.abs(ms - this.#smoothedMs) - this.#deviationMs) / 4;
    this.#smoothedMs += (ms - this.#smoothedMs) / 8;
  }
}
