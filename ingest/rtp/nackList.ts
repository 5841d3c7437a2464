/**
 * Which sequence numbers of a stream are missing and when to ask for them again (RFC 4585 §6.2.1):
 * once reordering does not explain the hole, then each time an answer is overdue, for as long as
 * an answer would still be of use.
 */
import type { RoundTrip } from './roundTrip.ts';

const MAX_MISSING = 512;
const MAX_ASKS = 10;
/** Bound of what reordering may delay the first question by (ms). */
const MAX_PATIENCE_MS = 20;

/** So many answers in a row to packets asked for twice are no loss: the round trip has grown. */
const REPEATS_OF_A_LONGER_PATH = 4;

type Missing = {
  readonly sinceMs: number;
  asks: number;
  firstAskedMs: number;
  askedMs: number;
};

/** One stream's list; sequence numbers are unwrapped, time is a parameter. */
export class NackList {
  readonly #roundTrip: RoundTrip;
  readonly #missing = new Map<number, Missing>();
  #highest: number | undefined;
  /** How late packets come that nobody had to send again (ms). */
  #patienceMs = 0;
  #repeats = 0;

  /** @param roundTrip learns from the answers, and says when one is overdue */
  constructor(roundTrip: RoundTrip) {
    this.#roundTrip = roundTrip;
  }

  /**
   * Notes an arrival.
   *
   * @param isRetransmission whether it came in a stream of retransmissions (RFC 4588); without
   * one, the stream itself brings the answers
   */
  arrived(sequence: number, nowMs: number, isRetransmission = false): void {
    this.#highest ??= sequence;
    if (sequence <= this.#highest) {
      this.#found(sequence, nowMs, isRetransmission);
      return;
    }
    // A hole larger than the list is a new start or an outage: a keyframe is asked for instead.
    if (sequence - this.#highest > MAX_MISSING) {
      this.#missing.clear();
    } else {
      for (let lost = this.#highest + 1; lost < sequence; lost += 1) {
        this.#missing.set(lost, { sinceMs: nowMs, asks: 0, firstAskedMs: nowMs, askedMs: nowMs });
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
      if (missing >= sequence) {
        return; // the map is in rising order
      }
      this.#missing.delete(missing);
    }
  }

  /**
   * Sequence numbers (unwrapped, rising) to ask for at `nowMs`; counts as having asked.
   *
   * @param deadlineMs how long after it was missed a packet is still of use (ms)
   */
  due(nowMs: number, deadlineMs: number): number[] {
    const due: number[] = [];
    for (const [sequence, missing] of this.#missing) {
      const waitMs = missing.asks === 0 ? this.#patienceMs : this.#roundTrip.timeoutMs;
      if (nowMs - missing.askedMs < waitMs) {
        continue;
      }
      // The first question is always asked: without it the round trip could never be learned anew.
      const isTooLate = nowMs + this.#roundTrip.smoothedMs > missing.sinceMs + deadlineMs;
      if (missing.asks > 0 && (isTooLate || missing.asks >= MAX_ASKS)) {
        continue; // an answer to an earlier question may still come, and is learned from
      }
      missing.firstAskedMs = missing.asks === 0 ? nowMs : missing.firstAskedMs;
      missing.asks += 1;
      missing.askedMs = nowMs;
      due.push(sequence);
    }
    return due;
  }

  #found(sequence: number, nowMs: number, isRetransmission: boolean): void {
    const missing = this.#missing.get(sequence);
    if (missing === undefined) {
      return;
    }
    this.#missing.delete(sequence);
    this.#noteRepeats(missing, nowMs);
    const sinceAskedMs = nowMs - missing.askedMs;
    const isQuick = missing.asks === 0 || sinceAskedMs < this.#roundTrip.smoothedMs / 2;
    if (!isRetransmission && isQuick) {
      // Too quick for an answer: it was on its way all along, or the round trip became shorter.
      const lateMs = Math.min(MAX_PATIENCE_MS, nowMs - missing.sinceMs);
      this.#patienceMs = Math.max(this.#patienceMs, lateMs);
      if (missing.asks === 1) {
        this.#roundTrip.sample(Math.max(sinceAskedMs, this.#roundTrip.smoothedMs * 0.75));
      }
    } else {
      this.#patienceMs *= 0.9;
      if (missing.asks === 1) {
        this.#roundTrip.sample(sinceAskedMs); // Karn: later ones do not tell which was answered
      }
    }
  }

  /** Karn's rule alone would never learn of a round trip beyond the timeout. */
  #noteRepeats({ asks, firstAskedMs }: Missing, nowMs: number): void {
    if (asks === 1) {
      this.#repeats = 0;
    } else if (asks > 1) {
      this.#repeats += 1;
      if (this.#repeats >= REPEATS_OF_A_LONGER_PATH) {
        this.#roundTrip.sample(nowMs - firstAskedMs);
      }
    }
  }
}
