/**
 * Live Matroska (RFC 9559) with absolute UTC time: header once, then clusters of unknown size
 * that begin at each video keyframe or after 2 s. Append-only; nothing is ever sought. Pure.
 */
import type { StampedUnit, VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import { AUDIO_TIMESCALE, rescale, VIDEO_TIMESCALE } from '../../infra/kernel/time.ts';
import {
  concatBytes,
  element,
  elementHead,
  floatElement,
  textElement,
  uintElement,
  unknownSizeElement,
} from './ebml.ts';

/** Matroska time: 100 us, so that 20 ms of Opus is whole and a block's int16 reaches 3.2 s. */
const TIMESTAMP_SCALE_NS = 100_000;
const FEED_TIMESCALE = 1_000_000_000 / TIMESTAMP_SCALE_NS;
const MAX_CLUSTER_UNITS = 2 * FEED_TIMESCALE;
/** How far a block may lie before its cluster: audio that came late. */
const MAX_BEFORE_CLUSTER_UNITS = 3 * FEED_TIMESCALE;
const TRACK_NUMBER = { video: 1, audio: 2 } as const;
const SIMPLE_BLOCK_KEYFRAME = 0x80;

const ID = {
  EBML: 0x1a45dfa3,
  EBMLVersion: 0x4286,
  EBMLReadVersion: 0x42f7,
  EBMLMaxIDLength: 0x42f2,
  EBMLMaxSizeLength: 0x42f3,
  DocType: 0x4282,
  DocTypeVersion: 0x4287,
  DocTypeReadVersion: 0x4285,
  Segment: 0x18538067,
  Info: 0x1549a966,
  TimestampScale: 0x2ad7b1,
  MuxingApp: 0x4d80,
  WritingApp: 0x5741,
  Tracks: 0x1654ae6b,
  TrackEntry: 0xae,
  TrackNumber: 0xd7,
  TrackUID: 0x73c5,
  TrackType: 0x83,
  FlagLacing: 0x9c,
  CodecID: 0x86,
  CodecPrivate: 0x63a2,
  CodecDelay: 0x56aa,
  SeekPreRoll: 0x56bb,
  Video: 0xe0,
  PixelWidth: 0xb0,
  PixelHeight: 0xba,
  Audio: 0xe1,
  SamplingFrequency: 0xb5,
  Channels: 0x9f,
  Cluster: 0x1f43b675,
  Timestamp: 0xe7,
  SimpleBlock: 0xa3,
} as const;

/** OpusHead (RFC 7845 §5.1): version 1, stereo, pre-skip 0, 48 kHz, gain 0, mapping family 0. */
const OPUS_HEAD = Uint8Array.of(
  ...new TextEncoder().encode('OpusHead'),
  ...[1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0],
);

/** Codec IDs of Matroska's codec registry. */
const CODEC_ID: Readonly<Record<VideoCodec, string>> = {
  h264: 'V_MPEG4/ISO/AVC',
  h265: 'V_MPEGH/ISO/HEVC',
  vp8: 'V_VP8',
  vp9: 'V_VP9',
  av1: 'V_AV1',
};

/** Everything before the first cluster: EBML header, open Segment, Info, Tracks. */
export function feedHeader(video: VideoParameters): Uint8Array {
  return concatBytes([
    element(
      ID.EBML,
      uintElement(ID.EBMLVersion, 1),
      uintElement(ID.EBMLReadVersion, 1),
      uintElement(ID.EBMLMaxIDLength, 4),
      uintElement(ID.EBMLMaxSizeLength, 8),
      textElement(ID.DocType, 'matroska'),
      uintElement(ID.DocTypeVersion, 4),
      uintElement(ID.DocTypeReadVersion, 2),
    ),
    unknownSizeElement(ID.Segment),
    element(
      ID.Info,
      uintElement(ID.TimestampScale, TIMESTAMP_SCALE_NS),
      textElement(ID.MuxingApp, 'grandstand'),
      textElement(ID.WritingApp, 'grandstand'),
    ),
    element(ID.Tracks, videoTrack(video), audioTrack()),
  ]);
}

/** One step of the feed. */
export type FeedChunk = {
  readonly bytes: Uint8Array;
  /** Whether it opens a cluster that begins with a video keyframe: where a reader may start. */
  readonly isJoinPoint: boolean;
  readonly kind: StampedUnit['kind'];
  /** Stamp in units of 100 us since 1970. */
  readonly time: number;
};

/** Writes blocks, opening a cluster where one is due. One per broadcast and run of the feed. */
export class ClusterWriter {
  #clusterTime: number | undefined;

  /** The unit as a SimpleBlock (RFC 9559 §10.2), behind the head of a new cluster if one begins. */
  write(unit: StampedUnit): FeedChunk {
    const timescale = unit.kind === 'video' ? VIDEO_TIMESCALE : AUDIO_TIMESCALE;
    const time = rescale(unit.time, timescale, FEED_TIMESCALE, 'round');
    const isJoinPoint = unit.kind === 'video' && unit.isKeyframe;
    const parts: Uint8Array[] = [];
    if (this.#clusterTime === undefined || isJoinPoint || !reaches(this.#clusterTime, time)) {
      this.#clusterTime = time;
      parts.push(unknownSizeElement(ID.Cluster), uintElement(ID.Timestamp, time));
    }
    const offset = time - this.#clusterTime;
    parts.push(
      elementHead(ID.SimpleBlock, unit.data.byteLength + 4),
      Uint8Array.of(
        0x80 | TRACK_NUMBER[unit.kind],
        (offset >> 8) & 0xff,
        offset & 0xff,
        unit.isKeyframe ? SIMPLE_BLOCK_KEYFRAME : 0,
      ),
      unit.data,
    );
    return { bytes: concatBytes(parts), isJoinPoint, kind: unit.kind, time };
  }
}

/** Milliseconds of a chunk's time. */
export function feedTimeMs(time: number): number {
  return (time * 1000) / FEED_TIMESCALE;
}

function reaches(clusterTime: number, time: number): boolean {
  const offset = time - clusterTime;
  return offset >= -MAX_BEFORE_CLUSTER_UNITS && offset < MAX_CLUSTER_UNITS;
}

function videoTrack(video: VideoParameters): Uint8Array {
  return element(
    ID.TrackEntry,
    uintElement(ID.TrackNumber, TRACK_NUMBER.video),
    uintElement(ID.TrackUID, TRACK_NUMBER.video),
    uintElement(ID.TrackType, 1),
    uintElement(ID.FlagLacing, 0),
    textElement(ID.CodecID, CODEC_ID[video.codec]),
    ...(video.decoderConfiguration.length === 0
      ? []
      : [element(ID.CodecPrivate, video.decoderConfiguration)]),
    element(
      ID.Video,
      uintElement(ID.PixelWidth, video.width),
      uintElement(ID.PixelHeight, video.height),
    ),
  );
}

/** CodecDelay and SeekPreRoll are 0: what is stamped is what is heard. */
function audioTrack(): Uint8Array {
  return element(
    ID.TrackEntry,
    uintElement(ID.TrackNumber, TRACK_NUMBER.audio),
    uintElement(ID.TrackUID, TRACK_NUMBER.audio),
    uintElement(ID.TrackType, 2),
    uintElement(ID.FlagLacing, 0),
    textElement(ID.CodecID, 'A_OPUS'),
    element(ID.CodecPrivate, OPUS_HEAD),
    uintElement(ID.CodecDelay, 0),
    uintElement(ID.SeekPreRoll, 0),
    element(
      ID.Audio,
      floatElement(ID.SamplingFrequency, AUDIO_TIMESCALE),
      uintElement(ID.Channels, 2),
    ),
  );
}
