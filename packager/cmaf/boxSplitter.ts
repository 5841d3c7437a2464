/** Cuts a byte stream into its top-level boxes (ISO/IEC 14496-12 §4.2), however it was sliced. */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { concatBytes, fourccAt } from './bytes.ts';

/** A whole box: `bytes` include its header. A view where it arrived in one slice: copy to keep. */
export type ReadBox = {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Where the payload starts in `bytes`: 8, or 16 behind a 64-bit size. */
  readonly headerBytes: number;
};

const DEFAULT_MAX_BOX_BYTES = 16 * 1024 * 1024;
const LARGE_HEADER_BYTES = 16;

/** `push` slices in, complete boxes come out; bounded by one box of at most `maxBoxBytes`. */
export class BoxSplitter {
  readonly #maxBoxBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #neededBytes = 8;

  constructor({ maxBoxBytes = DEFAULT_MAX_BOX_BYTES }: { readonly maxBoxBytes?: number } = {}) {
    this.#maxBoxBytes = maxBoxBytes;
  }

  /** Bytes of a box that is not complete yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @throws GatewayError `bad_media` on a size that no box can have or above the cap */
  push(slice: Uint8Array): ReadBox[] {
    this.#pending.push(slice);
    this.#pendingBytes += slice.length;
    const boxes: ReadBox[] = [];
    while (this.#pendingBytes >= this.#neededBytes) {
      const bytes = this.#joined();
      const header = boxHeader(bytes, bytes.length, this.#maxBoxBytes);
      if (bytes.length < header.size) {
        this.#neededBytes = header.size;
        break;
      }
      boxes.push({
        type: header.type,
        bytes: bytes.subarray(0, header.size),
        headerBytes: header.headerBytes,
      });
      this.#pending = bytes.length === header.size ? [] : [bytes.subarray(header.size)];
      this.#pendingBytes = bytes.length - header.size;
      this.#neededBytes = 8;
    }
    return boxes;
  }

  #joined(): Uint8Array {
    const [first] = this.#pending;
    const joined =
      first !== undefined && this.#pending.length === 1 ? first : concatBytes(this.#pending);
    this.#pending = [joined];
    return joined;
  }
}

/** Children of a container, `payload` being what stands behind its header. */
export function childBoxes(payload: Uint8Array): ReadBox[] {
  const boxes: ReadBox[] = [];
  for (let rest = payload; rest.length > 0;) {
    if (rest.length < 8) {
      throw new GatewayError('bad_media', `${rest.length} bytes behind the last box`);
    }
    const header = boxHeader(rest, rest.length, rest.length);
    if (header.size > rest.length) {
      throw new GatewayError('bad_media', `box ${header.type} overruns its container`);
    }
    boxes.push({
      type: header.type,
      bytes: rest.subarray(0, header.size),
      headerBytes: header.headerBytes,
    });
    rest = rest.subarray(header.size);
  }
  return boxes;
}

/** What stands behind the header of a box. */
export function payloadOf(box: ReadBox): Uint8Array {
  return box.bytes.subarray(box.headerBytes);
}

function boxHeader(
  bytes: Uint8Array,
  available: number,
  maxBytes: number,
): { size: number; type: string; headerBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = fourccAt(bytes, 4);
  let size = view.getUint32(0);
  let headerBytes = 8;
  if (size === 1) {
    // A 64-bit size stands behind the type; until it has arrived the header is the need.
    headerBytes = LARGE_HEADER_BYTES;
    size = available < LARGE_HEADER_BYTES ? LARGE_HEADER_BYTES : Number(view.getBigUint64(8));
  }
  // Size 0 (to the end of the file) has no place in a stream.
  if (size < headerBytes || size > maxBytes) {
    throw new GatewayError(
      'bad_media',
      `box ${JSON.stringify(type)} says ${size} bytes (allowed: ${headerBytes} to ${maxBytes})`,
    );
  }
  return { size, type, headerBytes };
}
