/**
 * The jobs of one encoder of this process: how many run, and how many it takes after a fault. Pure:
 * time comes in. An encoder that failed at run time rests with what still runs, so that the next job
 * goes elsewhere, and is tried again after a while that doubles with each fault.
 */
const REST_MS = 15_000;
const MAX_REST_MS = 300_000;

type Rest = { readonly untilMs: number; readonly limit: number; readonly reason: string };

/** See the file header. */
export class EncoderSeat {
  readonly #capacity: number;
  readonly #running = new Set<string>();
  #faults = 0;
  #rest: Rest | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Jobs that it takes at once now. */
  limit(nowMs: number): number {
    return this.#restAt(nowMs)?.limit ?? this.#capacity;
  }

  /** Why it takes fewer than it could. */
  limitReason(nowMs: number): string | undefined {
    return this.#restAt(nowMs)?.reason;
  }

  begin(job: string): void {
    this.#running.add(job);
  }

  /** It has encoded: what went wrong before is over. */
  works(nowMs: number): void {
    if (this.#restAt(nowMs) === undefined) {
      this.#faults = 0;
    }
  }

  /** A job has ended; `fault` is why the encoder itself failed, where it did. */
  end(job: string, nowMs: number, fault?: string): void {
    this.#running.delete(job);
    if (fault === undefined) {
      return;
    }
    const restMs = Math.min(MAX_REST_MS, REST_MS * 2 ** Math.min(this.#faults, 8));
    this.#faults += 1;
    this.#rest = { untilMs: nowMs + restMs, limit: this.#running.size, reason: fault };
  }

  #restAt(nowMs: number): Rest | undefined {
    return this.#rest !== undefined && nowMs < this.#rest.untilMs ? this.#rest : undefined;
  }
}
