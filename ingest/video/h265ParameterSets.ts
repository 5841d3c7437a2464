/** H.265 parameter sets: kept, put in front of keyframes without them, made to an `hvcC` record. */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { BitReader, readOrUndefined, unescapeNal } from './bitReader.ts';
import { isSameBytes } from './bytes.ts';
import { MAX_SIDE } from './picture.ts';

/** Types of NAL unit that hold parameter sets (ITU-T H.265 table 7-1), in the order of use. */
const SETS = [32, 33, 34] as const;
const [VPS, SPS, PPS] = SETS;
/** Sets beyond this size are refused: encoders write tens of bytes. */
const MAX_SET_BYTES = 1024;
const MAX_SETS = 16;

type SetType = (typeof SETS)[number];

/** What the feed needs of a sequence parameter set (§7.3.2.2). */
type H265Sequence = {
  readonly id: number;
  readonly width: number;
  readonly height: number;
  readonly chromaFormat: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  readonly temporalLayers: number;
  readonly isTemporalIdNested: boolean;
  /** general_profile_space to general_level_idc: 12 bytes as hvcC has them. */
  readonly profileTierLevel: Uint8Array;
};

/** Type of an H.265 NAL unit (§7.3.1.2). */
export function h265NalType(nal: Uint8Array): number {
  return ((nal[0] ?? 0) >> 1) & 0x3f;
}

/** Whether the type is one of a parameter set. */
function isParameterSet(type: number): type is SetType {
  return type >= VPS && type <= PPS;
}

/** Parses an SPS NAL unit; undefined where it is not a valid one. */
export function parseH265Sequence(nal: Uint8Array): H265Sequence | undefined {
  return readOrUndefined(() => {
    const bytes = unescapeNal(nal);
    const bits = new BitReader(bytes.subarray(2));
    bits.skip(4); // sps_video_parameter_set_id
    const subLayersMinus1 = bits.bits(3);
    const isTemporalIdNested = bits.flag();
    const profileTierLevel = bytes.slice(3, 15);
    bits.skip(96);
    skipSubLayers(bits, subLayersMinus1);
    const id = bits.ue();
    const chromaFormat = bits.ue();
    bits.skip(chromaFormat === 3 ? 1 : 0);
    const size = readSize(bits, chromaFormat);
    const bitDepthLuma = bits.ue() + 8;
    const bitDepthChroma = bits.ue() + 8;
    if (id > 15 || chromaFormat > 3 || bitDepthLuma > 15 || bitDepthChroma > 15) {
      return undefined;
    }
    if (size === undefined) {
      return undefined;
    }
    const depths = { chromaFormat, bitDepthLuma, bitDepthChroma };
    const temporalLayers = subLayersMinus1 + 1;
    return { id, ...size, ...depths, temporalLayers, isTemporalIdNested, profileTierLevel };
  });
}

/** Holds copies: packets' buffers are not kept alive. */
export class H265ParameterSets {
  readonly #sets: Record<SetType, Map<number, Uint8Array>> = {
    [VPS]: new Map(),
    [SPS]: new Map(),
    [PPS]: new Map(),
  };
  #sequence: H265Sequence | undefined;
  #hasChanged = false;

  /** Whether a picture can be decoded with what is known. */
  get isComplete(): boolean {
    return SETS.every((type) => this.#sets[type].size > 0);
  }

  /** Takes any NAL unit; keeps it where it is a parameter set with something new in it. */
  learn(nal: Uint8Array): void {
    const type = h265NalType(nal);
    if (!isParameterSet(type) || nal.length > MAX_SET_BYTES) {
      return;
    }
    const sequence = type === SPS ? parseH265Sequence(nal) : undefined;
    const id = type === SPS ? sequence?.id : idOf(type, nal);
    const known = this.#sets[type];
    const before = id === undefined ? undefined : known.get(id);
    if (
      id === undefined ||
      (before === undefined ? known.size >= MAX_SETS : isSameBytes(before, nal))
    ) {
      return;
    }
    if (sequence !== undefined) {
      this.#sequence = sequence;
      // A new sequence: the picture sets of the old one need not fit it (§7.4.2.4.2).
      this.#sets[PPS].clear();
    }
    known.set(id, nal.slice());
    this.#hasChanged = true;
  }

  /** `nals` with the known sets in front of them where they lack any. */
  complete(nals: readonly Uint8Array[]): readonly Uint8Array[] {
    if (SETS.every((type) => nals.some((nal) => h265NalType(nal) === type))) {
      return nals;
    }
    return [...this.#all(), ...nals.filter((nal) => !isParameterSet(h265NalType(nal)))];
  }

  /** The parameters, if they changed since the last call and are complete. */
  takeChange(): VideoParameters | undefined {
    if (!this.#hasChanged || this.#sequence === undefined || !this.isComplete) {
      return undefined;
    }
    this.#hasChanged = false;
    const { width, height } = this.#sequence;
    const decoderConfiguration = this.#record(this.#sequence);
    return { codec: 'h265', width, height, decoderConfiguration };
  }

  #all(): Uint8Array[] {
    return SETS.flatMap((type) => [...this.#sets[type].values()]);
  }

  /** HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1.2) with 4-byte lengths. */
  #record(sequence: H265Sequence): Uint8Array {
    const arrays = SETS.flatMap((type) => {
      const sets = [...this.#sets[type].values()];
      return [
        type, // array_completeness 0: sets are in band too
        ...uint16(sets.length),
        ...sets.flatMap((set) => [...uint16(set.length), ...set]),
      ];
    });
    return Uint8Array.of(
      1,
      ...sequence.profileTierLevel,
      ...uint16(0xf000), // min_spatial_segmentation_idc 0
      0xfc, // parallelismType 0
      0xfc | sequence.chromaFormat,
      0xf8 | (sequence.bitDepthLuma - 8),
      0xf8 | (sequence.bitDepthChroma - 8),
      ...uint16(0), // avgFrameRate 0
      (sequence.temporalLayers << 3) | (sequence.isTemporalIdNested ? 4 : 0) | 3,
      SETS.length,
      ...arrays,
    );
  }
}

/** Size in luma samples within the conformance window; undefined where it cannot be. */
function readSize(
  bits: BitReader,
  chromaFormat: number,
): { readonly width: number; readonly height: number } | undefined {
  const [codedWidth, codedHeight] = [bits.ue(), bits.ue()];
  const [left, right, top, bottom] = bits.flag()
    ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()]
    : [0, 0, 0, 0];
  // Table 6-1: chroma subsampling gives the window's unit.
  const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const unitY = chromaFormat === 1 ? 2 : 1;
  const width = codedWidth - unitX * (left + right);
  const height = codedHeight - unitY * (top + bottom);
  const isPossible = Math.min(width, height) >= 2 && Math.max(width, height) <= MAX_SIDE;
  return isPossible ? { width, height } : undefined;
}

/** Profiles and levels of the sub-layers in profile_tier_level() (§7.3.3). */
function skipSubLayers(bits: BitReader, subLayersMinus1: number): void {
  const present = Array.from({ length: subLayersMinus1 }, () => [bits.flag(), bits.flag()]);
  bits.skip(subLayersMinus1 > 0 ? 2 * (8 - subLayersMinus1) : 0);
  for (const [hasProfile, hasLevel] of present) {
    bits.skip((hasProfile === true ? 88 : 0) + (hasLevel === true ? 8 : 0));
  }
}

/** Id of a VPS or PPS. */
function idOf(type: number, nal: Uint8Array): number | undefined {
  return readOrUndefined(() => {
    const bits = new BitReader(nal.subarray(2));
    const id = type === VPS ? bits.bits(4) : bits.ue();
    return id > 63 ? undefined : id;
  });
}

function uint16(value: number): [high: number, low: number] {
  return [value >> 8, value & 0xff];
}
