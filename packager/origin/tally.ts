/**
 * Counts answers by kind and status without making labels for each: they reach the metric in
 * batches, half a second late at most.
 */
import type { CounterMetric } from '../../infra/kernel/metrics.ts';

const FLUSH_AFTER_MS = 500;

/** See the file header. Kinds are those of routes, so the number of labels is bounded. */
export class Tally {
  readonly #metric: CounterMetric;
  readonly #counts = new Map<string, Map<number, number>>();
  #isDue = false;

  constructor(metric: CounterMetric) {
    this.#metric = metric;
  }

  /** One answer of `status` to a request for `kind`. */
  add(kind: string, status: number): void {
    let byStatus = this.#counts.get(kind);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.#counts.set(kind, byStatus);
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    if (!this.#isDue) {
      this.#isDue = true;
      setTimeout(() => {
        this.flush();
      }, FLUSH_AFTER_MS).unref();
    }
  }

  /** Hands what was counted to the metric. */
  flush(): void {
    this.#isDue = false;
    for (const [kind, byStatus] of this.#counts) {
      for (const [status, count] of byStatus) {
        this.#metric.add(count, { kind, status: String(status) });
      }
      byStatus.clear();
    }
  }
}
