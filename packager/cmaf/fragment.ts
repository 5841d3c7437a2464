/**
 * Reads movie fragments (`moof mdat` of one track, ISO/IEC 14496-12 §8.8) into samples with absolute
 * decode times.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { type Ticks, ticks } from '../../infra/kernel/time.ts';
import { ByteReader } from './bytes.ts';
import { childBoxes, payloadOf, type ReadBox } from './boxSplitter.ts';
import type { SampleDefaults, TrackInit } from './init.ts';

/** One sample of a track; times in ticks of the track. `data` is a view: copy to keep. */
export type Sample = {
  readonly dts: Ticks;
  readonly duration: number;
  /** Presentation time minus decode time. */
  readonly compositionOffset: number;
  readonly isSync: boolean;
  readonly data: Uint8Array;
};

/** What a `moof` says: its samples without their bytes. */
type MovieFragment = {
  /** From the start of the moof to the first sample. */
  readonly dataOffset: number;
  readonly samples: readonly (Omit<Sample, 'data'> & { readonly size: number })[];
};

const MAX_SAMPLES = 4096;
const NON_SYNC = 0x0001_0000;

/**
 * Reads a `moof` of the track that `init` describes.
 *
 * @throws GatewayError `bad_media`: not one traf with one tfdt and one trun, another track,
 *   relative to something else than itself, or a sample without duration
 */
function parseMoof(moof: Uint8Array, init: TrackInit): MovieFragment {
  const [box] = childBoxes(moof);
  if (box?.type !== 'moof') {
    throw new GatewayError('bad_media', 'not a moof');
  }
  const children = childBoxes(payloadOf(box));
  only(children, 'mfhd');
  const traf = childBoxes(payloadOf(only(children, 'traf')));
  const defaults = readTfhd(only(traf, 'tfhd'), init);
  const tfdt = fullBox(only(traf, 'tfdt'));
  const baseDecodeTime = ticks(tfdt.version === 1 ? tfdt.body.u64() : tfdt.body.u32());
  return readTrun(only(traf, 'trun'), baseDecodeTime, defaults);
}

/**
 * Samples of a fragment, with their bytes as views into `mdat`.
 *
 * @throws GatewayError `bad_media`, also where sizes and offsets do not meet the mdat
 */
export function parseFragment(moof: ReadBox, mdat: ReadBox, init: TrackInit): Sample[] {
  const fragment = parseMoof(moof.bytes, init);
  if (fragment.dataOffset !== moof.bytes.length + mdat.headerBytes) {
    throw new GatewayError('bad_media', `data offset ${fragment.dataOffset} misses the mdat`);
  }
  const payload = new ByteReader(payloadOf(mdat), 'mdat');
  const samples = fragment.samples.map(({ size, ...sample }) => ({
    ...sample,
    data: payload.bytes(size),
  }));
  if (payload.remaining > 0) {
    throw new GatewayError('bad_media', `${payload.remaining} bytes of mdat belong to no sample`);
  }
  return samples;
}

function readTfhd(tfhd: ReadBox, init: TrackInit): SampleDefaults {
  const { flags, body } = fullBox(tfhd);
  const trackId = body.u32();
  if (trackId !== init.trackId) {
    throw new GatewayError('bad_media', `track ${trackId} in a stream of track ${init.trackId}`);
  }
  // CMAF: default-base-is-moof, no base-data-offset (ISO/IEC 23000-19 §7.3.2.3).
  if ((flags & 0x02_0000) === 0 || (flags & 0x1) !== 0) {
    throw new GatewayError('bad_media', 'tfhd is not relative to its moof');
  }
  if ((flags & 0x2) !== 0) {
    body.skip(4);
  }
  return {
    duration: (flags & 0x8) === 0 ? init.defaults.duration : body.u32(),
    size: (flags & 0x10) === 0 ? init.defaults.size : body.u32(),
    flags: (flags & 0x20) === 0 ? init.defaults.flags : body.u32(),
  };
}

function readTrun(trun: ReadBox, baseDecodeTime: Ticks, defaults: SampleDefaults): MovieFragment {
  const { version, flags, body } = fullBox(trun);
  const count = body.u32();
  if (count === 0 || count > MAX_SAMPLES || (flags & 0x1) === 0) {
    throw new GatewayError('bad_media', `trun of ${count} samples, flags 0x${flags.toString(16)}`);
  }
  const dataOffset = body.i32();
  const firstFlags = (flags & 0x4) === 0 ? undefined : body.u32();
  const samples: (Omit<Sample, 'data'> & { size: number })[] = [];
  let dts: number = baseDecodeTime;
  for (let index = 0; index < count; index += 1) {
    const duration = (flags & 0x100) === 0 ? defaults.duration : body.u32();
    const size = (flags & 0x200) === 0 ? defaults.size : body.u32();
    const own = (flags & 0x400) === 0 ? defaults.flags : body.u32();
    const offset = (flags & 0x800) === 0 ? 0 : version === 0 ? body.u32() : body.i32();
    const sampleFlags = index === 0 ? (firstFlags ?? own) : own;
    if (duration === 0) {
      throw new GatewayError('bad_media', `sample at ${dts} has no duration`);
    }
    samples.push({
      dts: safeTicks(dts),
      duration,
      compositionOffset: offset,
      isSync: (sampleFlags & NON_SYNC) === 0,
      size,
    });
    dts += duration;
  }
  return { dataOffset, samples };
}

function safeTicks(value: number): Ticks {
  if (!Number.isSafeInteger(value)) {
    throw new GatewayError('bad_media', `decode time ${value} is beyond 2^53`);
  }
  return ticks(value);
}

function fullBox(box: ReadBox): { version: number; flags: number; body: ByteReader } {
  const body = new ByteReader(payloadOf(box), box.type);
  const word = body.u32();
  return { version: word >>> 24, flags: word & 0xff_ffff, body };
}

function only(boxes: readonly ReadBox[], type: string): ReadBox {
  const [box, another] = boxes.filter((candidate) => candidate.type === type);
  if (box === undefined || another !== undefined) {
    throw new GatewayError('bad_media', `${box === undefined ? 'no' : 'several'} ${type}`);
  }
  return box;
}
