/** What a bad network does to a packet: one direction of one path, seeded, without sockets or time. */

/** One direction. */
export type Conditions = {
  /** Packets that never arrive (%). */
  readonly lossPercent?: number;
  /** One way (ms). */
  readonly delayMs?: number;
  /** Packets that are held `reorderMs` longer, so that others overtake them (%). */
  readonly reorderPercent?: number;
  readonly reorderMs?: number;
  /** Packets that arrive twice (%). */
  readonly duplicatePercent?: number;
  readonly seed?: number;
};

/** Decides packet by packet; time is a parameter (ms, any origin). */
export class Impairment {
  readonly #conditions: Conditions;
  #state: number;
  #blackout = { fromMs: 0, toMs: 0 };
  #dropped = 0;

  constructor(conditions: Conditions) {
    this.#conditions = conditions;
    this.#state = conditions.seed ?? 1;
  }

  /** Packets that did not arrive. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Nothing sent in that time arrives. */
  blackout(fromMs: number, toMs: number): void {
    this.#blackout = { fromMs, toMs };
  }

  /** When the packet sent at `nowMs` arrives: never, once or twice. */
  arrivals(nowMs: number): number[] {
    const { lossPercent = 0, delayMs = 0, reorderMs = 0 } = this.#conditions;
    const { reorderPercent = 0, duplicatePercent = 0 } = this.#conditions;
    const isDark = nowMs >= this.#blackout.fromMs && nowMs < this.#blackout.toMs;
    if (this.#happens(lossPercent) || isDark) {
      this.#dropped += 1;
      return [];
    }
    const atMs = nowMs + delayMs + (this.#happens(reorderPercent) ? reorderMs : 0);
    return this.#happens(duplicatePercent) ? [atMs, atMs + 1] : [atMs];
  }

  #happens(percent: number): boolean {
    return this.#random() * 100 < percent;
  }

  /** mulberry32: the same losses in each run. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
