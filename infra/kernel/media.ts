/** Media types that cross folders inside one process. Bytes are views; who keeps them copies. */
import type { Ticks, UnixMs } from './time.ts';

/** Video codecs that reach the feed; audio is always Opus. */
export const VIDEO_CODECS = ['h264', 'h265', 'vp8', 'vp9', 'av1'] as const;

/** A video codec that reaches the feed. */
export type VideoCodec = (typeof VIDEO_CODECS)[number];

/** One encoded picture or audio frame, before it has a place on the timeline. */
export type AccessUnit = {
  readonly kind: 'video' | 'audio';
  /** RTP timestamp unwrapped to a monotonic integer (90 kHz video, 48 kHz audio). */
  readonly rtpTime: number;
  /** Broadcast clock when its first packet arrived. */
  readonly arrivedMs: UnixMs;
  /**
   * As Matroska has it. H.264, H.265: NAL units behind 4-byte lengths, parameter sets left in; AV1:
   * OBUs with sizes, without temporal delimiters; VP8, VP9: the frame; Opus: one packet.
   */
  readonly data: Uint8Array;
  readonly isKeyframe: boolean;
};

/** An access unit with its UTC stamp, as it is written to the feed. */
export type StampedUnit = {
  readonly kind: 'video' | 'audio';
  /** UTC presentation time in 90 kHz (video) or 48 kHz (audio) ticks since 1970. */
  readonly time: Ticks;
  readonly data: Uint8Array;
  readonly isKeyframe: boolean;
};

/** Parameters of the video track: what the feed's header and its reader need. */
export type VideoParameters = {
  readonly codec: VideoCodec;
  readonly width: number;
  readonly height: number;
  /** Matroska's CodecPrivate: `avcC`, `hvcC` or `av1C` record; empty for VP8 and VP9. */
  readonly decoderConfiguration: Uint8Array;
};

/** A sender report's pair: `rtpTime` was sampled at `ntpMs` by the sender's clock (RFC 3550 §6.4.1). */
export type SenderReport = {
  readonly kind: 'video' | 'audio';
  /** Unwrapped like `AccessUnit.rtpTime` of the same track. */
  readonly rtpTime: number;
  /** Sender's NTP time as Unix ms. */
  readonly ntpMs: UnixMs;
  readonly arrivedMs: UnixMs;
};

/** What the application of a streamer says beside its picture, at the media time that viewers see it. */
export type ApplicationEvent = {
  readonly broadcastId: string;
  /** Stamp of the newest picture in the feed when it came. */
  readonly mediaMs: UnixMs;
} & (
  | { readonly kind: 'response'; readonly text: string }
  | { readonly kind: 'inputControl'; readonly hasControl: boolean }
);
