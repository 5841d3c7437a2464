/**
 * The newest segments of one track with their bytes: what the cutter completed, kept for as long as
 * the ring is. Bytes are written once and shared by all readers.
 */
import type { Ticks } from '../../infra/kernel/time.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { chunk, type TrackInit } from '../cmaf/index.ts';
import type { PartEntry, SegmentEntry } from '../playlists/model.ts';
import type { CutEvent } from './cutter.ts';
import { fillerSegment } from './filler.ts';

/** The header of a track and the name that its hash gives it. */
export type TrackHeader = {
  /** `init-{hash}.mp4` */
  readonly uri: string;
  readonly bytes: Uint8Array;
  readonly init: TrackInit;
};

/** A part, and which chunks of its segment it is. */
export type StoredPart = PartEntry & {
  readonly firstChunk: number;
  readonly endChunk: number;
  /** Made when first asked for. */
  etag?: string;
};

/** A segment with its bytes so far. Chunks are only ever appended. */
export type StoredSegment = {
  readonly msn: number;
  readonly start: Ticks;
  readonly era: number;
  readonly isGap: boolean;
  readonly parts: StoredPart[];
  readonly chunks: Uint8Array[];
  isClosed: boolean;
  /** Known when closed. */
  duration: Ticks;
  /** Made when first asked for; of a closed segment only. */
  etag?: string;
};

/** Bounded by segment count; see `StoredSegment`. */
export class SegmentRing {
  readonly #capacity: number;
  readonly #segments: StoredSegment[] = [];
  #sequenceNumber = 0;
  #heldPicture: { readonly headerUri: string; readonly data: Uint8Array } | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Oldest first, consecutive msn except where a hole was longer than the ring; the last may be open. */
  get segments(): readonly StoredSegment[] {
    return this.#segments;
  }

  get newest(): StoredSegment | undefined {
    return this.#segments.at(-1);
  }

  find(msn: number): StoredSegment | undefined {
    const newest = this.#segments.at(-1);
    const guess = newest === undefined ? undefined : this.#segments.at(msn - newest.msn - 1);
    return guess?.msn === msn && msn <= (newest?.msn ?? -1)
      ? guess
      : this.#segments.find((segment) => segment.msn === msn);
  }

  /** Carries out one event of the cutter for a segment of `era`, made with `header`. */
  apply(event: CutEvent, header: TrackHeader, era: number): void {
    switch (event.kind) {
      case 'open':
        this.#add({ msn: event.msn, start: event.start, era, isGap: false });
        break;
      case 'gap':
        this.#addGap(event, header, era);
        break;
      case 'chunk':
        this.#addChunk(event, header);
        break;
      case 'part':
        this.#addPart(event);
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  #add(fields: Pick<StoredSegment, 'msn' | 'start' | 'era' | 'isGap'>): StoredSegment {
    const segment: StoredSegment = {
      ...fields,
      parts: [],
      chunks: [],
      isClosed: false,
      duration: ticks(0),
    };
    this.#segments.push(segment);
    while (this.#segments.length > this.#capacity) {
      this.#segments.shift();
    }
    return segment;
  }

  #addGap(event: CutEvent & { kind: 'gap' }, header: TrackHeader, era: number): void {
    const segment = this.#add({ msn: event.msn, start: event.start, era, isGap: true });
    const held = this.#heldPicture;
    const filler = fillerSegment(
      header.init,
      event,
      held?.headerUri === header.uri ? held.data : undefined,
    );
    if (filler !== undefined) {
      segment.chunks.push(filler);
    }
    segment.duration = event.duration;
    segment.isClosed = true;
  }

  #addChunk(event: CutEvent & { kind: 'chunk' }, header: TrackHeader): void {
    const segment = this.newest;
    if (segment === undefined) {
      return;
    }
    this.#sequenceNumber += 1;
    segment.chunks.push(
      chunk(event.samples, {
        trackId: header.init.trackId,
        sequenceNumber: this.#sequenceNumber,
        isSegmentStart: segment.chunks.length === 0,
      }),
    );
    const sync = header.init.kind === 'video' ? event.samples.find((s) => s.isSync) : undefined;
    if (sync !== undefined) {
      this.#heldPicture = { headerUri: header.uri, data: new Uint8Array(sync.data) };
    }
  }

  #addPart(event: CutEvent & { kind: 'part' }): void {
    const segment = this.newest;
    segment?.parts.push({
      index: event.index,
      duration: event.duration,
      isIndependent: event.isIndependent,
      isGap: event.isGap,
      firstChunk: segment.parts.at(-1)?.endChunk ?? 0,
      endChunk: segment.chunks.length,
    });
  }

  #close(): void {
    const segment = this.newest;
    if (segment !== undefined) {
      segment.duration = lengthOf(segment.parts);
      segment.isClosed = true;
    }
  }
}

/** The bytes of a part as views shared with its segment. */
export function partChunks(segment: StoredSegment, part: StoredPart): readonly Uint8Array[] {
  return segment.chunks.slice(part.firstChunk, part.endChunk);
}

/** A segment as playlists are told of it; an open one with the parts that are complete. */
export function segmentEntry(segment: StoredSegment): SegmentEntry {
  return {
    msn: segment.msn,
    start: segment.start,
    duration: segment.isClosed ? segment.duration : lengthOf(segment.parts),
    isGap: segment.isGap,
    parts: segment.parts.map(({ index, duration, isIndependent, isGap }) => ({
      index,
      duration,
      isIndependent,
      isGap,
    })),
    era: segment.era,
  };
}

function lengthOf(parts: readonly PartEntry[]): Ticks {
  return ticks(parts.reduce((sum, part) => sum + part.duration, 0));
}
