/**
 * The contribution feed: one growing Matroska stream and any number of HTTP readers of it. A
 * reader starts at a keyframe's cluster, from the join cache or from the next keyframe, and is cut
 * off when it falls behind. Owns no timer: `check` is called by whoever has one.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { StampedUnit, VideoParameters } from '../../infra/kernel/media.ts';
import type { Metrics } from '../../infra/kernel/metrics.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { FEED_NEWEST_HEADER } from '../../infra/kernel/wire.ts';
import { JoinCache } from './joinCache.ts';
import { ClusterWriter, feedHeader, feedTimeMs } from './matroska.ts';

/** What the feed is given. */
export type FeedDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly requestKeyframe: (reason: string) => void;
};

/** Bounds on readers. */
export type FeedLimits = {
  readonly maxReaders: number;
  /** Most that waits for one reader beyond what it was given at its join. */
  readonly maxBufferedBytes: number;
  /** Longest that a reader may go on without having taken all that waits for it. */
  readonly maxBlockedMs: number;
  /** Longest that a join waits for a keyframe. */
  readonly maxJoinWaitMs: number;
};

type Reader = {
  readonly response: ServerResponse;
  readonly joinedBytes: number;
  blockedSinceMs: UnixMs | undefined;
};

type Waiting = { readonly response: ServerResponse; readonly sinceMs: UnixMs };

const DEFAULT_LIMITS: FeedLimits = {
  maxReaders: 32,
  maxBufferedBytes: 8 * 1024 * 1024,
  maxBlockedMs: 5000,
  maxJoinWaitMs: 3000,
};
/** While joins wait the keyframe is asked for again this often; the source throttles on its own. */
const ASK_AGAIN_MS = 500;

/** Fans one stream out. Units go in stamped; the same bytes go to every reader. */
export class Feed {
  readonly #deps: FeedDeps;
  readonly #limits: FeedLimits;
  readonly #cache = new JoinCache();
  readonly #readers = new Set<Reader>();
  readonly #waiting = new Set<Waiting>();
  readonly #droppedMetric;
  readonly #bytesMetric;
  #writer = new ClusterWriter();
  #parameters: VideoParameters | undefined;
  #header: Uint8Array | undefined;
  #newestMs: UnixMs | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #readersDropped = 0;

  constructor(deps: FeedDeps, limits: FeedLimits = DEFAULT_LIMITS) {
    this.#deps = deps;
    this.#limits = limits;
    this.#droppedMetric = deps.metrics.counter(
      'grandstand_ingest_feed_readers_dropped_total',
      'Feed readers cut off because they were too slow',
    );
    this.#bytesMetric = deps.metrics.counter(
      'grandstand_ingest_feed_bytes_total',
      'Bytes of contribution feeds written, before fan-out',
    );
  }

  get parameters(): VideoParameters | undefined {
    return this.#parameters;
  }

  /** Newest video stamp written. */
  get newestMs(): UnixMs | undefined {
    return this.#newestMs;
  }

  /** Readers that are served or wait for a keyframe. */
  get readers(): number {
    return this.#readers.size + this.#waiting.size;
  }

  get readersDropped(): number {
    return this.#readersDropped;
  }

  /**
   * A new resolution goes on in the same track, for its parameter sets are in band; only those who
   * join from now on read it in the header. A new codec ends every reader.
   */
  setParameters(parameters: VideoParameters): void {
    const codecBefore: string | undefined = this.#parameters?.codec;
    this.#parameters = parameters;
    this.#header = feedHeader(parameters);
    if (codecBefore !== undefined && codecBefore !== parameters.codec) {
      this.end('the codec changed');
    }
  }

  /** Writes the unit to every reader and to the join cache. */
  write(unit: StampedUnit): void {
    const header = this.#header;
    if (header === undefined) {
      return;
    }
    const chunk = this.#writer.write(unit);
    this.#bytesMetric.add(chunk.bytes.byteLength);
    this.#cache.push(chunk);
    if (chunk.kind === 'video') {
      this.#newestMs = unixMs(feedTimeMs(chunk.time));
    }
    for (const reader of this.#readers) {
      this.#send(reader, chunk.bytes);
    }
    if (chunk.isJoinPoint) {
      for (const { response } of this.#waiting) {
        this.#start(response, header, [chunk.bytes]);
      }
      this.#waiting.clear();
    }
  }

  /** Adds a reader: at once where the cache has a keyframe, else at the next one. */
  join(response: ServerResponse): void {
    if (this.readers >= this.#limits.maxReaders) {
      refuse(response, `no more than ${this.#limits.maxReaders} readers`);
      return;
    }
    const chunks = this.#cache.chunks();
    if (chunks !== undefined && this.#header !== undefined) {
      this.#start(response, this.#header, chunks);
      return;
    }
    const waiting = { response, sinceMs: this.#deps.clock.nowMs() };
    this.#waiting.add(waiting);
    response.once('close', () => this.#waiting.delete(waiting));
    this.#ask(waiting.sinceMs);
  }

  /** Drops blocked readers, refuses joins that waited too long, asks for keyframes again. */
  check(nowMs: UnixMs): void {
    for (const reader of this.#readers) {
      if (
        reader.blockedSinceMs !== undefined &&
        nowMs - reader.blockedSinceMs > this.#limits.maxBlockedMs
      ) {
        this.#drop(reader, 'has not caught up');
      }
    }
    for (const waiting of this.#waiting) {
      if (nowMs - waiting.sinceMs > this.#limits.maxJoinWaitMs) {
        this.#waiting.delete(waiting);
        refuse(waiting.response, 'no keyframe came');
      }
    }
    if (this.#waiting.size > 0) {
      this.#ask(nowMs);
    }
  }

  /** Ends every reader; what comes next starts at a keyframe again. */
  end(reason: string): void {
    this.#cache.clear();
    this.#writer = new ClusterWriter();
    for (const { response } of this.#readers) {
      response.end();
    }
    this.#readers.clear();
    for (const { response } of this.#waiting) {
      refuse(response, reason);
    }
    this.#waiting.clear();
  }

  #start(response: ServerResponse, header: Uint8Array, chunks: readonly Uint8Array[]): void {
    if (response.destroyed) {
      return;
    }
    response.writeHead(200, {
      'Content-Type': 'video/x-matroska',
      'Cache-Control': 'no-store',
      ...(this.#newestMs === undefined ? {} : { [FEED_NEWEST_HEADER]: String(this.#newestMs) }),
    });
    response.socket?.setNoDelay(true);
    const start = [header, ...chunks];
    const joinedBytes = start.reduce((sum, bytes) => sum + bytes.byteLength, 0);
    const reader: Reader = { response, joinedBytes, blockedSinceMs: undefined };
    this.#readers.add(reader);
    response.on('drain', () => {
      reader.blockedSinceMs = undefined;
    });
    response.once('close', () => this.#readers.delete(reader));
    response.cork();
    for (const bytes of start) {
      this.#send(reader, bytes);
    }
    response.uncork();
  }

  #send(reader: Reader, bytes: Uint8Array): void {
    const { response } = reader;
    if (!response.write(bytes)) {
      reader.blockedSinceMs ??= this.#deps.clock.nowMs();
    }
    if (response.writableLength > this.#limits.maxBufferedBytes + reader.joinedBytes) {
      this.#drop(reader, 'too much waits for it');
    }
  }

  #drop(reader: Reader, reason: string): void {
    if (!this.#readers.delete(reader)) {
      return;
    }
    this.#readersDropped += 1;
    this.#droppedMetric.add();
    this.#deps.logger.warn(
      { reason, bufferedBytes: reader.response.writableLength },
      'feed reader was too slow and is cut off',
    );
    reader.response.destroy();
  }

  #ask(nowMs: UnixMs): void {
    if (nowMs - this.#askedMs >= ASK_AGAIN_MS) {
      this.#askedMs = nowMs;
      this.#deps.requestKeyframe('a reader joins the feed');
    }
  }
}

/** 503 with the reason as text: come back in a second. */
export function refuse(response: ServerResponse, reason: string): void {
  response.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8', 'Retry-After': '1' });
  response.end(`feed unavailable: ${reason}\n`);
}
