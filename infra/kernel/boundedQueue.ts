/** A queue with a cap and a named drop policy: the only kind of queue in this house. */

/** What happens to a push at the cap: the oldest item goes, or the new one is refused. */
export type DropPolicy = 'drop-oldest' | 'drop-newest';

/** Bounded by item count and by bytes; counts what it dropped. Consumed by `for await`. */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #items: { readonly value: T; readonly bytes: number }[] = [];
  readonly #maxItems: number;
  readonly #maxBytes: number;
  readonly #policy: DropPolicy;
  #bytes = 0;
  #dropped = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly maxItems: number;
    readonly maxBytes?: number;
    readonly policy: DropPolicy;
  }) {
    this.#maxItems = options.maxItems;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#policy = options.policy;
  }

  /** Items dropped so far by the policy. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Items that wait. */
  get size(): number {
    return this.#items.length;
  }

  /** Bytes that wait, as given to `push`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds `value`; returns false when something was dropped for it or it was itself refused. */
  push(value: T, bytes = 0): boolean {
    if (this.#ended) {
      return false;
    }
    let dropped = false;
    while (this.#isFullFor(bytes)) {
      dropped = true;
      this.#dropped += 1;
      if (this.#policy === 'drop-newest') {
        return false;
      }
      const oldest = this.#items.shift();
      if (oldest === undefined) {
        return false;
      }
      this.#bytes -= oldest.bytes;
    }
    this.#items.push({ value, bytes });
    this.#bytes += bytes;
    this.#wake?.();
    return !dropped;
  }

  /** Takes the oldest item, or undefined when nothing waits. */
  shift(): T | undefined {
    const item = this.#items.shift();
    if (item === undefined) {
      return undefined;
    }
    this.#bytes -= item.bytes;
    return item.value;
  }

  /** No more pushes; iteration ends after what still waits. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#bytes -= item.bytes;
        yield item.value;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }

  #isFullFor(bytes: number): boolean {
    return (
      this.#items.length >= this.#maxItems ||
      (this.#items.length > 0 && this.#bytes + bytes > this.#maxBytes)
    );
  }
}
