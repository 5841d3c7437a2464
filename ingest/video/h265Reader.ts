/**
 * H.265 pictures out of RTP payloads (RFC 7798): single NAL unit, aggregation packet, fragmentation
 * unit, without DONL, which nobody agreed on. Only the base layer is taken.
 */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { concatBytes, lengthPrefixed } from './bytes.ts';
import { H265ParameterSets, h265NalType } from './h265ParameterSets.ts';
import { MAX_PICTURE_BYTES, type Picture, type PictureReader } from './picture.ts';

/** NAL unit types (ITU-T H.265 table 7-1) and packet types (RFC 7798 §4.4). */
const IRAP_FIRST = 16;
const IRAP_LAST = 23;
const SLICE_LAST = 31;
const VPS = 32;
const DELIMITER = 35;
const FILLER = 38;
const AGGREGATION = 48;
const FRAGMENT = 49;
const FU_START = 0x80;
const FU_END = 0x40;

/** RFC 7798 in, ISO/IEC 14496-15 out. */
export class H265Reader implements PictureReader {
  readonly #sets = new H265ParameterSets();
  #nals: Uint8Array[] = [];
  #fragments: Uint8Array[] = [];
  #fragmentBytes = 0;

  push(payload: Uint8Array): boolean {
    const type = h265NalType(payload);
    if (type === FRAGMENT) {
      return this.#pushFragment(payload);
    }
    if (payload.length < 3 || this.#fragments.length > 0 || type > AGGREGATION) {
      return false;
    }
    const nals = type === AGGREGATION ? aggregated(payload) : [payload];
    this.#nals.push(...(nals ?? []));
    return nals !== undefined;
  }

  /** Delimiter and parameter sets come first in an access unit (H.265 §7.4.2.4.4). */
  isKeyframeStart(payload: Uint8Array): boolean {
    const isAggregate = h265NalType(payload) === AGGREGATION;
    const type = h265NalType(isAggregate ? payload.subarray(4) : payload);
    return type === VPS || type === DELIMITER;
  }

  finish(): Picture | 'damaged' | undefined {
    if (this.#fragments.length > 0) {
      return 'damaged';
    }
    const nals = this.#nals.filter((nal) => {
      const type = h265NalType(nal);
      return layerOf(nal) === 0 && type !== DELIMITER && type !== FILLER;
    });
    this.#nals = [];
    for (const nal of nals) {
      this.#sets.learn(nal);
    }
    const slices = nals.map(h265NalType).filter((type) => type <= SLICE_LAST);
    if (slices.length === 0) {
      return undefined;
    }
    const isKeyframe = slices.some((type) => type >= IRAP_FIRST && type <= IRAP_LAST);
    if (isKeyframe && !this.#sets.isComplete) {
      return 'damaged';
    }
    return { data: lengthPrefixed(isKeyframe ? this.#sets.complete(nals) : nals), isKeyframe };
  }

  takeParameters(): VideoParameters | undefined {
    return this.#sets.takeChange();
  }

  reset(): void {
    this.#nals = [];
    this.#fragments = [];
    this.#fragmentBytes = 0;
  }

  #pushFragment(payload: Uint8Array): boolean {
    const [first = 0, second = 0, header = 0] = payload;
    const isStart = (header & FU_START) !== 0;
    // A start inside a fragmented unit, or a continuation outside of one: something is missing.
    if (payload.length < 4 || isStart === this.#fragments.length > 0) {
      return false;
    }
    this.#fragmentBytes += payload.length;
    if (this.#fragmentBytes > MAX_PICTURE_BYTES) {
      return false;
    }
    if (isStart) {
      this.#fragments.push(Uint8Array.of((first & 0x81) | ((header & 0x3f) << 1), second));
    }
    this.#fragments.push(payload.subarray(3));
    if ((header & FU_END) !== 0) {
      this.#nals.push(concatBytes(this.#fragments));
      this.#fragments = [];
      this.#fragmentBytes = 0;
    }
    return true;
  }
}

function layerOf([first = 0, second = 0]: Uint8Array): number {
  return ((first & 1) << 5) | (second >> 3);
}

/** NAL units of an aggregation packet (RFC 7798 §4.4.2). */
function aggregated(payload: Uint8Array): Uint8Array[] | undefined {
  const nals: Uint8Array[] = [];
  for (let at = 2; at < payload.length;) {
    const length = (payload[at] ?? 0) * 256 + (payload[at + 1] ?? 0);
    const nal = payload.subarray(at + 2, at + 2 + length);
    if (length < 3 || nal.length < length || h265NalType(nal) >= AGGREGATION) {
      return undefined;
    }
    nals.push(nal);
    at += 2 + length;
  }
  return nals;
}
