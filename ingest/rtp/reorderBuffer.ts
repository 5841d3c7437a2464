/**
 * Puts the packets of one stream back in order. A gap is waited for until its deadline, then given
 * up as a loss; duplicates and packets from behind (retransmissions used as padding) are dropped.
 * Leaves asking for retransmission to NackList.
 */
import type { StreamPacket } from './rtpPacket.ts';

/** What leaves the buffer, in order: a packet, or the fact that `count` packets never came. */
export type Ordered =
  | { readonly kind: 'packet'; readonly packet: StreamPacket }
  | { readonly kind: 'loss'; readonly count: number };

/** One stream's buffer; time is a parameter. */
export class ReorderBuffer {
  /** How long a gap is waited for (ms); may change at any time. */
  deadlineMs: number;
  readonly #maxPackets: number;
  readonly #waiting = new Map<number, StreamPacket>();
  #next: number | undefined;
  #highest = 0;
  /** When the gap at `#next` was first seen; undefined while there is none. */
  #gapSinceMs: number | undefined;
  #dropped = 0;

  constructor(options: { readonly deadlineMs: number; readonly maxPackets?: number }) {
    this.deadlineMs = options.deadlineMs;
    this.#maxPackets = options.maxPackets ?? 2048;
  }

  /** Duplicates and late packets that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Lowest sequence number that is still of use; undefined before the first packet. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Whether a packet would be of use: not behind, and not here yet. */
  isAwaited(sequence: number): boolean {
    return sequence >= (this.#next ?? sequence) && !this.#waiting.has(sequence);
  }

  /** Takes a packet; returns what is in order now. */
  push(packet: StreamPacket, nowMs: number): Ordered[] {
    this.#next ??= packet.sequence;
    if (packet.sequence < this.#next || this.#waiting.has(packet.sequence)) {
      this.#dropped += 1;
      return [];
    }
    this.#waiting.set(packet.sequence, packet);
    this.#highest = Math.max(this.#highest, packet.sequence);
    return this.poll(nowMs);
  }

  /** Gives up every gap now: what was lost in an outage would come too late to be shown. */
  flush(): Ordered[] {
    const out: Ordered[] = [];
    while (this.#waiting.size > 0) {
      this.#takeRun(out);
      if (this.#waiting.size > 0) {
        this.#skipGap(out);
      }
    }
    this.#gapSinceMs = undefined;
    return out;
  }

  /** What is in order at `nowMs`, giving up gaps whose deadline has passed. */
  poll(nowMs: number): Ordered[] {
    const out: Ordered[] = [];
    this.#takeRun(out);
    while (this.#waiting.size > 0) {
      this.#gapSinceMs ??= nowMs;
      const isFull =
        this.#waiting.size >= this.#maxPackets || this.#highest - this.#start > this.#maxPackets;
      if (!isFull && nowMs - this.#gapSinceMs < this.deadlineMs) {
        return out;
      }
      this.#skipGap(out);
      this.#takeRun(out);
      // The next gap, if there is one, was seen no later than its oldest waiting packet came.
      this.#gapSinceMs = this.#waiting.size > 0 ? this.#oldestArrivalMs() : undefined;
    }
    this.#gapSinceMs = undefined;
    return out;
  }

  get #start(): number {
    return this.#next ?? 0;
  }

  #takeRun(out: Ordered[]): void {
    for (;;) {
      const packet = this.#waiting.get(this.#start);
      if (packet === undefined) {
        return;
      }
      this.#waiting.delete(this.#start);
      this.#next = packet.sequence + 1;
      this.#gapSinceMs = undefined;
      out.push({ kind: 'packet', packet });
    }
  }

  #skipGap(out: Ordered[]): void {
    let lowest = Number.POSITIVE_INFINITY;
    for (const sequence of this.#waiting.keys()) {
      lowest = Math.min(lowest, sequence);
    }
    out.push({ kind: 'loss', count: lowest - this.#start });
    this.#next = lowest;
  }

  #oldestArrivalMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const packet of this.#waiting.values()) {
      oldest = Math.min(oldest, packet.arrivedMs);
    }
    return oldest;
  }
}
