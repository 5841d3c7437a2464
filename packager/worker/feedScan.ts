/**
 * Reads the stamps of a contribution feed as it passes by: which access unit came when. Live
 * Matroska (RFC 9559), as far as that takes: it descends into the elements that lead to blocks, of
 * known size or not, skips the rest, and keeps no media.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';

/** An access unit that has begun to arrive. */
export type FeedUnit = {
  readonly kind: 'video' | 'audio';
  /** Its stamp (Unix ms, with fractions). */
  readonly stampMs: number;
};

const EBML = 0x1a45dfa3;
const TIMESTAMP_SCALE = 0x2ad7b1;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CLUSTER_TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK = 0xa1;
/** Elements whose children are looked at: Segment, Info, Tracks, TrackEntry, Cluster, BlockGroup. */
const MASTERS: ReadonlySet<number> = new Set([
  0x18538067, 0x1549a966, 0x1654ae6b, 0xae, 0x1f43b675, 0xa0,
]);
const NUMBERS: ReadonlySet<number> = new Set([
  TIMESTAMP_SCALE,
  TRACK_NUMBER,
  TRACK_TYPE,
  CLUSTER_TIMESTAMP,
]);
/** Track number (one byte here) and relative time of a block (RFC 9559 §10.1). */
const BLOCK_HEAD_BYTES = 3;
const MAX_HEAD_BYTES = 12;
/** No element of a live feed is as large: a picture of 4K at 200 Mbit/s is some MB. */
const MAX_ELEMENT_BYTES = 64 * 1024 * 1024;
const TYPES: Readonly<Record<number, FeedUnit['kind']>> = { 1: 'video', 2: 'audio' };

/** See the file header. */
export class FeedScan {
  /** Bytes of a head that is not whole yet. */
  #head: Uint8Array = new Uint8Array();
  #skip = 0;
  #hasBegun = false;
  #nanosecondsPerUnit = 1_000_000;
  #clusterUnits = 0;
  #trackNumber = 0;
  readonly #kinds = new Map<number, FeedUnit['kind']>();

  /**
   * Reads on.
   *
   * @throws GatewayError `bad_media` where the feed is not Matroska
   */
  push(slice: Uint8Array): FeedUnit[] {
    const units: FeedUnit[] = [];
    let rest = slice;
    while (rest.length > 0) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
        continue;
      }
      const wanted = MAX_HEAD_BYTES + 8;
      const kept = this.#head.length;
      const head = concat(this.#head, rest.subarray(0, wanted - kept));
      const read = this.#readElement(head, units);
      if (read === undefined) {
        this.#head = head;
        rest = rest.subarray(head.length - kept);
        continue;
      }
      this.#head = new Uint8Array();
      // What was kept was not enough, so the element ends its head in this slice.
      rest = rest.subarray(read - kept);
    }
    return units;
  }

  /** Reads the element at the start of `head`; how many bytes of it, or undefined for more. */
  #readElement(head: Uint8Array, units: FeedUnit[]): number | undefined {
    if (!this.#hasBegun) {
      expectEbml(head.subarray(0, 4));
    }
    const id = readVint(head, 0, true);
    const size = id === undefined ? undefined : readVint(head, id.length, false);
    if (id === undefined || size === undefined) {
      return undefined;
    }
    this.#hasBegun = true;
    const start = id.length + size.length;
    if (MASTERS.has(id.value)) {
      return start;
    }
    if (size.isUnknown || size.value > MAX_ELEMENT_BYTES) {
      throw new GatewayError(
        'bad_media',
        `the feed is not Matroska: element ${id.value.toString(16)} of ${size.value} bytes`,
      );
    }
    const isBlock = id.value === SIMPLE_BLOCK || id.value === BLOCK;
    const needed = isBlock ? BLOCK_HEAD_BYTES : numberBytes(id.value, size.value);
    if (head.length < start + needed) {
      return undefined;
    }
    const payload = head.subarray(start, start + needed);
    if (isBlock) {
      this.#takeBlock(payload, units);
    } else if (needed > 0) {
      this.#takeNumber(id.value, uint(payload));
    }
    this.#skip = size.value - needed;
    return start + needed;
  }

  #takeNumber(id: number, value: number): void {
    switch (id) {
      case TIMESTAMP_SCALE:
        this.#nanosecondsPerUnit = value;
        break;
      case CLUSTER_TIMESTAMP:
        this.#clusterUnits = value;
        break;
      case TRACK_NUMBER:
        this.#trackNumber = value;
        break;
      default: {
        const kind = TYPES[value];
        if (kind !== undefined) {
          this.#kinds.set(this.#trackNumber, kind);
        }
      }
    }
  }

  #takeBlock(payload: Uint8Array, units: FeedUnit[]): void {
    const [track = 0, high = 0, low = 0] = payload;
    const kind = this.#kinds.get(track & 0x7f);
    const relative = ((((high << 8) | low) << 16) >> 16) + this.#clusterUnits;
    if (kind !== undefined) {
      units.push({ kind, stampMs: relative / (1_000_000 / this.#nanosecondsPerUnit) });
    }
  }
}

function expectEbml(known: Uint8Array): void {
  if (!startsWith(known, EBML)) {
    throw new GatewayError('bad_media', `the feed is not Matroska: it begins with ${hex(known)}`);
  }
}

/** Bytes of an element that is read as a number; 0 of one that is not. */
function numberBytes(id: number, size: number): number {
  if (!NUMBERS.has(id)) {
    return 0;
  }
  if (size > 8) {
    throw new GatewayError('bad_media', `the feed is not Matroska: a number of ${size} bytes`);
  }
  return size;
}

type Vint = { readonly value: number; readonly length: number; readonly isUnknown: boolean };

/** RFC 8794 §4. An id keeps its marker; a size whose bits are all set is unknown. */
function readVint(bytes: Uint8Array, at: number, isId: boolean): Vint | undefined {
  const first = bytes[at];
  if (first === undefined) {
    return undefined;
  }
  const length = Math.clz32(first) - 23;
  if (length > (isId ? 4 : 8)) {
    throw new GatewayError('bad_media', 'the feed is not Matroska: a length that EBML has not');
  }
  if (bytes.length < at + length) {
    return undefined;
  }
  const rest = bytes.subarray(at + 1, at + length);
  // Without its marker first: 2^56 and a small size are not both in a double.
  const top = isId ? first : first - (0x80 >> (length - 1));
  return {
    value: rest.reduce((sum, byte) => sum * 256 + byte, top),
    length,
    isUnknown: !isId && top === (0x80 >> (length - 1)) - 1 && rest.every((byte) => byte === 0xff),
  };
}

function uint(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function startsWith(bytes: Uint8Array, id: number): boolean {
  return bytes.every((byte, index) => byte === ((id >>> (24 - 8 * index)) & 0xff));
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) {
    return b;
  }
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
