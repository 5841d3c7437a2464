/**
 * NAL units out of H.264 RTP payloads: single NAL unit, STAP-A, FU-A (RFC 6184 §5.6, §5.7.1,
 * §5.8), the three that packetization modes 0 and 1 allow.
 */
import { concatBytes } from './bytes.ts';
import { MAX_PICTURE_BYTES } from './picture.ts';

/** NAL unit types that the ingest tells apart (ITU-T H.264 table 7-1). */
export const NAL = { slice: 1, idr: 5, sps: 7, pps: 8, delimiter: 9, filler: 12 } as const;

/** Packet type that holds several whole NAL units. */
export const STAP_A = 24;
const FU_A = 28;
const FU_START = 0x80;
const FU_END = 0x40;

/** Type of a NAL unit. */
export function nalType(nal: Uint8Array): number {
  return (nal[0] ?? 0) & 0x1f;
}

/** Holds the fragments of the NAL unit in progress, and nothing else. */
export class H264Depacketizer {
  readonly #fragments: Uint8Array[] = [];
  #bytes = 0;

  /** Whether a fragmented NAL unit is still without its end. */
  get isInside(): boolean {
    return this.#fragments.length > 0;
  }

  /** Forgets the NAL unit in progress. */
  reset(): void {
    this.#fragments.length = 0;
    this.#bytes = 0;
  }

  /**
   * Takes the payload of the next packet; NAL units that it completes are views of payloads, or
   * fresh bytes where they came in fragments. Undefined where the payload is malformed or too much.
   */
  push(payload: Uint8Array): Uint8Array[] | undefined {
    const type = nalType(payload);
    if (type === FU_A) {
      return this.#fragment(payload);
    }
    if (this.isInside) {
      return undefined;
    }
    if (type === STAP_A) {
      return aggregated(payload);
    }
    return type >= 1 && type < STAP_A ? [payload] : undefined;
  }

  #fragment(payload: Uint8Array): Uint8Array[] | undefined {
    const [indicator = 0, header = 0] = payload;
    const isStart = (header & FU_START) !== 0;
    const type = header & 0x1f;
    // A start inside a fragmented unit, or a continuation outside of one: something is missing.
    if (payload.length < 3 || isStart === this.isInside || type < 1 || type >= STAP_A) {
      return undefined;
    }
    this.#bytes += payload.length;
    if (this.#bytes > MAX_PICTURE_BYTES) {
      return undefined;
    }
    if (isStart) {
      this.#fragments.push(Uint8Array.of((indicator & 0xe0) | type));
    }
    this.#fragments.push(payload.subarray(2));
    if ((header & FU_END) === 0) {
      return [];
    }
    const nal = concatBytes(this.#fragments);
    this.reset();
    return [nal];
  }
}

function aggregated(payload: Uint8Array): Uint8Array[] | undefined {
  const nals: Uint8Array[] = [];
  let at = 1;
  while (at < payload.length) {
    const [high, low] = payload.subarray(at, at + 2);
    const length = high === undefined || low === undefined ? 0 : high * 256 + low;
    const nal = payload.subarray(at + 2, at + 2 + length);
    if (length === 0 || nal.length < length || nalType(nal) < 1 || nalType(nal) >= STAP_A) {
      return undefined;
    }
    nals.push(nal);
    at += 2 + length;
  }
  return nals.length === 0 ? undefined : nals;
}
