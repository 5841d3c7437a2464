/**
 * Origins to publish to. One that the directory does not name stays for a while: a Redis that comes
 * back has forgotten leases that are renewed within the second. Pure.
 */

/** Twice what a lease lasts. */
const MISSING_MS = 10_000;

/** Remembers when each origin was last named. */
export class OriginList {
  readonly #seenMs = new Map<string, number>();

  /** @returns the origins to publish to from `nowMs` on */
  update(named: readonly string[], nowMs: number): ReadonlySet<string> {
    for (const origin of named) {
      this.#seenMs.set(origin, nowMs);
    }
    for (const [origin, seenMs] of this.#seenMs) {
      if (nowMs - seenMs >= MISSING_MS) {
        this.#seenMs.delete(origin);
      }
    }
    return new Set(this.#seenMs.keys());
  }
}
