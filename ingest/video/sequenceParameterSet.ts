/** H.264 parameter sets: picture size, ids, and the AVCDecoderConfigurationRecord made of them. */
import { BitReader, readOrUndefined, unescapeNal } from './bitReader.ts';
import { MAX_SIDE } from './picture.ts';

/** What the feed needs of a sequence parameter set (ITU-T H.264 §7.3.2.1.1). */
export type SequenceParameterSet = {
  readonly id: number;
  /** Cropped size in luma samples. */
  readonly width: number;
  readonly height: number;
  readonly chromaFormat: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
};

/** Profiles whose SPS carries chroma format, bit depths and scaling matrices. */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** Parses an SPS NAL unit (its header byte first); undefined where it is not a valid one. */
export function parseSequenceParameterSet(nal: Uint8Array): SequenceParameterSet | undefined {
  return readOrUndefined(() => readSequenceParameterSet(nal));
}

/** Ids of a PPS NAL unit and of the SPS it refers to (§7.3.2.2); undefined where it is too short. */
export function parsePictureParameterSetIds(
  nal: Uint8Array,
): { readonly id: number; readonly spsId: number } | undefined {
  return readOrUndefined(() => {
    const bits = new BitReader(unescapeNal(nal.subarray(1, 32)));
    const id = bits.ue();
    const spsId = bits.ue();
    return id > 255 || spsId > 31 ? undefined : { id, spsId };
  });
}

/**
 * AVCDecoderConfigurationRecord with 4-byte NAL lengths (ISO/IEC 14496-15 §5.3.3.1.2).
 *
 * @param parsed the first of `sps`
 */
export function avcDecoderConfiguration(
  sps: readonly Uint8Array[],
  pps: readonly Uint8Array[],
  parsed: SequenceParameterSet,
): Uint8Array {
  const [profile = 0, compatibility = 0, level = 0] = sps[0]?.subarray(1, 4) ?? [];
  const parts: number[] = [1, profile, compatibility, level, 0xff, 0xe0 | sps.length];
  for (const set of sps) {
    parts.push(set.length >> 8, set.length & 0xff, ...set);
  }
  parts.push(pps.length);
  for (const set of pps) {
    parts.push(set.length >> 8, set.length & 0xff, ...set);
  }
  if ([100, 110, 122, 144].includes(profile)) {
    parts.push(0xfc | parsed.chromaFormat, 0xf8 | (parsed.bitDepthLuma - 8));
    parts.push(0xf8 | (parsed.bitDepthChroma - 8), 0);
  }
  return Uint8Array.from(parts);
}

function readSequenceParameterSet(nal: Uint8Array): SequenceParameterSet | undefined {
  const bytes = unescapeNal(nal);
  const profile = bytes[1] ?? 0;
  const bits = new BitReader(bytes.subarray(4));
  const id = bits.ue();
  const { chromaFormat, bitDepthLuma, bitDepthChroma } = HIGH_PROFILES.has(profile)
    ? readHighProfileFields(bits)
    : { chromaFormat: 1, bitDepthLuma: 8, bitDepthChroma: 8 };
  bits.ue(); // log2_max_frame_num_minus4
  skipPictureOrderCount(bits);
  bits.ue(); // max_num_ref_frames
  bits.flag(); // gaps_in_frame_num_value_allowed_flag
  const widthInMacroblocks = bits.ue() + 1;
  const heightInMapUnits = bits.ue() + 1;
  const isFrameOnly = bits.flag();
  if (!isFrameOnly) {
    bits.flag(); // mb_adaptive_frame_field_flag
  }
  bits.flag(); // direct_8x8_inference_flag
  const fieldFactor = isFrameOnly ? 1 : 2;
  const crop = readCrop(bits, chromaFormat, fieldFactor);
  const width = widthInMacroblocks * 16 - crop.x;
  const height = heightInMapUnits * 16 * fieldFactor - crop.y;
  if (id > 31 || width < 2 || height < 2 || width > MAX_SIDE || height > MAX_SIDE) {
    return undefined;
  }
  return { id, width, height, chromaFormat, bitDepthLuma, bitDepthChroma };
}

function readHighProfileFields(
  bits: BitReader,
): Pick<SequenceParameterSet, 'chromaFormat' | 'bitDepthLuma' | 'bitDepthChroma'> {
  const chromaFormat = bits.ue();
  if (chromaFormat > 3) {
    throw new RangeError('chroma_format_idc');
  }
  if (chromaFormat === 3) {
    bits.flag(); // separate_colour_plane_flag
  }
  const bitDepthLuma = bits.ue() + 8;
  const bitDepthChroma = bits.ue() + 8;
  if (bitDepthLuma > 14 || bitDepthChroma > 14) {
    throw new RangeError('bit_depth');
  }
  bits.flag(); // qpprime_y_zero_transform_bypass_flag
  if (bits.flag()) {
    for (let list = 0; list < (chromaFormat === 3 ? 12 : 8); list += 1) {
      if (bits.flag()) {
        skipScalingList(bits, list < 6 ? 16 : 64);
      }
    }
  }
  return { chromaFormat, bitDepthLuma, bitDepthChroma };
}

/** §7.3.2.1.1.1. */
function skipScalingList(bits: BitReader, size: number): void {
  let last = 8;
  let next = 8;
  for (let index = 0; index < size; index += 1) {
    if (next !== 0) {
      next = (last + bits.se() + 256) % 256;
    }
    last = next === 0 ? last : next;
  }
}

function skipPictureOrderCount(bits: BitReader): void {
  const type = bits.ue();
  if (type === 0) {
    bits.ue(); // log2_max_pic_order_cnt_lsb_minus4
  } else if (type === 1) {
    bits.flag();
    bits.se();
    bits.se();
    const count = bits.ue();
    if (count > 255) {
      throw new RangeError('num_ref_frames_in_pic_order_cnt_cycle');
    }
    for (let index = 0; index < count; index += 1) {
      bits.se();
    }
  }
}

function readCrop(
  bits: BitReader,
  chromaFormat: number,
  fieldFactor: number,
): { x: number; y: number } {
  if (!bits.flag()) {
    return { x: 0, y: 0 };
  }
  // Table 6-1: chroma subsampling gives the crop's unit.
  const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const unitY = (chromaFormat === 1 ? 2 : 1) * fieldFactor;
  const [left, right, top, bottom] = [bits.ue(), bits.ue(), bits.ue(), bits.ue()];
  return { x: (left + right) * unitX, y: (top + bottom) * unitY };
}
