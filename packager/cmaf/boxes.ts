/**
 * Box writers, each named by its fourcc (ISO/IEC 14496-12). A box is a value; `writeBoxes` turns
 * a row of them into bytes with one allocation.
 */
import type { Ticks } from '../../infra/kernel/time.ts';
import type { Sample } from './fragment.ts';

/** A box to be written: its own fields first, then its children, then raw payload. */
export type Box = {
  readonly type: string;
  readonly fields?: Uint8Array;
  readonly children?: readonly Box[];
  readonly payload?: readonly Uint8Array[];
};

const SYNC_FLAGS = 0x0200_0000;
const NON_SYNC_FLAGS = 0x0101_0000;

/** Segment type, §8.16.2: at the start of a segment only. */
export function styp(majorBrand: string, compatibleBrands: readonly string[]): Box {
  return {
    type: 'styp',
    fields: latin1(`${majorBrand}\0\0\0\0${compatibleBrands.join('')}`),
  };
}

/** Movie fragment header, §8.8.5. */
export function mfhd(sequenceNumber: number): Box {
  return { type: 'mfhd', fields: words([0, sequenceNumber >>> 0]) };
}

/** Track fragment header, §8.8.7: relative to its moof, defaults of duration and flags. */
export function tfhd(trackId: number, defaultDuration: number, defaultFlags: number): Box {
  return { type: 'tfhd', fields: words([0x02_0028, trackId, defaultDuration, defaultFlags]) };
}

/** Decode time of the first sample, §8.8.12, version 1. */
export function tfdt(baseDecodeTime: Ticks): Box {
  return {
    type: 'tfdt',
    fields: words([0x0100_0000, Math.floor(baseDecodeTime / 2 ** 32), baseDecodeTime % 2 ** 32]),
  };
}

/** What of a sample differs from the defaults of its `tfhd` and so stands in the `trun`. */
export type TrunLayout = {
  readonly hasDurations: boolean;
  readonly hasFlags: boolean;
  readonly hasOffsets: boolean;
};

/** Run of samples, §8.8.8, version 1 (signed composition offsets). */
export function trun(samples: readonly Sample[], dataOffset: number, layout: TrunLayout): Box {
  const flags =
    0x201 |
    (layout.hasDurations ? 0x100 : 0) |
    (layout.hasFlags ? 0x400 : 0) |
    (layout.hasOffsets ? 0x800 : 0);
  const fields = [0x0100_0000 | flags, samples.length, dataOffset];
  for (const sample of samples) {
    if (layout.hasDurations) {
      fields.push(sample.duration);
    }
    fields.push(sample.data.length);
    if (layout.hasFlags) {
      fields.push(sampleFlags(sample));
    }
    if (layout.hasOffsets) {
      fields.push(sample.compositionOffset >>> 0);
    }
  }
  return { type: 'trun', fields: words(fields) };
}

/** Track fragment, §8.8.6. */
export function traf(children: readonly Box[]): Box {
  return { type: 'traf', children };
}

/** Movie fragment, §8.8.4. */
export function moof(children: readonly Box[]): Box {
  return { type: 'moof', children };
}

/** Media data, §8.1.1. */
export function mdat(payload: readonly Uint8Array[]): Box {
  return { type: 'mdat', payload };
}

/** Flags of a sample, §8.8.3.1: depends on nothing and is sync, or depends and is not. */
export function sampleFlags(sample: Pick<Sample, 'isSync'>): number {
  return sample.isSync ? SYNC_FLAGS : NON_SYNC_FLAGS;
}

/** Bytes that `box` takes, header included. */
export function boxBytes(box: Box): number {
  return (
    8 +
    (box.fields?.length ?? 0) +
    (box.children ?? []).reduce((sum, child) => sum + boxBytes(child), 0) +
    (box.payload ?? []).reduce((sum, slice) => sum + slice.length, 0)
  );
}

/** The bytes of a row of boxes. */
export function writeBoxes(boxes: readonly Box[]): Uint8Array {
  const out = new Uint8Array(boxes.reduce((sum, box) => sum + boxBytes(box), 0));
  const view = new DataView(out.buffer);
  let offset = 0;
  const put = (slice: Uint8Array): void => {
    out.set(slice, offset);
    offset += slice.length;
  };
  const write = (box: Box): void => {
    view.setUint32(offset, boxBytes(box));
    offset += 4;
    put(latin1(box.type));
    put(box.fields ?? new Uint8Array());
    box.children?.forEach(write);
    box.payload?.forEach(put);
  };
  boxes.forEach(write);
  return out;
}

function words(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setUint32(index * 4, value);
  });
  return bytes;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
