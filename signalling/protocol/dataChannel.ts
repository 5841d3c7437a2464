/**
 * Epic's data-channel "control API": the bytes of one SCTP message, both ways, by the default
 * protocol maps. Browser-safe leaf. Leaves to the caller which ids may be sent (the ingest's
 * allow-list) and what a message means.
 *
 * Framing: `u8 id` + payload, little-endian. To the streamer: fields packed by the structure, text
 * as `u16 count` + UTF-16LE. From the streamer: text is the whole rest, UTF-16LE, no length.
 */
import {
  DEFAULT_PROTOCOL,
  type FieldType,
  type FromStreamerProtocol,
  type ToStreamerProtocol,
} from './protocolMap.ts';

/** Largest message either way, bytes: what Chromium's SCTP takes. */
export const MAX_DATA_CHANNEL_BYTES = 262_144;
/** Largest freeze frame that a streamer may announce, bytes. Ours. */
export const MAX_FREEZE_FRAME_BYTES = 8 * 1024 * 1024;

const MAX_TO_STREAMER_TEXT = 0xffff;

/** A message that cannot be encoded: a mistake of the caller, or text from a user that is too long. */
export class DataChannelError extends Error {
  readonly code: 'unknown_message' | 'wrong_values' | 'too_large';

  constructor(code: DataChannelError['code'], message: string) {
    super(message);
    this.name = 'DataChannelError';
    this.code = code;
  }
}

/** Bytes that are not what they should be: unknown id (custom messages exist), or malformed. */
export type NotDecoded =
  | { readonly kind: 'unknown'; readonly id: number }
  | { readonly kind: 'invalid'; readonly reason: string };

/** A decoded message to the streamer; `values` in the order of its structure. */
export type ToStreamerMessage = {
  readonly name: string;
  readonly values: readonly (number | string)[];
};

const OWNERSHIP_NAMES = ['QualityControlOwnership', 'InputControlOwnership'] as const;
const TEXT_NAMES = [
  'Response',
  'Command',
  'VideoEncoderAvgQP',
  'LatencyTest',
  'InitialSettings',
  'FileExtension',
  'FileMimeType',
  'GamepadResponse',
  'DataChannelLatencyTest',
  'Protocol',
] as const;
const CHUNK_NAMES = ['FreezeFrame', 'FileContents'] as const;

/** A message from the streamer. Names and ids: the frontend's StreamMessageController. */
export type FromStreamerMessage =
  | {
      readonly kind: 'ownership';
      readonly name: (typeof OWNERSHIP_NAMES)[number];
      readonly hasControl: boolean;
    }
  | { readonly kind: 'text'; readonly name: (typeof TEXT_NAMES)[number]; readonly text: string }
  /** One piece of a file of `totalBytes`; pieces are concatenated until the total. */
  | {
      readonly kind: 'chunk';
      readonly name: (typeof CHUNK_NAMES)[number];
      readonly totalBytes: number;
      readonly chunk: Uint8Array;
    }
  | { readonly kind: 'empty'; readonly name: 'UnfreezeFrame' }
  /** TestEcho, and messages that an application added: a view of the payload. */
  | { readonly kind: 'raw'; readonly name: string; readonly payload: Uint8Array };

/**
 * Bytes of a message to the streamer.
 * @throws DataChannelError when the name is unknown, values do not fit the structure, or text has
 * more than 65535 UTF-16 units
 */
export function encodeToStreamer(
  name: string,
  values: readonly (number | string)[] = [],
  protocol: ToStreamerProtocol = DEFAULT_PROTOCOL.toStreamer,
): Uint8Array<ArrayBuffer> {
  const layout = protocol.get(name);
  if (layout === undefined) {
    throw new DataChannelError('unknown_message', `${name} is not in the protocol`);
  }
  if (layout.structure.length !== values.length) {
    throw new DataChannelError('wrong_values', `${name} takes ${layout.structure.length} values`);
  }
  const bytes = new Uint8Array(
    1 + layout.structure.reduce((sum, type, index) => sum + sizeOf(name, type, values[index]), 0),
  );
  const view = new DataView(bytes.buffer);
  view.setUint8(0, layout.id);
  let offset = 1;
  layout.structure.forEach((type, index) => {
    offset = writeField(view, offset, type, values[index] ?? 0);
  });
  return checkSize(name, bytes);
}

/** Reads a message to the streamer; trailing bytes are refused. Never throws. */
export function decodeToStreamer(
  bytes: Uint8Array,
  protocol: ToStreamerProtocol = DEFAULT_PROTOCOL.toStreamer,
): { readonly kind: 'message'; readonly message: ToStreamerMessage } | NotDecoded {
  const id = bytes[0];
  if (id === undefined || bytes.length > MAX_DATA_CHANNEL_BYTES) {
    return invalid('empty or too large');
  }
  for (const [name, layout] of protocol) {
    if (layout.id === id) {
      const values = readFields(bytes, layout.structure);
      return values === undefined
        ? invalid(`${name} does not fit its structure`)
        : { kind: 'message', message: { name, values } };
    }
  }
  return { kind: 'unknown', id };
}

/**
 * Bytes of a message from the streamer.
 * @throws DataChannelError when the name has no id or the message is over 256 KiB
 */
export function encodeFromStreamer(
  message: FromStreamerMessage,
  protocol: FromStreamerProtocol = DEFAULT_PROTOCOL.fromStreamer,
): Uint8Array<ArrayBuffer> {
  const id = protocol.get(message.name);
  if (id === undefined) {
    throw new DataChannelError('unknown_message', `${message.name} is not in the protocol`);
  }
  const payload = payloadOf(message);
  const bytes = new Uint8Array(1 + payload.length);
  bytes[0] = id;
  bytes.set(payload, 1);
  return checkSize(message.name, bytes);
}

/** Reads a message from the streamer; `chunk` and `payload` are views of `bytes`. Never throws. */
export function decodeFromStreamer(
  bytes: Uint8Array,
  protocol: FromStreamerProtocol = DEFAULT_PROTOCOL.fromStreamer,
): { readonly kind: 'message'; readonly message: FromStreamerMessage } | NotDecoded {
  const id = bytes[0];
  if (id === undefined || bytes.length > MAX_DATA_CHANNEL_BYTES) {
    return invalid('empty or too large');
  }
  for (const [name, known] of protocol) {
    if (known === id) {
      const message = readFromStreamer(name, bytes.subarray(1));
      return typeof message === 'string' ? invalid(message) : { kind: 'message', message };
    }
  }
  return { kind: 'unknown', id };
}

/** Puts the chunks of a freeze frame (a JPEG) together; bounded by `MAX_FREEZE_FRAME_BYTES`. */
export class FreezeFrameAssembler {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** Takes a chunk, which is copied; gives the whole file when its total is reached. */
  push(totalBytes: number, chunk: Uint8Array): Uint8Array | undefined {
    if (this.#bytes + chunk.length > Math.min(totalBytes, MAX_FREEZE_FRAME_BYTES)) {
      this.reset();
      return undefined;
    }
    this.#chunks.push(chunk.slice());
    this.#bytes += chunk.length;
    if (this.#bytes < totalBytes) {
      return undefined;
    }
    const whole = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const part of this.#chunks) {
      whole.set(part, offset);
      offset += part.length;
    }
    this.reset();
    return whole;
  }

  /** Forgets what came so far: on `UnfreezeFrame`. */
  reset(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }
}

function readFromStreamer(name: string, payload: Uint8Array): FromStreamerMessage | string {
  if (isOneOf(OWNERSHIP_NAMES, name)) {
    const flag = payload[0];
    return flag === undefined
      ? `${name} without its flag`
      : { kind: 'ownership', name, hasControl: flag !== 0 };
  }
  if (isOneOf(TEXT_NAMES, name)) {
    return payload.length % 2 === 0
      ? { kind: 'text', name, text: decodeUtf16(payload) }
      : `${name} is not UTF-16`;
  }
  if (isOneOf(CHUNK_NAMES, name)) {
    return readChunk(name, payload);
  }
  return name === 'UnfreezeFrame' ? { kind: 'empty', name } : { kind: 'raw', name, payload };
}

function readChunk(
  name: (typeof CHUNK_NAMES)[number],
  payload: Uint8Array,
): FromStreamerMessage | string {
  if (payload.length < 4) {
    return `${name} without its size`;
  }
  const totalBytes = viewOf(payload).getInt32(0, true);
  const chunk = payload.subarray(4);
  return totalBytes < chunk.length || totalBytes > MAX_FREEZE_FRAME_BYTES
    ? `${name} of ${totalBytes} bytes`
    : { kind: 'chunk', name, totalBytes, chunk };
}

function payloadOf(message: FromStreamerMessage): Uint8Array {
  switch (message.kind) {
    case 'ownership':
      return Uint8Array.of(message.hasControl ? 1 : 0);
    case 'text':
      return encodeUtf16(message.text);
    case 'chunk': {
      const payload = new Uint8Array(4 + message.chunk.length);
      viewOf(payload).setInt32(0, message.totalBytes, true);
      payload.set(message.chunk, 4);
      return payload;
    }
    case 'empty':
      return new Uint8Array(0);
    case 'raw':
      return message.payload;
  }
}

const FIXED_SIZES = { uint8: 1, uint16: 2, int16: 2, float: 4, double: 8 } as const;
const INTEGER_RANGES = {
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  int16: [-0x8000, 0x7fff],
} as const;

function sizeOf(name: string, type: FieldType, value: number | string | undefined): number {
  if (type === 'string') {
    if (typeof value !== 'string') {
      throw new DataChannelError('wrong_values', `${name} takes text`);
    }
    if (value.length > MAX_TO_STREAMER_TEXT) {
      throw new DataChannelError('too_large', `${name} takes at most 65535 characters`);
    }
    return 2 + 2 * value.length;
  }
  if (typeof value !== 'number') {
    throw new DataChannelError('wrong_values', `${name} takes a number`);
  }
  if (type !== 'float' && type !== 'double') {
    const [least, most] = INTEGER_RANGES[type];
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new DataChannelError('wrong_values', `${name}: ${value} is not ${type}`);
    }
  }
  return FIXED_SIZES[type];
}

function writeField(
  view: DataView,
  offset: number,
  type: FieldType,
  value: number | string,
): number {
  if (typeof value === 'string') {
    view.setUint16(offset, value.length, true);
    new Uint8Array(view.buffer).set(encodeUtf16(value), offset + 2);
    return offset + 2 + 2 * value.length;
  }
  switch (type) {
    case 'uint8':
      view.setUint8(offset, value);
      return offset + 1;
    case 'uint16':
      view.setUint16(offset, value, true);
      return offset + 2;
    case 'int16':
      view.setInt16(offset, value, true);
      return offset + 2;
    case 'float':
      view.setFloat32(offset, value, true);
      return offset + 4;
    case 'double':
      view.setFloat64(offset, value, true);
      return offset + 8;
    case 'string':
      return offset;
  }
}

function readFields(
  bytes: Uint8Array,
  structure: readonly FieldType[],
): (number | string)[] | undefined {
  const view = viewOf(bytes);
  const values: (number | string)[] = [];
  let offset = 1;
  for (const type of structure) {
    const size = type === 'string' ? textSize(view, offset) : FIXED_SIZES[type];
    if (offset + size > bytes.length) {
      return undefined;
    }
    values.push(
      type === 'string'
        ? decodeUtf16(bytes.subarray(offset + 2, offset + size))
        : readNumber(view, offset, type),
    );
    offset += size;
  }
  return offset === bytes.length ? values : undefined;
}

function textSize(view: DataView, offset: number): number {
  return offset + 2 > view.byteLength ? Infinity : 2 + 2 * view.getUint16(offset, true);
}

function readNumber(view: DataView, offset: number, type: keyof typeof FIXED_SIZES): number {
  switch (type) {
    case 'uint8':
      return view.getUint8(offset);
    case 'uint16':
      return view.getUint16(offset, true);
    case 'int16':
      return view.getInt16(offset, true);
    case 'float':
      return view.getFloat32(offset, true);
    case 'double':
      return view.getFloat64(offset, true);
  }
}

function encodeUtf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  const view = viewOf(bytes);
  for (let index = 0; index < text.length; index += 1) {
    view.setUint16(2 * index, text.charCodeAt(index), true);
  }
  return bytes;
}

function decodeUtf16(bytes: Uint8Array): string {
  return new TextDecoder('utf-16le', { ignoreBOM: true }).decode(bytes);
}

function checkSize(name: string, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length > MAX_DATA_CHANNEL_BYTES) {
    throw new DataChannelError('too_large', `${name} has ${bytes.length} bytes`);
  }
  return bytes;
}
function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
function invalid(reason: string): NotDecoded {
  return { kind: 'invalid', reason };
}
function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}
