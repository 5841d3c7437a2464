/**
 * Which sequence numbers of a stream are missing and when to ask for them again (RFC 4585 §6.2.1):
 * at once, then each round-trip time as measured from the answers, until the reorder deadline.
 */

const MAX_MISSING = 512;
const FIRST_ROUND_TRIP_MS = 20;
const MAX_ROUND_TRIP_MS = 150;
const MAX_ASKS = 10;

type Missing = { asks: number; askedMs: number };

/** One stream's list; sequence numbers are unwrapped, time is a parameter. */
export class NackList {
  readonly #missing = new Map<number, Missing>();
  #highest: number | undefined;
  #roundTripMs = FIRST_ROUND_TRIP_MS;

  /** Notes an arrival, of the stream itself or by retransmission. */
  arrived(sequence: number, nowMs: number): void {
    this.#highest ??= sequence;
    if (sequence <= this.#highest) {
      this.#found(sequence, nowMs);
      return;
    }
    // A hole larger than the list is a new start or an outage: a keyframe is asked for instead.
    if (sequence - this.#highest > MAX_MISSING) {
      this.#missing.clear();
    } else {
      for (let lost = this.#highest + 1; lost < sequence; lost += 1) {
        this.#missing.set(lost, { asks: 0, askedMs: Number.NEGATIVE_INFINITY });
      }
    }
    this.#highest = sequence;
    for (const oldest of this.#missing.keys()) {
      if (this.#missing.size <= MAX_MISSING) {
        break;
      }
      this.#missing.delete(oldest);
    }
  }

  /** Forgets what is below `sequence`: the reorder buffer has given it up. */
  giveUpBelow(sequence: number): void {
    for (const missing of this.#missing.keys()) {
      if (missing < sequence) {
        this.#missing.delete(missing);
      }
    }
  }

  /** Sequence numbers (unwrapped, rising) to ask for at `nowMs`; counts as having asked. */
  due(nowMs: number): number[] {
    const due: number[] = [];
    for (const [sequence, missing] of this.#missing) {
      if (missing.asks === 0 || nowMs - missing.askedMs >= this.#roundTripMs * 1.5) {
        missing.asks += 1;
        missing.askedMs = nowMs;
        due.push(sequence);
        if (missing.asks >= MAX_ASKS) {
          this.#missing.delete(sequence);
        }
      }
    }
    return due.sort((a, b) => a - b);
  }

  #found(sequence: number, nowMs: number): void {
    const missing = this.#missing.get(sequence);
    if (missing === undefined) {
      return;
    }
    this.#missing.delete(sequence);
    if (missing.asks === 1) {
      const sampleMs = Math.min(MAX_ROUND_TRIP_MS, Math.max(5, nowMs - missing.askedMs));
      this.#roundTripMs += (sampleMs - this.#roundTripMs) / 8;
    }
  }
}
