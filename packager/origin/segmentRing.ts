/**
 * The newest segments of one track with their bytes: what the cutter completed, kept for as long as
 * the ring is. Bytes are written once and shared by all readers.
 */
import type { Ticks } from '../../infra/kernel/time.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { chunk, concatBytes } from '../cmaf/index.ts';
import type { ByteRange, PartEntry, SegmentEntry } from '../playlists/model.ts';
import type { CutEvent } from './cutter.ts';
import { fillerSegment, firstPicture } from './filler.ts';
import type { PublisherIdentity } from './follow.ts';
import type { RestoredSegment, SegmentRecord } from './storage.ts';
import type { TrackHeader } from './trackHeader.ts';

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
  /** Length of `chunks`. */
  bytes: number;
  /** From the first byte to the end of the first sync sample, where that is the first sample (video). */
  iframe?: ByteRange;
  /** Made when first asked for; of a closed segment only. */
  etag?: string;
  /** See `wholeSegment`. */
  whole?: Uint8Array;
};

// Above the chunks that any grid has (3 s of 20 ms), so that numbers of a track only grow. A function
// of the timeline: the same samples give the same bytes on any origin, also after a restart.
const SEQUENCE_NUMBERS_PER_SEGMENT = 256;

/** Bounded by segment count; see `StoredSegment`. */
export class SegmentRing {
  readonly #capacity: number;
  readonly #segments: StoredSegment[] = [];
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

  /**
   * Takes up a segment that the archive kept, newer than all that are here.
   *
   * @param header of its era: the last picture is held on to, should a filler need it
   */
  restore({ record, chunks }: RestoredSegment, header: TrackHeader, isClosed: boolean): void {
    const { msn, start, era, isGap, duration } = record;
    if (isGap && chunks.length === 0) {
      this.#addGap({ kind: 'gap', msn, start, duration }, header, era);
      return;
    }
    const segment = this.#add({ msn, start, era, isGap });
    // Closed segments come as one slice: their parts are cut out of it by length.
    const slices = isClosed && record.parts.length > 0 ? slicesOf(chunks, record) : chunks;
    segment.chunks.push(...slices);
    segment.bytes = byteLengthOf(slices);
    segment.parts.push(...storedParts(record, slices));
    segment.duration = duration;
    segment.isClosed = isClosed;
    const picture = isGap ? undefined : firstPicture(slices[0], header.init);
    if (picture !== undefined) {
      this.#heldPicture = { headerUri: header.uri, data: picture.data };
    }
    const iframe = record.iframe ?? picture?.range;
    if (iframe !== undefined) {
      segment.iframe = iframe;
    }
  }

  /** Lets go of all bytes: the archive has them. What was rendered of them stays as it is. */
  release(): void {
    this.#segments.length = 0;
    this.#heldPicture = undefined;
  }

  #add(fields: Pick<StoredSegment, 'msn' | 'start' | 'era' | 'isGap'>): StoredSegment {
    const segment: StoredSegment = {
      ...fields,
      parts: [],
      chunks: [],
      isClosed: false,
      duration: ticks(0),
      bytes: 0,
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
      segment.bytes = filler.length;
    }
    segment.duration = event.duration;
    segment.isClosed = true;
  }

  #addChunk(event: CutEvent & { kind: 'chunk' }, header: TrackHeader): void {
    const segment = this.newest;
    if (segment === undefined) {
      return;
    }
    const index = segment.chunks.length;
    const { samples } = event;
    const bytes = chunk(samples, {
      trackId: header.init.trackId,
      sequenceNumber: (segment.msn * SEQUENCE_NUMBERS_PER_SEGMENT + index) % 2 ** 32,
      isSegmentStart: index === 0,
    });
    segment.chunks.push(bytes);
    segment.bytes += bytes.length;
    if (header.init.kind !== 'video') {
      return;
    }
    const sync = index === 0 ? samples.find((sample) => sample.isSync) : undefined;
    if (sync !== undefined) {
      this.#heldPicture = { headerUri: header.uri, data: new Uint8Array(sync.data) };
    }
    if (sync !== undefined && samples[0] === sync) {
      // The mdat is the last box: what follows the first sample is the other samples.
      const others = byteLengthOf(samples.slice(1).map(({ data }) => data));
      segment.iframe = { offset: 0, length: bytes.length - others };
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

/**
 * A closed segment as one slice, made when first asked for; its chunks become views of it, so that
 * the bytes are held once. Undefined while it grows.
 */
export function wholeSegment(segment: StoredSegment): Uint8Array | undefined {
  if (!segment.isClosed) {
    return undefined;
  }
  if (segment.whole === undefined) {
    const whole = segment.chunks.length === 1 ? segment.chunks[0] : concatBytes(segment.chunks);
    segment.whole = whole ?? new Uint8Array();
    let offset = 0;
    for (const [index, { length }] of segment.chunks.entries()) {
      segment.chunks[index] = segment.whole.subarray(offset, offset + length);
      offset += length;
    }
  }
  return segment.whole;
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
    ...(segment.isClosed && !segment.isGap ? { bytes: segment.bytes } : {}),
    ...(segment.iframe === undefined ? {} : { iframe: segment.iframe }),
  };
}

/** A segment as the archive is told of it. */
export function segmentRecord(
  segment: StoredSegment,
  initUri: string,
  publisher: PublisherIdentity | undefined,
): SegmentRecord {
  return {
    ...segmentEntry(segment),
    bytes: segment.bytes,
    parts: segment.parts.map((part) => ({
      index: part.index,
      duration: part.duration,
      isIndependent: part.isIndependent,
      isGap: part.isGap,
      bytes: byteLengthOf(partChunks(segment, part)),
    })),
    initUri,
    publisher:
      publisher === undefined || segment.isGap
        ? undefined
        : { slot: publisher.slot, epoch: publisher.epoch },
  };
}

function lengthOf(parts: readonly PartEntry[]): Ticks {
  return ticks(parts.reduce((sum, part) => sum + part.duration, 0));
}

function byteLengthOf(slices: readonly Uint8Array[]): number {
  return slices.reduce((sum, { length }) => sum + length, 0);
}

function slicesOf(chunks: readonly Uint8Array[], { parts }: SegmentRecord): Uint8Array[] {
  const whole = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concatBytes(chunks);
  const slices: Uint8Array[] = [];
  let offset = 0;
  for (const { bytes } of parts) {
    if (bytes > 0) {
      slices.push(whole.subarray(offset, offset + bytes));
      offset += bytes;
    }
  }
  return offset < whole.length ? [...slices, whole.subarray(offset)] : slices;
}

/** Parts are whole rows of chunks: which, their lengths say. */
function storedParts({ parts }: SegmentRecord, chunks: readonly Uint8Array[]): StoredPart[] {
  let next = 0;
  return parts.map(({ bytes, ...part }) => {
    const firstChunk = next;
    for (let left = bytes; left > 0 && next < chunks.length; next += 1) {
      left -= chunks[next]?.length ?? 0;
    }
    return { ...part, firstChunk, endChunk: next };
  });
}
