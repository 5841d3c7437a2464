/** What a reader that joins is given first: the clusters since the last join point. Pure. */
import { feedTimeMs, type FeedChunk } from './matroska.ts';

/** Bounds of the cache; past either it is dropped, for a reader would start too far back. */
export type JoinCacheLimits = { readonly maxMs: number; readonly maxBytes: number };

const DEFAULT_LIMITS: JoinCacheLimits = { maxMs: 4000, maxBytes: 16 * 1024 * 1024 };

/** Keeps the chunks since the last join point, or nothing. */
export class JoinCache {
  readonly #limits: JoinCacheLimits;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #startTime: number | undefined;

  constructor(limits: JoinCacheLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  push(chunk: FeedChunk): void {
    if (chunk.isJoinPoint) {
      this.clear();
      this.#startTime = chunk.time;
    }
    if (this.#startTime === undefined) {
      return;
    }
    this.#chunks.push(chunk.bytes);
    this.#bytes += chunk.bytes.byteLength;
    if (
      feedTimeMs(chunk.time - this.#startTime) > this.#limits.maxMs ||
      this.#bytes > this.#limits.maxBytes
    ) {
      this.clear();
    }
  }

  /** Chunks to start with, beginning with a keyframe's cluster; undefined when there are none. */
  chunks(): readonly Uint8Array[] | undefined {
    return this.#startTime === undefined ? undefined : this.#chunks;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#startTime = undefined;
  }
}
