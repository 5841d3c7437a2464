/**
 * A segment while it grows: its bytes go to any number of readers as they come, from the buffers of
 * the ring. Nothing is copied or queued for a reader: one that is behind is written to when it has
 * caught up, and dropped when it is too far behind.
 */
import { sendError } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { headersOf } from './headers.ts';
import { newWaiter } from './holding.ts';
import { abort, end, flushHead, write, writeHead } from './mediaHttp.ts';
import type { StoredSegment } from './segmentRing.ts';
import { deadline, type MediaDesk, roomKey, type ServedTrack, type Show } from './show.ts';
import type { Awaited, Waiter } from './waitingRoom.ts';

/** Whether segment `msn` is being written, or is the one that follows: its request is accepted (M18). */
export function growsOrComesNext({ live }: Show, { ring }: ServedTrack, msn: number): boolean {
  const { newest } = ring;
  return (
    newest !== undefined &&
    (msn === newest.msn ? !newest.isClosed : msn === newest.msn + 1) &&
    live.presentation()?.isEnded !== true
  );
}

/** Headers at once, each chunk as it comes, an abort where it does not come. */
export function streamSegment(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  track: ServedTrack,
  msn: number,
): void {
  const { request, response } = exchange;
  const key = roomKey(show, track.name);
  if (desk.room.isFull(key)) {
    sendError(exchange, 503, 'too many requests wait');
    return;
  }
  exchange.tally.add(exchange.kind, 200);
  writeHead(response, 200, [...headersOf(`${track.kind}Media`)]);
  if (request.method === 'HEAD') {
    end(response);
    return;
  }
  const name = `segment ${msn}`;
  const known = desk.room.find(key, name);
  const growing =
    known instanceof GrowingSegment ? known : new GrowingSegment(desk, show, track, msn);
  const waiter = newWaiter(exchange, desk, show);
  desk.room.add(key, name, growing, waiter);
  growing.begin(waiter);
}

class GrowingSegment implements Awaited {
  readonly wakes = 'chunk';
  readonly #desk: MediaDesk;
  readonly #show: Show;
  readonly #track: ServedTrack;
  readonly #msn: number;
  readonly #pump = (waiter: Waiter): boolean => this.#write(waiter);
  #segment: StoredSegment | undefined;

  constructor(desk: MediaDesk, show: Show, track: ServedTrack, msn: number) {
    this.#desk = desk;
    this.#show = show;
    this.#track = track;
    this.#msn = msn;
  }

  poll(): ((waiter: Waiter) => boolean) | undefined {
    this.#segment ??= this.#track.ring.find(this.#msn);
    if (this.#segment !== undefined) {
      return this.#pump;
    }
    // Nothing of it came, and now something newer did, or the end: it never will.
    const isLost = !growsOrComesNext(this.#show, this.#track, this.#msn);
    return isLost ? breakOff : undefined;
  }

  expire({ exchange }: Waiter): void {
    // Half a segment must not look whole to a cache.
    abort(exchange.response);
  }

  /** Gives a reader what is there already; headers at least. */
  begin(waiter: Waiter): void {
    const { response } = waiter.exchange;
    const answer = this.poll();
    if (answer?.(waiter) === true) {
      this.#desk.room.leave(response);
    } else if (waiter.sentChunks === 0) {
      flushHead(response);
    }
  }

  #write(waiter: Waiter): boolean {
    const segment = this.#segment;
    if (segment === undefined) {
      return false;
    }
    const { chunks, isClosed } = segment;
    const { response } = waiter.exchange;
    if (waiter.sentChunks < chunks.length && !waiter.isBlocked) {
      waiter.deadlineMs = deadline(this.#desk, this.#show);
      this.#writeChunks(waiter, chunks);
    }
    if (waiter.sentChunks < chunks.length) {
      return this.#isTooFarBehind(waiter, chunks) && this.#drop(waiter);
    }
    if (!isClosed) {
      return false;
    }
    if (chunks.length === 0) {
      return breakOff(waiter);
    }
    end(response);
    if (response.writableLength > 0) {
      waiter.exchange.drains.watch(response);
    }
    return true;
  }

  #writeChunks(waiter: Waiter, chunks: readonly Uint8Array[]): void {
    const { response } = waiter.exchange;
    while (waiter.sentChunks < chunks.length && !waiter.isBlocked) {
      const bytes = chunks[waiter.sentChunks] as Uint8Array;
      waiter.sentChunks += 1;
      if (!write(response, bytes)) {
        waiter.isBlocked = true;
        response.once('drain', () => {
          waiter.isBlocked = false;
          if (this.#write(waiter)) {
            this.#desk.room.leave(response);
          }
        });
      }
    }
  }

  #isTooFarBehind({ sentChunks, exchange }: Waiter, chunks: readonly Uint8Array[]): boolean {
    let behindBytes = exchange.response.writableLength;
    for (let index = sentChunks; index < chunks.length; index += 1) {
      behindBytes += chunks[index]?.length ?? 0;
    }
    return behindBytes > this.#desk.maxReaderBacklogBytes;
  }

  #drop(waiter: Waiter): true {
    this.#desk.slowReaders.add();
    return breakOff(waiter);
  }
}

function breakOff({ exchange }: Waiter): true {
  abort(exchange.response);
  return true;
}
