/**
 * AV1 temporal units out of RTP payloads (RTP Payload Format for AV1 v1.0), as Matroska carries
 * them: OBUs with sizes, no temporal delimiters. Of several spatial layers only the base is taken.
 */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { type Av1Sequence, av1Configuration, parseSequenceHeader } from './av1Sequence.ts';
import { concatBytes, isSameBytes } from './bytes.ts';
import { MAX_PICTURE_BYTES, type Picture, type PictureReader } from './picture.ts';

/** Aggregation header (§4.4). */
const CONTINUES = 0x80;
const IS_CONTINUED = 0x40;
const STARTS_SEQUENCE = 0x08;
/** OBU header (AV1 bitstream §5.3.2). */
const HAS_EXTENSION = 0x04;
const HAS_SIZE = 0x02;
const OBU = {
  sequenceHeader: 1,
  temporalDelimiter: 2,
  frameHeader: 3,
  frame: 6,
  tileList: 8,
  padding: 15,
} as const;
const DROPPED: ReadonlySet<number> = new Set([OBU.temporalDelimiter, OBU.tileList, OBU.padding]);

type Obu = { readonly type: number; readonly payload: Uint8Array; readonly bytes: Uint8Array };

/** See the file's comment. */
export class Av1Reader implements PictureReader {
  #fragments: Uint8Array[] = [];
  #fragmentBytes = 0;
  #obus: Obu[] = [];
  #sequence: { readonly obu: Obu; readonly parsed: Av1Sequence } | undefined;
  #hasChanged = false;

  push(payload: Uint8Array): boolean {
    const [header = 0] = payload;
    const elements = readElements(payload);
    if (elements === undefined || ((header & CONTINUES) !== 0) !== this.#fragments.length > 0) {
      return false;
    }
    return elements.every((element, index) => {
      this.#fragments.push(element);
      this.#fragmentBytes += element.length;
      const isOpen = index === elements.length - 1 && (header & IS_CONTINUED) !== 0;
      return isOpen ? this.#fragmentBytes <= MAX_PICTURE_BYTES : this.#endObu();
    });
  }

  /** N: the first packet of a coded video sequence, which begins with a keyframe (§4.4). */
  isKeyframeStart([header = 0]: Uint8Array): boolean {
    return (header & STARTS_SEQUENCE) !== 0 && (header & CONTINUES) === 0;
  }

  finish(): Picture | 'damaged' | undefined {
    if (this.#fragments.length > 0) {
      return 'damaged';
    }
    const obus = this.#obus;
    this.#obus = [];
    const header = obus.find(({ type }) => type === OBU.frame || type === OBU.frameHeader);
    if (header === undefined) {
      return undefined;
    }
    const sequence = obus.find(({ type }) => type === OBU.sequenceHeader);
    if (sequence !== undefined && !this.#learn(sequence)) {
      return 'damaged';
    }
    const isKeyframe = isShownKeyframe(header.payload);
    if (!isKeyframe) {
      return { data: concatBytes(obus.map(({ bytes }) => bytes)), isKeyframe };
    }
    if (this.#sequence === undefined) {
      return 'damaged';
    }
    const whole = sequence === undefined ? [this.#sequence.obu, ...obus] : obus;
    return { data: concatBytes(whole.map(({ bytes }) => bytes)), isKeyframe };
  }

  takeParameters(): VideoParameters | undefined {
    if (!this.#hasChanged || this.#sequence === undefined) {
      return undefined;
    }
    this.#hasChanged = false;
    const { obu, parsed } = this.#sequence;
    const { width, height } = parsed;
    const decoderConfiguration = av1Configuration(parsed, obu.bytes);
    return { codec: 'av1', width, height, decoderConfiguration };
  }

  reset(): void {
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#obus = [];
  }

  #endObu(): boolean {
    const [first] = this.#fragments;
    const isWhole = first !== undefined && this.#fragments.length === 1;
    const obu = readObu(isWhole ? first : concatBytes(this.#fragments));
    this.#fragments = [];
    this.#fragmentBytes = 0;
    if (obu === 'dropped') {
      return true;
    }
    if (obu !== undefined) {
      this.#obus.push(obu);
    }
    return obu !== undefined;
  }

  /** Keeps a copy: packets' buffers are not kept alive. */
  #learn(obu: Obu): boolean {
    if (this.#sequence !== undefined && isSameBytes(this.#sequence.obu.bytes, obu.bytes)) {
      return true;
    }
    const parsed = parseSequenceHeader(obu.payload);
    if (parsed !== undefined) {
      this.#sequence = { obu: { ...obu, bytes: obu.bytes.slice() }, parsed };
      this.#hasChanged = true;
    }
    return parsed !== undefined;
  }
}

/** OBU elements of a payload (§4.3); undefined where their lengths do not add up. */
function readElements(payload: Uint8Array): Uint8Array[] | undefined {
  const count = ((payload[0] ?? 0) >> 4) & 3;
  const elements: Uint8Array[] = [];
  let at = 1;
  while (at < payload.length) {
    let length = payload.length - at;
    // W says how many there are, and that the last is without a length; 0 that all have one.
    if (count === 0 || elements.length < count - 1) {
      const coded = readLeb128(payload, at);
      if (coded === undefined || coded.value > length - coded.bytes) {
        return undefined;
      }
      at += coded.bytes;
      length = coded.value;
    }
    if (length === 0) {
      return undefined;
    }
    elements.push(payload.subarray(at, at + length));
    at += length;
  }
  return elements.length > 0 && (count === 0 || elements.length === count) ? elements : undefined;
}

/** One OBU, given a size where it has none; undefined where it is malformed. */
function readObu(element: Uint8Array): Obu | 'dropped' | undefined {
  const [header = 0x80, extension = 0] = element;
  const type = (header >> 3) & 0x0f;
  const hasExtension = (header & HAS_EXTENSION) !== 0;
  const headBytes = hasExtension ? 2 : 1;
  if ((header & 0x80) !== 0 || element.length < headBytes) {
    return undefined;
  }
  const spatialLayer = hasExtension ? (extension >> 3) & 3 : 0;
  if (DROPPED.has(type) || spatialLayer > 0) {
    return 'dropped';
  }
  let payload = element.subarray(headBytes);
  if ((header & HAS_SIZE) !== 0) {
    const coded = readLeb128(payload, 0);
    if (coded === undefined || coded.value > payload.length - coded.bytes) {
      return undefined;
    }
    payload = payload.subarray(coded.bytes, coded.bytes + coded.value);
  }
  const head = hasExtension ? [header | HAS_SIZE, extension] : [header | HAS_SIZE];
  const bytes = concatBytes([Uint8Array.of(...head, ...leb128(payload.length)), payload]);
  return { type, payload, bytes };
}

/** KEY_FRAME that is shown: the first bits of uncompressed_header() (AV1 bitstream §5.9.2). */
function isShownKeyframe([first = 0x80]: Uint8Array): boolean {
  const isRepeat = (first & 0x80) !== 0;
  const frameType = (first >> 5) & 3;
  const isShown = (first & 0x10) !== 0;
  return !isRepeat && frameType === 0 && isShown;
}

/** AV1 bitstream §4.10.5; no more than 4 bytes are of use here. */
function readLeb128(
  bytes: Uint8Array,
  at: number,
): { readonly value: number; readonly bytes: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) {
      return undefined;
    }
    value += (byte & 0x7f) * 2 ** (7 * index);
    if ((byte & 0x80) === 0) {
      return { value, bytes: index + 1 };
    }
  }
  return undefined;
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest >>= 7) {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
  }
  return bytes;
}
