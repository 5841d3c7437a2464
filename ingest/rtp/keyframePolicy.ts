/**
 * When to ask for a keyframe: at once when one is needed, again while none comes, never more
 * often than the sender's encoder can bear (a request in Pixel Streaming 1 hits every peer), and
 * never only because time passed, unless that was configured.
 */

/** Why a keyframe was asked for, in the order in which one counts before another. */
export const KEYFRAME_REASONS = ['start', 'format', 'loss', 'reader', 'periodic'] as const;

/**
 * `start` of a stream, `format`: another codec or size; `loss` that nothing repaired; a `reader`
 * (decoder, worker, a thread that fell behind) that starts over; `periodic` by configuration.
 */
export type KeyframeReason = (typeof KEYFRAME_REASONS)[number];

/** State of the requests of one video stream; time is a parameter. */
export class KeyframePolicy {
  readonly #throttleMs: number;
  readonly #periodMs: number;
  readonly #wanted = new Set<KeyframeReason>();
  #waitMs: number;
  #asks = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #satisfiedMs: number | undefined;

  /** @param options.periodMs time without a keyframe after which one is asked for; 0 for never */
  constructor(options: { readonly throttleMs: number; readonly periodMs?: number }) {
    this.#throttleMs = options.throttleMs;
    this.#periodMs = options.periodMs ?? 0;
    this.#waitMs = options.throttleMs;
  }

  /** Whether a keyframe is still awaited. */
  get isWaiting(): boolean {
    return this.#wanted.size > 0;
  }

  /** A keyframe is needed. */
  want(reason: KeyframeReason): void {
    this.#wanted.add(reason);
  }

  /** A whole keyframe came. */
  satisfied(nowMs: number): void {
    this.#wanted.clear();
    this.#asks = 0;
    this.#waitMs = this.#throttleMs;
    this.#satisfiedMs = nowMs;
  }

  /** Why to send a request now; counts as having sent it. Waits double up to 8 throttles. */
  due(nowMs: number): KeyframeReason | undefined {
    if (
      this.#periodMs > 0 &&
      this.#satisfiedMs !== undefined &&
      nowMs - this.#satisfiedMs >= this.#periodMs
    ) {
      this.#wanted.add('periodic');
    }
    if (this.#wanted.size === 0 || nowMs - this.#lastMs < this.#waitMs) {
      return undefined;
    }
    if (this.#asks > 0) {
      this.#waitMs = Math.min(this.#waitMs * 2, this.#throttleMs * 8);
    }
    this.#asks += 1;
    this.#lastMs = nowMs;
    return KEYFRAME_REASONS.find((reason) => this.#wanted.has(reason));
  }
}
