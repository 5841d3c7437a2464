/** Writes EBML elements (RFC 8794): IDs as given, sizes as vints. Pure. */

/** An element with a known size. `id` is written as it is in hexadecimal. */
export function element(id: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(parts);
  return concatBytes([idBytes(id), sizeBytes(body.byteLength), body]);
}

/** Head of an element of unknown size (RFC 8794 §6.2), 8 bytes of size as live muxers write it. */
export function unknownSizeElement(id: number): Uint8Array {
  return concatBytes([idBytes(id), Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255)]);
}

/** An unsigned integer element (RFC 8794 §7.2); `value` below 2^53. */
export function uintElement(id: number, value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest = Math.floor(rest / 256)) {
    bytes.unshift(rest % 256);
  }
  return element(id, Uint8Array.from(bytes));
}

/** A float element of 8 bytes (RFC 8794 §7.3). */
export function floatElement(id: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return element(id, bytes);
}

/** A string element of ASCII text (RFC 8794 §7.4). */
export function textElement(id: number, text: string): Uint8Array {
  return element(id, new TextEncoder().encode(text));
}

/** ID and size of an element whose body of `length` bytes the caller writes behind it. */
export function elementHead(id: number, length: number): Uint8Array {
  return concatBytes([idBytes(id), sizeBytes(length)]);
}

/** One array of all parts. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function idBytes(id: number): Uint8Array {
  const bytes = [24, 16, 8].filter((shift) => id >>> shift !== 0).map((shift) => id >>> shift);
  return Uint8Array.from([...bytes, id], (byte) => byte & 0xff);
}

/** A vint of 1, 4 or 8 bytes; all ones stays free, for it means unknown (RFC 8794 §6.2). */
function sizeBytes(size: number): Uint8Array {
  if (size < 0x7f) {
    return Uint8Array.of(0x80 | size);
  }
  const bytes = new Uint8Array(size < 0x0fff_ffff ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (bytes.byteLength === 4) {
    view.setUint32(0, 0x1000_0000 | size);
  } else {
    view.setBigUint64(0, (1n << 56n) | BigInt(size));
  }
  return bytes;
}
