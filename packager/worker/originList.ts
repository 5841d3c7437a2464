/**
 * Origins to publish to. One that the directory does not name stays for a while: a Redis that comes
 * back has forgotten leases that are renewed within the second. Pure.
 */

/** Twice what a lease lasts. */
const MISSING_MS = 10_000;

/** Remembers since when each origin is not named. */
export class OriginList {
  readonly #missingSinceMs = new Map<string, number | undefined>();

  /**
   * Takes an answer of the directory. Time in which it gave none counts for nothing: after ten
   * seconds of a frozen Redis, every lease has run out and every origin is still there.
   *
   * @returns the origins to publish to from `nowMs` on
   */
  update(named: readonly string[], nowMs: number): ReadonlySet<string> {
    for (const [origin, sinceMs] of this.#missingSinceMs) {
      this.#missingSinceMs.set(origin, sinceMs ?? nowMs);
    }
    for (const origin of named) {
      this.#missingSinceMs.set(origin, undefined);
    }
    for (const [origin, sinceMs] of this.#missingSinceMs) {
      if (sinceMs !== undefined && nowMs - sinceMs >= MISSING_MS) {
        this.#missingSinceMs.delete(origin);
      }
    }
    return new Set(this.#missingSinceMs.keys());
  }
}
