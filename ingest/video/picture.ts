/** What every codec's reader has in common: payloads of one picture in, its bytes out. */
import type { VideoParameters } from '../../infra/kernel/media.ts';

/** A whole picture as the feed carries it. */
export type Picture = {
  /** In a buffer of its own, so that it can be transferred. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly isKeyframe: boolean;
};

/**
 * Reads one codec's pictures out of RTP payloads that come in order. Knows nothing of time and of
 * loss: the assembler says where a picture ends and forgets it where something is missing.
 */
export interface PictureReader {
  /** Takes the next payload of the picture; false where it is malformed or does not fit in here. */
  push(payload: Uint8Array): boolean;
  /** Whether a keyframe may begin with this payload. Asked where a gap came just before it. */
  isKeyframeStart(payload: Uint8Array): boolean;
  /** Ends the picture. Undefined where nothing is to be shown, such as parameter sets alone. */
  finish(): Picture | 'damaged' | undefined;
  /** The parameters, where they changed with the keyframe that was just finished. */
  takeParameters(): VideoParameters | undefined;
  /** Forgets the picture in progress. */
  reset(): void;
}

/** Bytes of one picture at most: a sender that never ends one must not fill the memory. */
export const MAX_PICTURE_BYTES = 8 * 1024 * 1024;
/** Longest side that is believed. */
export const MAX_SIDE = 16_384;
