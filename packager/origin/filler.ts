/**
 * What DASH is given where HLS says GAP: `$Number$` cannot say that a segment is missing, so a valid
 * one is made of the last picture held, or of silence (architecture §2).
 */
import { type Ticks, ticks } from '../../infra/kernel/time.ts';
import { BoxSplitter, chunk, parseFragment, type Sample, type TrackInit } from '../cmaf/index.ts';
import type { ByteRange } from '../playlists/model.ts';

const AAC_FRAME_TICKS = 1024;

// Raw AAC-LC frames of silence, by channel count; decoded by the integration test.
const SILENT_AAC: Readonly<Record<number, Uint8Array>> = {
  1: Uint8Array.of(0x00, 0xc8, 0x00, 0x80, 0x23, 0x80),
  2: Uint8Array.of(0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80),
};

/**
 * The whole segment as one chunk, or undefined where nothing can stand in (no picture yet, or more
 * channels than stereo).
 *
 * @param heldPicture the last sync sample made with the same header (video)
 */
export function fillerSegment(
  init: TrackInit,
  span: { readonly start: Ticks; readonly duration: Ticks },
  heldPicture: Uint8Array | undefined,
): Uint8Array | undefined {
  const samples =
    init.kind === 'video' ? heldFor(span, heldPicture) : silenceFor(span, init.channels ?? 0);
  return samples.length === 0
    ? undefined
    : chunk(samples, { trackId: init.trackId, sequenceNumber: 1, isSegmentStart: true });
}

/**
 * The first sync sample of a segment's first chunk: what a filler behind it holds on to. `range` is
 * from the segment's first byte to the sample's end, where it is the first sample.
 *
 * @param bytes a segment, or as much of it as its first chunk
 * @returns undefined for audio, and where there is none. Never throws: files are read back with it.
 */
export function firstPicture(
  bytes: Uint8Array | undefined,
  init: TrackInit,
): { readonly data: Uint8Array; readonly range: ByteRange | undefined } | undefined {
  try {
    return init.kind === 'video' && bytes !== undefined ? pictureIn(bytes, init) : undefined;
  } catch {
    return undefined;
  }
}

function pictureIn(bytes: Uint8Array, init: TrackInit): ReturnType<typeof firstPicture> {
  const boxes = new BoxSplitter().push(bytes);
  const at = boxes.findIndex(({ type }) => type === 'moof');
  const moof = boxes[at];
  const mdat = boxes[at + 1];
  const samples = moof === undefined || mdat === undefined ? [] : parseFragment(moof, mdat, init);
  const picture = samples.find((sample) => sample.isSync);
  if (picture === undefined) {
    return undefined;
  }
  // The mdat is the chunk's last box: what follows its first sample is the other samples.
  const upToMdat = boxes.slice(0, at + 2).reduce((sum, box) => sum + box.bytes.length, 0);
  const others = samples.slice(1).reduce((sum, { data }) => sum + data.length, 0);
  return {
    data: new Uint8Array(picture.data),
    range: picture === samples[0] ? { offset: 0, length: upToMdat - others } : undefined,
  };
}

function heldFor(
  span: { readonly start: Ticks; readonly duration: Ticks },
  picture: Uint8Array | undefined,
): Sample[] {
  return picture === undefined ? [] : [sampleOf(span.start, span.duration, picture)];
}

function silenceFor(
  span: { readonly start: Ticks; readonly duration: Ticks },
  channels: number,
): Sample[] {
  const data = SILENT_AAC[channels];
  const count = data === undefined ? 0 : Math.round(span.duration / AAC_FRAME_TICKS);
  return Array.from({ length: count }, (_, index) =>
    sampleOf(
      ticks(span.start + index * AAC_FRAME_TICKS),
      AAC_FRAME_TICKS,
      data ?? new Uint8Array(),
    ),
  );
}

function sampleOf(dts: Ticks, duration: number, data: Uint8Array): Sample {
  return { dts, duration, compositionOffset: 0, isSync: true, data };
}
