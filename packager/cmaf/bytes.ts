/** Bounds-checked big-endian reading, and concatenation: every number of a peer's boxes comes through here. */
import { GatewayError } from '../../infra/kernel/errors.ts';

/** Reads forward through a view it does not own; a read past the end is `bad_media`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #offset = 0;

  /** @param what named in the error: the box that is read */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  /** An unsigned 64-bit number that must be a safe integer. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new GatewayError('bad_media', `${this.#what}: ${value} is beyond 2^53`);
    }
    return Number(value);
  }

  fourcc(): string {
    return fourccAt(this.#bytes, this.#take(4));
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length < 0 || start + length > this.#bytes.length) {
      throw new GatewayError('bad_media', `${this.#what}: ends after ${this.#bytes.length} bytes`);
    }
    this.#offset = start + length;
    return start;
  }
}

/** Four characters (Latin-1) at `offset`; the caller has checked the bounds. */
export function fourccAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(
    bytes[offset] ?? 0,
    bytes[offset + 1] ?? 0,
    bytes[offset + 2] ?? 0,
    bytes[offset + 3] ?? 0,
  );
}

/** One array of all slices, copied. */
export function concatBytes(slices: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(slices.reduce((sum, slice) => sum + slice.length, 0));
  let offset = 0;
  for (const slice of slices) {
    all.set(slice, offset);
    offset += slice.length;
  }
  return all;
}
