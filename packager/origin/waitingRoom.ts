/**
 * Requests that wait for media: held without a timer or a promise each, woken once per change of
 * their track, swept when their time is over, gone when their client is. Bounded.
 */
import type { ServerResponse } from 'node:http';
import type { UnixMs } from '../../infra/kernel/time.ts';

/** A request that waits. */
export type Held = {
  readonly response: ServerResponse;
  /** Woken by `part` changes only, or by each chunk too. */
  readonly wakes: 'part' | 'chunk';
  /** When it is given up; may be put off while bytes flow. */
  deadlineMs: UnixMs;
  /** Answers if it can; true when it is done. */
  poll(): boolean;
  /** Answers that its time is over. */
  expire(): void;
};

/** All held requests of an origin, by track. */
export class WaitingRoom {
  readonly #capacity: number;
  readonly #byTrack = new Map<string, Set<Held>>();
  readonly #onSize: (size: number) => void;
  #size = 0;

  /** @param onSize told how many wait, whenever that changes */
  constructor(capacity: number, onSize: (size: number) => void) {
    this.#capacity = capacity;
    this.#onSize = onSize;
  }

  /** Whether one more would be turned away. */
  get isFull(): boolean {
    return this.#size >= this.#capacity;
  }

  /** Holds a request on `key` until it is done; false where the room is full. */
  add(key: string, held: Held): boolean {
    if (this.isFull) {
      return false;
    }
    const set = this.#byTrack.get(key) ?? new Set();
    this.#byTrack.set(key, set);
    set.add(held);
    this.#size += 1;
    this.#onSize(this.#size);
    held.response.once('close', () => {
      this.#remove(key, held);
    });
    return true;
  }

  /** Polls those that wait on `key` for this kind of change. */
  wake(key: string, change: 'chunk' | 'part'): void {
    for (const held of this.#byTrack.get(key) ?? []) {
      if ((change === 'part' || held.wakes === 'chunk') && held.poll()) {
        this.#remove(key, held);
      }
    }
  }

  /** Gives up on those whose time is over. */
  sweep(nowMs: UnixMs): void {
    for (const [key, set] of this.#byTrack) {
      for (const held of set) {
        if (nowMs >= held.deadlineMs) {
          this.#remove(key, held);
          held.expire();
        }
      }
    }
  }

  /** Gives up on all. */
  clear(): void {
    this.sweep(Infinity as UnixMs);
  }

  #remove(key: string, held: Held): void {
    const set = this.#byTrack.get(key);
    if (set?.delete(held) === true) {
      this.#size -= 1;
      this.#onSize(this.#size);
      if (set.size === 0) {
        this.#byTrack.delete(key);
      }
    }
  }
}
