/** AV1's sequence header: picture size, and the AV1CodecConfigurationRecord made of it. */
import { BitReader, readOrUndefined } from './bitReader.ts';

/** What the feed needs of a sequence header OBU (AV1 bitstream §5.5.1). */
export type Av1Sequence = {
  readonly width: number;
  readonly height: number;
  readonly profile: number;
  readonly level: number;
  readonly tier: number;
  readonly isHighBitDepth: boolean;
  readonly isTwelveBit: boolean;
  readonly isMonochrome: boolean;
  readonly subsamplingX: number;
  readonly subsamplingY: number;
  readonly chromaSamplePosition: number;
};

type Color = Omit<Av1Sequence, 'width' | 'height' | 'profile' | 'level' | 'tier'>;

/** Parses the payload of a sequence header OBU; undefined where it is not a valid one. */
export function parseSequenceHeader(payload: Uint8Array): Av1Sequence | undefined {
  return readOrUndefined(() => {
    const bits = new BitReader(payload);
    const profile = bits.bits(3);
    bits.skip(1); // still_picture
    const isReduced = bits.flag();
    const point = isReduced ? { level: bits.bits(5), tier: 0 } : readOperatingPoints(bits);
    const widthBits = bits.bits(4) + 1;
    const heightBits = bits.bits(4) + 1;
    const width = bits.bits(widthBits) + 1;
    const height = bits.bits(heightBits) + 1;
    if (!isReduced && bits.flag()) {
      bits.skip(7); // lengths of frame ids
    }
    bits.skip(3); // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if (!isReduced) {
      skipTools(bits);
    }
    bits.skip(3); // enable_superres, enable_cdef, enable_restoration
    return { width, height, profile, ...point, ...readColor(bits, profile) };
  });
}

/**
 * AV1CodecConfigurationRecord (AV1 in ISOBMFF §2.3.3).
 *
 * @param obu the sequence header OBU, with its size
 */
export function av1Configuration(sequence: Av1Sequence, obu: Uint8Array): Uint8Array {
  const flag = (is: boolean, bit: number): number => (is ? 1 << bit : 0);
  const { profile, level, tier, subsamplingX, subsamplingY, chromaSamplePosition } = sequence;
  return Uint8Array.of(
    0x81,
    (profile << 5) | level,
    (tier << 7) |
      flag(sequence.isHighBitDepth, 6) |
      flag(sequence.isTwelveBit, 5) |
      flag(sequence.isMonochrome, 4) |
      (subsamplingX << 3) |
      (subsamplingY << 2) |
      chromaSamplePosition,
    0,
    ...obu,
  );
}

/** Timing, decoder model and operating points; level and tier of the first, which is the whole. */
function readOperatingPoints(bits: BitReader): { level: number; tier: number } {
  const delayBits = bits.flag() ? readTimingInfo(bits) : undefined;
  const hasDisplayDelay = bits.flag();
  const count = bits.bits(5) + 1;
  let first: { level: number; tier: number } | undefined;
  for (let index = 0; index < count; index += 1) {
    bits.skip(12); // operating_point_idc
    const level = bits.bits(5);
    const tier = level > 7 ? bits.bits(1) : 0;
    first ??= { level, tier };
    if (delayBits !== undefined && bits.flag()) {
      bits.skip(2 * delayBits + 1);
    }
    if (hasDisplayDelay && bits.flag()) {
      bits.skip(4);
    }
  }
  return first ?? { level: 0, tier: 0 };
}

/** Length of buffer delays (bits), where there is a decoder model. */
function readTimingInfo(bits: BitReader): number | undefined {
  bits.skip(64); // num_units_in_display_tick, time_scale
  if (bits.flag()) {
    bits.ue(); // num_ticks_per_picture_minus_1
  }
  if (!bits.flag()) {
    return undefined;
  }
  const delayBits = bits.bits(5) + 1;
  bits.skip(32 + 5 + 5);
  return delayBits;
}

function skipTools(bits: BitReader): void {
  bits.skip(4); // interintra, masked compound, warped motion, dual filter
  const hasOrderHint = bits.flag();
  bits.skip(hasOrderHint ? 2 : 0);
  const isScreenContentChosen = bits.flag();
  const forcesScreenContent = isScreenContentChosen || bits.flag();
  if (forcesScreenContent && !bits.flag()) {
    bits.skip(1); // seq_force_integer_mv
  }
  bits.skip(hasOrderHint ? 3 : 0);
}

/** color_config(), §5.5.2. */
function readColor(bits: BitReader, profile: number): Color {
  const isHighBitDepth = bits.flag();
  const isTwelveBit = profile === 2 && isHighBitDepth && bits.flag();
  const isMonochrome = profile !== 1 && bits.flag();
  const described = bits.flag() ? [bits.bits(8), bits.bits(8), bits.bits(8)] : undefined;
  const depths = { isHighBitDepth, isTwelveBit, isMonochrome };
  if (isMonochrome) {
    return { ...depths, subsamplingX: 1, subsamplingY: 1, chromaSamplePosition: 0 };
  }
  // BT.709 primaries, sRGB transfer, identity matrix: RGB, never subsampled.
  if (described?.join() === '1,13,0') {
    return { ...depths, subsamplingX: 0, subsamplingY: 0, chromaSamplePosition: 0 };
  }
  bits.skip(1); // color_range
  const [subsamplingX, subsamplingY] = readSubsampling(bits, profile, isTwelveBit);
  const chromaSamplePosition = subsamplingX === 1 && subsamplingY === 1 ? bits.bits(2) : 0;
  return { ...depths, subsamplingX, subsamplingY, chromaSamplePosition };
}

function readSubsampling(
  bits: BitReader,
  profile: number,
  isTwelveBit: boolean,
): [x: number, y: number] {
  if (profile === 0) {
    return [1, 1];
  }
  if (profile === 1) {
    return [0, 0];
  }
  if (!isTwelveBit) {
    return [1, 0];
  }
  const x = bits.bits(1);
  return [x, x === 1 ? bits.bits(1) : 0];
}
