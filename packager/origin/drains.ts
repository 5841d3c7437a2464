/**
 * Answers that were given whole but that the client has not taken yet: watched without a timer
 * each, and let go of when nothing of them was taken for a while.
 */
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { abort, type MediaResponse } from './mediaHttp.ts';

type Watched = { leftBytes: number; deadlineMs: UnixMs };

const STALLED_MS = 30_000;

/** See the file header. */
export class Drains {
  readonly #watched = new Map<MediaResponse, Watched>();
  #nowMs = unixMs(0);
  readonly #forget: (this: MediaResponse) => void;

  constructor() {
    const watched = this.#watched;
    this.#forget = function forget(this: MediaResponse) {
      watched.delete(this);
    };
  }

  /** How many are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Watches an ended answer until its last byte is taken. */
  watch(response: MediaResponse): void {
    this.#watched.set(response, {
      leftBytes: response.writableLength,
      deadlineMs: unixMs(this.#nowMs + STALLED_MS),
    });
    response.once('finish', this.#forget);
    response.once('close', this.#forget);
  }

  /** Breaks off those that took nothing for half a minute. */
  sweep(nowMs: UnixMs): void {
    this.#nowMs = nowMs;
    for (const [response, watched] of this.#watched) {
      if (nowMs < watched.deadlineMs) {
        continue;
      }
      const leftBytes = response.writableLength;
      if (leftBytes < watched.leftBytes) {
        watched.leftBytes = leftBytes;
        watched.deadlineMs = unixMs(nowMs + STALLED_MS);
      } else {
        this.#watched.delete(response);
        abort(response);
      }
    }
  }
}
