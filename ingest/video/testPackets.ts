/** Pictures cut into RTP payloads, as a sender of each codec would: for tests alone. */
import type { VideoCodec } from '../../infra/kernel/media.ts';

/** A picture: the frame of VP8 and VP9, NAL units, or OBUs without sizes. */
export type TestPicture = readonly Uint8Array[];

/** A picture of a codec in payloads of at most about `pieceBytes`. */
export function packetize(
  codec: VideoCodec,
  picture: TestPicture,
  pieceBytes: number,
): Uint8Array[] {
  return CUT[codec](picture, Math.max(1, pieceBytes));
}

const NONE = new Uint8Array(0);

const CUT: Record<VideoCodec, (picture: TestPicture, pieceBytes: number) => Uint8Array[]> = {
  vp8: ([frame = NONE], pieceBytes) =>
    pieces(frame, pieceBytes).map((piece, index) => join([index === 0 ? 0x10 : 0], piece)),
  // Non-flexible, with a long picture ID and layer indices.
  vp9: ([frame = NONE], pieceBytes) =>
    pieces(frame, pieceBytes).map((piece, index, { length }) => {
      const flags = 0xa0 | (index === 0 ? 0x08 : 0) | (index === length - 1 ? 0x04 : 0);
      return join([flags, 0x81, 0x23, 0x00, 0x07], piece);
    }),
  av1: (obus, pieceBytes) =>
    obus.flatMap((obu, nth) =>
      pieces(obu, pieceBytes).map((piece, index, { length }) => {
        const isContinued = index < length - 1 ? 0x40 : 0;
        const isFirst = nth === 0 && index === 0 && (byteOf(obu, 0) >> 3) % 16 === 1 ? 0x08 : 0;
        return join([0x10 | (index > 0 ? 0x80 : 0) | isContinued | isFirst], piece);
      }),
    ),
  h264: (nals, pieceBytes) =>
    nals.flatMap((nal) =>
      fragments(nal, 1, pieceBytes, (flags) => [
        (byteOf(nal, 0) & 0xe0) | 28,
        flags | (byteOf(nal, 0) & 0x1f),
      ]),
    ),
  h265: (nals, pieceBytes) =>
    nals.flatMap((nal) =>
      fragments(nal, 2, pieceBytes, (flags) => [
        (byteOf(nal, 0) & 0x81) | (49 << 1),
        byteOf(nal, 1),
        flags | ((byteOf(nal, 0) >> 1) & 0x3f),
      ]),
    ),
};

/** A NAL unit in fragments behind `head`, or whole where it fits. */
function fragments(
  nal: Uint8Array,
  headerBytes: number,
  pieceBytes: number,
  head: (flags: number) => number[],
): Uint8Array[] {
  const cut = pieces(nal.subarray(headerBytes), pieceBytes);
  return cut.length < 2
    ? [nal]
    : cut.map((piece, index) =>
        join(head((index === 0 ? 0x80 : 0) | (index === cut.length - 1 ? 0x40 : 0)), piece),
      );
}

function pieces(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / pieceBytes));
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  );
}

function join(head: readonly number[], body: Uint8Array): Uint8Array {
  return Uint8Array.of(...head, ...body);
}

function byteOf(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
