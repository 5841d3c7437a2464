/** Writes CMAF chunks (ISO/IEC 23000-19 §7.3.2.3): one moof, one mdat, one track. */
import type { Sample } from './fragment.ts';
import {
  type Box,
  boxBytes,
  mdat,
  mfhd,
  moof,
  sampleFlags,
  styp,
  tfdt,
  tfhd,
  traf,
  trun,
  type TrunLayout,
  writeBoxes,
} from './boxes.ts';

/** Where a chunk stands. */
export type ChunkOptions = {
  readonly trackId: number;
  /** Of the mfhd; grows by one for each chunk of a track. */
  readonly sequenceNumber: number;
  /** Puts a `styp` before it: the first chunk of a segment. */
  readonly isSegmentStart?: boolean;
};

/** `styp` of every segment: DASH media segment, CMAF segment, CMAF chunk. */
export const SEGMENT_TYPE: Box = styp('msdh', ['msdh', 'cmfs', 'cmfl']);

/**
 * The bytes of a chunk, copied out of the samples.
 *
 * @param samples at least one, contiguous in decode time
 */
export function chunk(samples: readonly Sample[], options: ChunkOptions): Uint8Array {
  const [first] = samples;
  if (first === undefined) {
    throw new RangeError('a chunk has at least one sample');
  }
  const layout: TrunLayout = {
    hasDurations: samples.some((sample) => sample.duration !== first.duration),
    hasFlags: samples.some((sample) => sample.isSync !== first.isSync),
    hasOffsets: samples.some((sample) => sample.compositionOffset !== 0),
  };
  const fragment = (dataOffset: number): Box =>
    moof([
      mfhd(options.sequenceNumber),
      traf([
        tfhd(options.trackId, first.duration, sampleFlags(first)),
        tfdt(first.dts),
        trun(samples, dataOffset, layout),
      ]),
    ]);
  const dataOffset = boxBytes(fragment(0)) + 8;
  return writeBoxes([
    ...(options.isSegmentStart === true ? [SEGMENT_TYPE] : []),
    fragment(dataOffset),
    mdat(samples.map((sample) => sample.data)),
  ]);
}
