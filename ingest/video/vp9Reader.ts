/**
 * VP9 pictures out of RTP payloads (RFC 9628), flexible mode or not. Temporal layers are taken as
 * they come. Of several spatial layers only the base is: a decoder would show each of them.
 */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { BitReader, readOrUndefined } from './bitReader.ts';
import { concatBytes } from './bytes.ts';
import type { Picture, PictureReader } from './picture.ts';

/** Payload descriptor, RFC 9628 §4.2. */
type Descriptor = {
  readonly bytes: number;
  readonly isFrameStart: boolean;
  readonly isFrameEnd: boolean;
  readonly spatialLayer: number;
};

const MAX_REFERENCES = 3;
const SYNC_CODE = 0x49_83_42;
const SRGB = 7;

/** See the file's comment. */
export class Vp9Reader implements PictureReader {
  #parts: Uint8Array[] = [];
  #isWhole = false;
  #parameters: VideoParameters | undefined;
  #hasChanged = false;

  push(payload: Uint8Array): boolean {
    const descriptor = readDescriptor(payload);
    if (descriptor === undefined || descriptor.bytes >= payload.length) {
      return false;
    }
    if (descriptor.spatialLayer > 0) {
      return true;
    }
    if (this.#isWhole || descriptor.isFrameStart !== (this.#parts.length === 0)) {
      return false;
    }
    this.#parts.push(payload.subarray(descriptor.bytes));
    this.#isWhole = descriptor.isFrameEnd;
    return true;
  }

  isKeyframeStart(payload: Uint8Array): boolean {
    const descriptor = readDescriptor(payload);
    return descriptor?.isFrameStart === true && descriptor.spatialLayer === 0;
  }

  finish(): Picture | 'damaged' | undefined {
    if (this.#parts.length === 0) {
      return undefined;
    }
    const isWhole = this.#isWhole;
    const data = concatBytes(this.#parts);
    this.reset();
    const header = isWhole ? readOrUndefined(() => readHeader(data)) : undefined;
    if (header === undefined) {
      return 'damaged';
    }
    if (header.size !== undefined) {
      this.#learn(header.size);
    }
    return { data, isKeyframe: header.size !== undefined };
  }

  takeParameters(): VideoParameters | undefined {
    const parameters = this.#hasChanged ? this.#parameters : undefined;
    this.#hasChanged = false;
    return parameters;
  }

  reset(): void {
    this.#parts = [];
    this.#isWhole = false;
  }

  #learn({ width, height }: Size): void {
    if (this.#parameters?.width !== width || this.#parameters.height !== height) {
      this.#parameters = { codec: 'vp9', width, height, decoderConfiguration: new Uint8Array(0) };
      this.#hasChanged = true;
    }
  }
}

type Size = { readonly width: number; readonly height: number };

function readDescriptor(payload: Uint8Array): Descriptor | undefined {
  return readOrUndefined(() => {
    const bits = new BitReader(payload);
    let bytes = 1;
    const hasPictureId = bits.flag();
    const isPredicted = bits.flag();
    const hasLayers = bits.flag();
    const isFlexible = bits.flag();
    const isFrameStart = bits.flag();
    const isFrameEnd = bits.flag();
    const hasStructure = bits.flag();
    bits.skip(1); // Z: not a reference for upper spatial layers
    if (hasPictureId) {
      const isLong = bits.flag();
      bits.skip(isLong ? 15 : 7);
      bytes += isLong ? 2 : 1;
    }
    let spatialLayer = 0;
    if (hasLayers) {
      bits.skip(4); // TID, U
      spatialLayer = bits.bits(3);
      bits.skip(isFlexible ? 1 : 9); // D, and TL0PICIDX
      bytes += isFlexible ? 1 : 2;
    }
    if (isFlexible && isPredicted) {
      bytes += skipReferences(bits);
    }
    if (hasStructure) {
      bytes += skipScalabilityStructure(bits);
    }
    return { bytes, isFrameStart, isFrameEnd, spatialLayer };
  });
}

/** P_DIFF, up to three, each with a bit that says whether another follows. */
function skipReferences(bits: BitReader): number {
  let count = 0;
  let hasMore = true;
  while (hasMore) {
    count += 1;
    if (count > MAX_REFERENCES) {
      throw new RangeError('more references than VP9 has');
    }
    bits.skip(7);
    hasMore = bits.flag();
  }
  return count;
}

/** §4.2.1: sizes of the layers and the group of pictures, which the bitstream says as well. */
function skipScalabilityStructure(bits: BitReader): number {
  const spatialLayers = bits.bits(3) + 1;
  const hasSizes = bits.flag();
  const hasGroup = bits.flag();
  bits.skip(3);
  let bytes = 1;
  if (hasSizes) {
    bits.skip(32 * spatialLayers);
    bytes += 4 * spatialLayers;
  }
  if (hasGroup) {
    const pictures = bits.bits(8);
    bytes += 1;
    for (let picture = 0; picture < pictures; picture += 1) {
      bits.skip(4); // TID, U
      const references = bits.bits(2);
      bits.skip(2 + 8 * references);
      bytes += 1 + references;
    }
  }
  return bytes;
}

/** The start of the uncompressed header (VP9 bitstream §6.2); `size` on keyframes. */
function readHeader(data: Uint8Array): { readonly size: Size | undefined } {
  const bits = new BitReader(data);
  if (bits.bits(2) !== 2) {
    throw new RangeError('frame_marker');
  }
  const profile = bits.bits(1) + 2 * bits.bits(1);
  bits.skip(profile === 3 ? 1 : 0);
  const isRepeat = bits.flag();
  const isInter = isRepeat || bits.flag();
  if (isInter) {
    return { size: undefined };
  }
  bits.skip(2); // show_frame, error_resilient_mode
  if (bits.bits(24) !== SYNC_CODE) {
    throw new RangeError('frame_sync_code');
  }
  bits.skip(profile >= 2 ? 1 : 0); // ten_or_twelve_bit
  const isSrgb = bits.bits(3) === SRGB;
  const hasSubsampling = profile % 2 === 1;
  bits.skip(isSrgb ? (hasSubsampling ? 1 : 0) : hasSubsampling ? 4 : 1);
  return { size: { width: bits.bits(16) + 1, height: bits.bits(16) + 1 } };
}
