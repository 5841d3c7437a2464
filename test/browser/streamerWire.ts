/** What passes between the streamer page and the test that started it. No DOM types: both sides read it. */

/** What the page is asked to send. */
export type StreamerOptions = {
  readonly signallingUrl: string;
  readonly streamerId: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Encoding name of the only video codec that is offered: H264, VP8, VP9, AV1. */
  readonly codec: string;
  /** Ceiling of the video encoder (bit/s). */
  readonly maxBitrateBps: number;
};

/** What libwebrtc says of one peer's video. */
export type PeerStats = {
  readonly playerId: string;
  readonly state: string;
  /** Of the encoder (bit/s). */
  readonly targetBitrateBps: number;
  /** Bandwidth estimate (bit/s). */
  readonly availableOutgoingBitrateBps: number;
  readonly fps: number;
  readonly framesEncoded: number;
  readonly keyFramesEncoded: number;
  readonly bytesSent: number;
  readonly pliCount: number;
  readonly nackCount: number;
  readonly qualityLimitation: string;
  readonly codec: string;
};
