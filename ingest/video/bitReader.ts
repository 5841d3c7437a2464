/** Reads the bit-packed headers of video codecs. Pure. */

/** Reads bits from the left; throws RangeError past the end, which `readOrUndefined` turns away. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  flag(): boolean {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) {
      throw new RangeError('past the end of the header');
    }
    const bit = (byte >> (7 - (this.#at & 7))) & 1;
    this.#at += 1;
    return bit === 1;
  }

  /** f(count) or u(count): an unsigned number of `count` bits, at most 53. */
  bits(count: number): number {
    let value = 0;
    for (let bit = 0; bit < count; bit += 1) {
      value = value * 2 + (this.flag() ? 1 : 0);
    }
    return value;
  }

  /** Leaves `count` bits out. */
  skip(count: number): void {
    this.#at += count;
  }

  /** ue(v) of H.264 and H.265 (§9.1, §9.2); AV1's uvlc() is the same code (§4.10.3). */
  ue(): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros += 1;
      if (zeros > 31) {
        throw new RangeError('Exp-Golomb code is too long');
      }
    }
    return 2 ** zeros + this.bits(zeros) - 1;
  }

  /** se(v), H.264 §9.1.1. */
  se(): number {
    const code = this.ue();
    return code % 2 === 0 ? -code / 2 : (code + 1) / 2;
  }
}

/** What `read` gives; undefined where it ran past the end or met a value that cannot be. */
export function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
}

/** A NAL unit without its emulation prevention bytes (H.264 §7.4.1, H.265 §7.4.2). */
export function unescapeNal(nal: Uint8Array): Uint8Array {
  const out = new Uint8Array(nal.length);
  let length = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[length] = byte;
    length += 1;
  }
  return out.subarray(0, length);
}
