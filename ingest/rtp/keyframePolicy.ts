/**
 * When to ask for a keyframe: at once when one is needed, again while none comes, never more
 * often than the sender's encoder can bear (a request in Pixel Streaming 1 hits every peer).
 */

/** State of the requests of one video stream; time is a parameter. */
export class KeyframePolicy {
  readonly #throttleMs: number;
  #wanted = false;
  #waitMs: number;
  #asks = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly throttleMs: number }) {
    this.#throttleMs = options.throttleMs;
    this.#waitMs = options.throttleMs;
  }

  /** Whether a keyframe is still awaited. */
  get isWaiting(): boolean {
    return this.#wanted;
  }

  /** A keyframe is needed: at the start, after loss, for a reader. */
  want(): void {
    this.#wanted = true;
  }

  /** A whole keyframe came. */
  satisfied(): void {
    this.#wanted = false;
    this.#asks = 0;
    this.#waitMs = this.#throttleMs;
  }

  /** Whether to send a request now; counts as having sent it. Waits double up to 8 throttles. */
  due(nowMs: number): boolean {
    if (!this.#wanted || nowMs - this.#lastMs < this.#waitMs) {
      return false;
    }
    if (this.#asks > 0) {
      this.#waitMs = Math.min(this.#waitMs * 2, this.#throttleMs * 8);
    }
    this.#asks += 1;
    this.#lastMs = nowMs;
    return true;
  }
}
