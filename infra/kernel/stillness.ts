/** Notices that this process stood still: it was stopped, or its event loop was held up. */

const TICK_MS = 250;
const KEPT_MS = 60_000;

/** Gaps between ticks, each with when it ended. Pure: the time comes in. */
export class Gaps {
  #gaps: { readonly endMs: number; readonly ms: number }[] = [];
  #lastMs: number | undefined;

  tick(nowMs: number): void {
    const ms = nowMs - (this.#lastMs ?? nowMs);
    this.#lastMs = nowMs;
    if (ms >= 2 * TICK_MS) {
      this.#gaps.push({ endMs: nowMs, ms });
    }
    this.#gaps = this.#gaps.filter(({ endMs }) => nowMs - endMs < KEPT_MS);
  }

  /** The longest gap that ended within `withinMs` before `nowMs`, one that goes on included. */
  longestMs(nowMs: number, withinMs: number): number {
    this.tick(nowMs);
    return Math.max(
      0,
      ...this.#gaps.filter(({ endMs }) => nowMs - endMs <= withinMs).map(({ ms }) => ms),
    );
  }
}

/** `Gaps` on a timer. */
export class StillnessWatch {
  readonly #gaps = new Gaps();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      this.#gaps.tick(performance.now());
    }, TICK_MS);
    this.#timer.unref();
  }

  longestMs(withinMs: number): number {
    return this.#gaps.longestMs(performance.now(), withinMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
