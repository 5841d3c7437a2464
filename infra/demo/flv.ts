/**
 * Access units out of an FLV byte stream: ffmpeg writes each one with its length at once, so none
 * waits for the next as it would in Annex B. Pure. Adobe FLV 10.1, annex E.
 */
import { GatewayError } from '../kernel/errors.ts';

/** NAL units of one picture without start codes or lengths; parameter sets first on keyframes. */
export type EncodedPicture = { readonly nals: readonly Uint8Array[]; readonly isKeyframe: boolean };

/** Feeds chunks of any size; gives the pictures that are complete. */
export type FlvReader = { push(chunk: Uint8Array): EncodedPicture[] };

const FILE_HEADER_BYTES = 9 + 4;
const TAG_HEADER_BYTES = 11;
const VIDEO_TAG = 9;
const MAX_TAG_BYTES = 8 << 20;
const AVC = 7;
const NAL_SLICE = 1;
const NAL_IDR = 5;

/** @throws GatewayError `ffmpeg_failed` from `push` on bytes that are not FLV with AVC */
export function createFlvReader(): FlvReader {
  let pending: Buffer = Buffer.alloc(0);
  let isPastHeader = false;
  let parameterSets: readonly Uint8Array[] = [];
  const readTag = (body: Buffer): EncodedPicture | undefined => {
    // VIDEODATA: frame type and codec, AVCPacketType, composition time (3 bytes).
    if (((body[0] ?? 0) & 0x0f) !== AVC) {
      throw new GatewayError('ffmpeg_failed', 'the encoder did not give H.264 in FLV');
    }
    if (body[1] === 0) {
      parameterSets = parameterSetsOf(body.subarray(5));
      return undefined;
    }
    if (body[1] !== 1) {
      return undefined;
    }
    const slices = nalsOf(body.subarray(5));
    const isKeyframe = slices.some((nal) => nalType(nal) === NAL_IDR);
    return { nals: isKeyframe ? [...parameterSets, ...slices] : slices, isKeyframe };
  };
  return {
    push(chunk) {
      pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
      if (!isPastHeader) {
        if (pending.length < FILE_HEADER_BYTES) {
          return [];
        }
        if (pending.toString('latin1', 0, 3) !== 'FLV') {
          throw new GatewayError('ffmpeg_failed', 'the encoder did not give FLV');
        }
        pending = pending.subarray(FILE_HEADER_BYTES);
        isPastHeader = true;
      }
      const pictures: EncodedPicture[] = [];
      while (pending.length >= TAG_HEADER_BYTES) {
        const size = pending.readUIntBE(1, 3);
        if (size > MAX_TAG_BYTES) {
          throw new GatewayError('ffmpeg_failed', `FLV tag of ${size} bytes`);
        }
        // Each tag is followed by its own size once more (4 bytes).
        const end = TAG_HEADER_BYTES + size + 4;
        if (pending.length < end) {
          break;
        }
        const body = pending.subarray(TAG_HEADER_BYTES, TAG_HEADER_BYTES + size);
        const picture = pending[0] === VIDEO_TAG ? readTag(body) : undefined;
        if (picture !== undefined && picture.nals.length > 0) {
          pictures.push(picture);
        }
        pending = pending.subarray(end);
      }
      return pictures;
    },
  };
}

/** SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1), copied. */
function parameterSetsOf(record: Buffer): Uint8Array[] {
  const sets: Uint8Array[] = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    const count = (record[at] ?? 0) & mask;
    at += 1;
    for (let index = 0; index < count && at + 2 <= record.length; index++) {
      const length = record.readUInt16BE(at);
      sets.push(Uint8Array.from(record.subarray(at + 2, at + 2 + length)));
      at += 2 + length;
    }
  }
  return sets;
}

/** Slices of an access unit with 4-byte lengths; SEI, delimiters and filler are left out. */
function nalsOf(unit: Buffer): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let at = 0;
  while (at + 4 < unit.length) {
    const end = Math.min(unit.length, at + 4 + unit.readUInt32BE(at));
    const nal = unit.subarray(at + 4, end);
    if (nalType(nal) >= NAL_SLICE && nalType(nal) <= NAL_IDR) {
      nals.push(nal);
    }
    at = end;
  }
  return nals;
}

function nalType(nal: Uint8Array): number {
  return (nal[0] ?? 0) & 0x1f;
}
