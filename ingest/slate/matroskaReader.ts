/**
 * Reads what ffmpeg's Matroska muxer wrote to a pipe (RFC 9559): the video track's private data and
 * its frames. Frames and private data come out as the feed wants them, whatever the codec. Pure.
 */

/** What was in the file. */
export type MatroskaVideo = {
  readonly codecPrivate: Uint8Array;
  readonly frames: readonly { readonly data: Uint8Array; readonly isKeyframe: boolean }[];
};

const ID = {
  Segment: 0x18538067,
  Tracks: 0x1654ae6b,
  TrackEntry: 0xae,
  CodecPrivate: 0x63a2,
  Cluster: 0x1f43b675,
  SimpleBlock: 0xa3,
  BlockGroup: 0xa0,
  Block: 0xa1,
  ReferenceBlock: 0xfb,
} as const;
const DESCENDED: ReadonlySet<number> = new Set([
  ID.Segment,
  ID.Tracks,
  ID.TrackEntry,
  ID.Cluster,
  ID.BlockGroup,
]);
/** One byte of track number, two of time, one of flags. */
const BLOCK_HEAD_BYTES = 4;
const KEYFRAME_FLAG = 0x80;

/** Reads a file of one video track without lacing; what it does not know it passes over. */
export function readMatroskaVideo(file: Uint8Array): MatroskaVideo {
  let codecPrivate: Uint8Array = new Uint8Array();
  const frames: { data: Uint8Array; isKeyframe: boolean }[] = [];
  const walk = (from: number, to: number): void => {
    for (let at = from; at < to;) {
      const id = readVint(file, at, false);
      const size = readVint(file, at + id.bytes, true);
      const start = at + id.bytes + size.bytes;
      const end = Math.min(to, size.value === undefined ? to : start + size.value);
      const body = file.subarray(start, end);
      if (DESCENDED.has(id.value ?? 0)) {
        walk(start, end);
      } else if (id.value === ID.CodecPrivate) {
        codecPrivate = body;
      } else if (id.value === ID.SimpleBlock || id.value === ID.Block) {
        const isKeyframe = id.value === ID.Block || ((body[3] ?? 0) & KEYFRAME_FLAG) !== 0;
        frames.push({ data: body.subarray(BLOCK_HEAD_BYTES), isKeyframe });
      } else if (id.value === ID.ReferenceBlock) {
        const last = frames.at(-1);
        if (last !== undefined) {
          last.isKeyframe = false;
        }
      }
      at = Math.max(end, at + 1);
    }
  };
  walk(0, file.length);
  return { codecPrivate, frames };
}

/** A variable-size integer (RFC 8794 §4): an id with its marker, or a size; undefined where unknown. */
function readVint(
  bytes: Uint8Array,
  at: number,
  isSize: boolean,
): { readonly value: number | undefined; readonly bytes: number } {
  const first = bytes[at] ?? 0;
  const length = Math.clz32(first) - 23;
  let value = isSize ? first & (0xff >> length) : first;
  let isUnknown = isSize && value === 0xff >> length;
  for (let index = 1; index < length; index += 1) {
    const next = bytes[at + index] ?? 0;
    isUnknown &&= next === 0xff;
    value = value * 256 + next;
  }
  return { value: isUnknown ? undefined : value, bytes: length };
}
