/**
 * Reads a CMAF header (`ftyp moov` of one track, ISO/IEC 23000-19 §7.3.1) into what the origin and
 * the worker need to know of a track. Leaves the bytes as the encoder wrote them.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { ByteReader } from './bytes.ts';
import { childBoxes, payloadOf, type ReadBox } from './boxSplitter.ts';
import { videoCodecs } from './videoCodecs.ts';

/** What a header says of its one track. */
export type TrackInit = {
  readonly trackId: number;
  readonly kind: 'video' | 'audio';
  /** Ticks per second (mdhd). */
  readonly timescale: number;
  /** RFC 6381: `avc1.4D401F`, `hvc1.1.6.L93.90`, `av01.0.04M.08`, `mp4a.40.2`. */
  readonly codecs: string;
  /** Coded size in pixels; video only. */
  readonly width?: number;
  readonly height?: number;
  /** Audio only, from the AudioSpecificConfig. */
  readonly channels?: number;
  readonly sampleRate?: number;
  readonly defaults: SampleDefaults;
};

/** `trex`: what a `tfhd` that says nothing means. */
export type SampleDefaults = {
  readonly duration: number;
  readonly size: number;
  readonly flags: number;
};

// ISO/IEC 14496-3 §1.6.3.4, samplingFrequencyIndex.
const SAMPLE_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
  7350,
];

/**
 * @param bytes `ftyp` and `moov`, nothing else
 * @throws GatewayError `bad_init` where it is not a CMAF header of one AVC, HEVC, AV1 or AAC track
 */
export function parseInit(bytes: Uint8Array): TrackInit {
  try {
    return readInit(bytes);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'bad_media') {
      throw new GatewayError('bad_init', `header: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function readInit(bytes: Uint8Array): TrackInit {
  const [ftyp, moov, ...others] = childBoxes(bytes);
  if (ftyp?.type !== 'ftyp' || moov?.type !== 'moov' || others.length > 0) {
    throw new GatewayError('bad_init', 'a header is ftyp and moov');
  }
  const tracks = childBoxes(payloadOf(moov)).filter((box) => box.type === 'trak');
  const [track] = tracks;
  if (track === undefined || tracks.length > 1) {
    throw new GatewayError('bad_init', `${tracks.length} tracks where one belongs`);
  }
  const handler = fullBox(descend(track, ['mdia', 'hdlr']));
  handler.body.skip(4);
  const kind = kindOf(handler.body.fourcc());
  const stsd = fullBox(descend(track, ['mdia', 'minf', 'stbl', 'stsd']));
  stsd.body.skip(4);
  const [entry] = childBoxes(stsd.body.bytes(stsd.body.remaining));
  if (entry === undefined) {
    throw new GatewayError('bad_init', 'no sample entry');
  }
  return {
    trackId: readTrackId(descend(track, ['tkhd'])),
    kind,
    timescale: readTimescale(descend(track, ['mdia', 'mdhd'])),
    ...(kind === 'video' ? readVideoEntry(entry) : readAudioEntry(entry)),
    defaults: readTrex(descend(moov, ['mvex', 'trex'])),
  };
}

function kindOf(handlerType: string): 'video' | 'audio' {
  switch (handlerType) {
    case 'vide':
      return 'video';
    case 'soun':
      return 'audio';
    default:
      throw new GatewayError('bad_init', `handler ${JSON.stringify(handlerType)}`);
  }
}

function readTrackId(tkhd: ReadBox): number {
  const { version, body } = fullBox(tkhd);
  body.skip(version === 1 ? 16 : 8);
  return body.u32();
}

function readTimescale(mdhd: ReadBox): number {
  const { version, body } = fullBox(mdhd);
  body.skip(version === 1 ? 16 : 8);
  const timescale = body.u32();
  if (timescale === 0) {
    throw new GatewayError('bad_init', 'timescale 0');
  }
  return timescale;
}

function readTrex(trex: ReadBox): SampleDefaults {
  const { body } = fullBox(trex);
  body.skip(8);
  return { duration: body.u32(), size: body.u32(), flags: body.u32() };
}

// VisualSampleEntry: ISO/IEC 14496-12 §12.1.3.
function readVideoEntry(entry: ReadBox): { codecs: string; width: number; height: number } {
  const body = new ByteReader(payloadOf(entry), entry.type);
  body.skip(24);
  const width = body.u16();
  const height = body.u16();
  body.skip(50);
  const codecs = videoCodecs(entry.type, childBoxes(body.bytes(body.remaining)));
  return { codecs, width, height };
}

// AudioSampleEntry: ISO/IEC 14496-12 §12.2.3; esds: ISO/IEC 14496-14 §6.7.2.
function readAudioEntry(entry: ReadBox): { codecs: string; channels: number; sampleRate: number } {
  if (entry.type !== 'mp4a') {
    throw new GatewayError(
      'bad_init',
      `audio sample entry ${JSON.stringify(entry.type)}, not mp4a`,
    );
  }
  const body = new ByteReader(payloadOf(entry), 'mp4a');
  body.skip(28);
  const esds = fullBox(child(childBoxes(body.bytes(body.remaining)), 'esds')).body;
  descriptor(esds, 3);
  esds.skip(2);
  const flags = esds.u8();
  esds.skip((flags & 0x80 ? 2 : 0) + (flags & 0x20 ? 2 : 0));
  descriptor(esds, 4);
  const objectType = esds.u8();
  if (objectType !== 0x40) {
    throw new GatewayError(
      'bad_init',
      `audio object type 0x${objectType.toString(16)}, not MPEG-4`,
    );
  }
  esds.skip(12);
  return readAudioSpecificConfig(esds.bytes(descriptor(esds, 5)));
}

// ISO/IEC 14496-3 §1.6.2.1.
function readAudioSpecificConfig(bytes: Uint8Array): {
  codecs: string;
  channels: number;
  sampleRate: number;
} {
  const reader = new ByteReader(bytes, 'AudioSpecificConfig');
  const bits = reader.u16();
  const audioObjectType = bits >> 11;
  const sampleRate = SAMPLE_RATES[(bits >> 7) & 15];
  if (audioObjectType === 31 || audioObjectType === 0 || sampleRate === undefined) {
    throw new GatewayError('bad_init', `AudioSpecificConfig ${hex(bytes)} is not plain AAC`);
  }
  return { codecs: `mp4a.40.${audioObjectType}`, channels: (bits >> 3) & 15, sampleRate };
}

// Tag and length of an MPEG-4 descriptor (ISO/IEC 14496-1 §8.3.3): at most four length bytes.
function descriptor(reader: ByteReader, tag: number): number {
  const got = reader.u8();
  if (got !== tag) {
    throw new GatewayError('bad_init', `esds: descriptor ${got} where ${tag} belongs`);
  }
  let length = 0;
  for (let i = 0; i < 4; i += 1) {
    const byte = reader.u8();
    length = length * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      break;
    }
  }
  return length;
}

function fullBox(box: ReadBox): { version: number; body: ByteReader } {
  const body = new ByteReader(payloadOf(box), box.type);
  const version = body.u8();
  body.skip(3);
  return { version, body };
}

function descend(box: ReadBox, path: readonly string[]): ReadBox {
  return path.reduce((parent, type) => child(childBoxes(payloadOf(parent)), type), box);
}

function child(boxes: readonly ReadBox[], type: string): ReadBox {
  const box = boxes.find((candidate) => candidate.type === type);
  if (box === undefined) {
    throw new GatewayError('bad_init', `no ${type}`);
  }
  return box;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}
