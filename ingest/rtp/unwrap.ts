/** Unwraps RTP's 16-bit sequence numbers and 32-bit timestamps (RFC 3550 §5.1) into integers. */

/** Follows one wrapping counter; values may arrive out of order by up to half its range. */
export class Unwrapper {
  readonly #range: number;
  #newest: number | undefined;

  /** @param bits width of the counter: 16 for sequence numbers, 32 for timestamps */
  constructor(bits: 16 | 32) {
    this.#range = 2 ** bits;
  }

  /** The integer nearest to the newest so far that is `value` modulo the range; never negative. */
  unwrap(value: number): number {
    const unwrapped = this.peek(value);
    if (this.#newest === undefined || unwrapped > this.#newest) {
      this.#newest = unwrapped;
    }
    return unwrapped;
  }

  /** As `unwrap`, without moving: for values that only refer to the counter (reports, resends). */
  peek(value: number): number {
    if (this.#newest === undefined) {
      // One range up, so that values just before the first stay positive.
      return this.#range + value;
    }
    const ahead = modulo(value - this.#newest, this.#range);
    return ahead < this.#range / 2 ? this.#newest + ahead : this.#newest + ahead - this.#range;
  }

  /** Whether a value was unwrapped yet, that is, whether `peek` has something to be near to. */
  get hasStarted(): boolean {
    return this.#newest !== undefined;
  }
}

function modulo(value: number, range: number): number {
  return ((value % range) + range) % range;
}
