/**
 * When an origin that is away is tried again: its tracks wait together, so that they are back
 * together, well within the part that an origin waits for a late one.
 */
import { backoffMs, pause } from '../../infra/kernel/lifecycle.ts';

/**
 * One that comes back is found within this long: until then it answers viewers with what it had. One
 * that does not is asked for some seconds only, until its lease is over.
 */
const CAP_MS = 300;

/** See the file header. One per origin. */
export class SharedRetry {
  readonly #random: () => number;
  #attempt = 0;
  #wait: Promise<void> | undefined;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The origin has answered. */
  answered(): void {
    this.#attempt = 0;
  }

  /** Ends when all tracks try again, or with `signal`, which is that of the origin. */
  wait(signal: AbortSignal): Promise<void> {
    this.#wait ??= this.#nextTry(signal);
    return this.#wait;
  }

  async #nextTry(signal: AbortSignal): Promise<void> {
    const ms = backoffMs(this.#attempt, { capMs: CAP_MS, random: this.#random });
    this.#attempt += 1;
    await pause(ms, signal);
    this.#wait = undefined;
  }
}
