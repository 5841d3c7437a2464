/** VP8 pictures out of RTP payloads (RFC 7741). */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { concatBytes } from './bytes.ts';
import type { Picture, PictureReader } from './picture.ts';

/** Payload descriptor, §4.2: flags of its first byte and of the extension. */
const HAS_EXTENSION = 0x80;
const STARTS_PARTITION = 0x10;
const PARTITION_INDEX = 0x07;
const HAS_PICTURE_ID = 0x80;
const HAS_TL0PICIDX = 0x40;
const HAS_TID_OR_KEYIDX = 0x30;
const LONG_PICTURE_ID = 0x80;
/** Frame tag and start code of a keyframe (RFC 6386 §9.1). */
const KEYFRAME_HEADER_BYTES = 10;

/** Temporal layers are taken as they come: all of them are sent to a receiver like this. */
export class Vp8Reader implements PictureReader {
  #parts: Uint8Array[] = [];
  #parameters: VideoParameters | undefined;
  #hasChanged = false;

  push(payload: Uint8Array): boolean {
    const length = descriptorBytes(payload);
    if (length >= payload.length || this.isKeyframeStart(payload) !== (this.#parts.length === 0)) {
      return false;
    }
    this.#parts.push(payload.subarray(length));
    return true;
  }

  /** S set and PID 0: the first packet of the first partition (§4.2). */
  isKeyframeStart([first = 0]: Uint8Array): boolean {
    return (first & STARTS_PARTITION) !== 0 && (first & PARTITION_INDEX) === 0;
  }

  finish(): Picture | 'damaged' | undefined {
    const data = concatBytes(this.#parts);
    this.#parts = [];
    const [tag] = data;
    if (tag === undefined) {
      return undefined;
    }
    // The first bit of the frame tag is the inverse of "key frame" (RFC 6386 §9.1).
    const isKeyframe = (tag & 1) === 0;
    if (isKeyframe && !this.#readSize(data)) {
      return 'damaged';
    }
    return { data, isKeyframe };
  }

  takeParameters(): VideoParameters | undefined {
    const parameters = this.#hasChanged ? this.#parameters : undefined;
    this.#hasChanged = false;
    return parameters;
  }

  reset(): void {
    this.#parts = [];
  }

  #readSize(data: Uint8Array): boolean {
    const [, , , a, b, c, w0 = 0, w1 = 0, h0 = 0, h1 = 0] = data;
    if (data.length < KEYFRAME_HEADER_BYTES || a !== 0x9d || b !== 0x01 || c !== 0x2a) {
      return false;
    }
    // 14 bits of size; the two above ask for upscaling, which decoders leave to the display.
    const width = ((w1 & 0x3f) << 8) | w0;
    const height = ((h1 & 0x3f) << 8) | h0;
    if (width === 0 || height === 0) {
      return false;
    }
    if (this.#parameters?.width !== width || this.#parameters.height !== height) {
      this.#parameters = { codec: 'vp8', width, height, decoderConfiguration: new Uint8Array(0) };
      this.#hasChanged = true;
    }
    return true;
  }
}

/** Length of the payload descriptor (§4.2), which may reach past the payload. */
function descriptorBytes([first = 0, extension = 0, pictureId = 0]: Uint8Array): number {
  if ((first & HAS_EXTENSION) === 0) {
    return 1;
  }
  const idBytes =
    (extension & HAS_PICTURE_ID) === 0 ? 0 : (pictureId & LONG_PICTURE_ID) === 0 ? 1 : 2;
  return (
    2 +
    idBytes +
    ((extension & HAS_TL0PICIDX) === 0 ? 0 : 1) +
    ((extension & HAS_TID_OR_KEYIDX) === 0 ? 0 : 1)
  );
}
