/** What the main thread and the peer thread say to each other. Data only; buffers are transferred. */
import type { ErrorCode } from '../../infra/kernel/errors.ts';
import type { VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import type { MediaReceiverStats, ReceivedReport, ReceivedUnit } from '../rtp/mediaReceiver.ts';
import type { FeedbackMode } from '../rtp/senderFeedback.ts';
import type { SrtpStats } from '../srtp/srtpReceiver.ts';
import type { IceOptions } from '../pixelstreaming/iceServers.ts';
import type { ControlMessage, ControlStats } from './controlChannel.ts';

/** How peers of one thread are made. */
export type PeerConfig = {
  /** Video codecs that are taken, the preferred first. */
  readonly codecs: readonly VideoCodec[];
  readonly feedback: FeedbackMode;
  readonly startBitrateBps: number;
  readonly minBitrateBps: number;
  readonly maxBitrateBps: number;
  readonly reorderMinMs: number;
  readonly reorderMaxMs: number;
  readonly keyframeThrottleMs: number;
  readonly keyframePeriodMs: number;
  readonly hostAddresses: readonly string[];
  readonly udpPortRange?: readonly [number, number] | undefined;
  readonly receiveBufferBytes: number;
};

/** An ICE candidate of ours. */
export type LocalCandidate = {
  readonly candidate: string;
  readonly sdpMid: string;
  readonly sdpMLineIndex: number;
};

/** What one peer tells of itself. */
export type PeerEvent =
  | { readonly kind: 'answer'; readonly sdp: string }
  /** What a peer that was opened without an offer says; then it wants an answer. */
  | { readonly kind: 'offer'; readonly sdp: string }
  | { readonly kind: 'candidate'; readonly candidate: LocalCandidate }
  /** Before the first unit. */
  | { readonly kind: 'agreed'; readonly hasAudio: boolean }
  | { readonly kind: 'connected' }
  /** RTP time bases start over. */
  | { readonly kind: 'restarted' }
  | { readonly kind: 'parameters'; readonly parameters: VideoParameters }
  | { readonly kind: 'unit'; readonly unit: ReceivedUnit }
  | { readonly kind: 'report'; readonly report: ReceivedReport }
  | { readonly kind: 'control'; readonly message: ControlMessage }
  | { readonly kind: 'stats'; readonly stats: PeerStats }
  /** The last event of a peer. */
  | { readonly kind: 'ended'; readonly code: ErrorCode; readonly reason: string };

/** Counts of one peer, sent each second. */
export type PeerStats = MediaReceiverStats &
  SrtpStats & {
    readonly control: ControlStats;
    /** Units dropped because the main thread did not keep up. */
    readonly unitsDropped: number;
  };

/** To the peer thread. `peer` is a number that the main thread never reuses. */
export type ToPeerThread =
  | {
      readonly kind: 'open';
      readonly peer: number;
      /** Undefined: the peer makes one. */
      readonly offer: string | undefined;
      readonly ice: IceOptions;
    }
  | { readonly kind: 'answer'; readonly peer: number; readonly sdp: string }
  | { readonly kind: 'candidate'; readonly peer: number; readonly candidate: string }
  | { readonly kind: 'keyframe'; readonly peer: number }
  | { readonly kind: 'close'; readonly peer: number };

/** From the peer thread. */
export type FromPeerThread =
  | { readonly kind: 'event'; readonly peer: number; readonly event: PeerEvent }
  /** Something in the WebRTC stack failed outside of any peer's call. */
  | { readonly kind: 'fault'; readonly text: string };

/** What the peer thread is started with. */
export type PeerThreadData = {
  readonly config: PeerConfig;
  /** Media bytes that are on their way to the main thread; both sides count in it. */
  readonly inFlight: SharedArrayBuffer;
};

/** Monotonic time that all threads of the process share (ms). */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
