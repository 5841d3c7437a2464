/**
 * The ingest's side of the streamer's data channel. It may ask for a keyframe and for the initial
 * settings, and can say nothing else: input (ids from 50) has no representation here, so that no
 * mistake elsewhere can move the application under the presenter's hands (architecture §6).
 */
import {
  decodeFromStreamer,
  FreezeFrameAssembler,
  type FromStreamerMessage,
  MAX_DATA_CHANNEL_BYTES,
} from '../../signalling/protocol/index.ts';

/** The messages that may be sent, with their ids (Epic's ToStreamer map). */
const OUTBOUND = { IFrameRequest: 0, RequestInitialSettings: 7 } as const;

/** Name of a message that the ingest may send. */
export type OutboundMessage = keyof typeof OUTBOUND;

/** Counts of what came in. */
export type ControlStats = {
  readonly received: number;
  readonly unknown: number;
  readonly invalid: number;
  /** Messages that came too often or were too long to be handed on. */
  readonly dropped: number;
  /** Whether the streamer gave this peer control of its input (it should not: UE's "Host" mode). */
  readonly hasInputControl: boolean;
};

/** Bytes of one of the messages that may be sent: the id alone, none of them has fields. */
export function encodeOutbound(message: OutboundMessage): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(OUTBOUND[message]);
}

/** What the streamer says that matters beside its picture. */
export type ControlMessage =
  /** Text of the application, JSON by convention (`Send Pixel Streaming Response`). */
  | { readonly kind: 'response'; readonly text: string }
  | { readonly kind: 'inputControl'; readonly hasControl: boolean }
  /** Pixel Streaming 1 shows this JPEG instead of its picture, which stops. */
  | { readonly kind: 'freeze'; readonly jpeg: Uint8Array }
  | { readonly kind: 'unfreeze' };

/** Longest response that is handed on, in UTF-16 units. */
const MAX_RESPONSE_LENGTH = 16_384;
/** Messages handed on in any second: an application that answers each frame is within it. */
const MAX_MESSAGES_PER_SECOND = 100;
/** Freeze frames in any second: each costs an encoder a start. */
const MAX_FREEZES_PER_SECOND = 2;

/** Reads and counts what the streamer says, and hands on the little that matters; obeys nothing. */
export class ControlInbox {
  #received = 0;
  #unknown = 0;
  #invalid = 0;
  #dropped = 0;
  #hasInputControl = false;
  readonly #freezeFrame = new FreezeFrameAssembler();
  readonly #messages = new Budget(MAX_MESSAGES_PER_SECOND);
  readonly #freezes = new Budget(MAX_FREEZES_PER_SECOND);

  get stats(): ControlStats {
    return {
      received: this.#received,
      unknown: this.#unknown,
      invalid: this.#invalid,
      dropped: this.#dropped,
      hasInputControl: this.#hasInputControl,
    };
  }

  /** Takes one message; text frames are not part of the protocol. @param nowMs monotonic */
  push(data: Uint8Array | string, nowMs: number): ControlMessage | undefined {
    this.#received += 1;
    if (typeof data === 'string' || data.length > MAX_DATA_CHANNEL_BYTES) {
      this.#invalid += 1;
      return undefined;
    }
    const decoded = decodeFromStreamer(data);
    if (decoded.kind === 'unknown') {
      this.#unknown += 1;
      return undefined;
    }
    if (decoded.kind === 'invalid') {
      this.#invalid += 1;
      return undefined;
    }
    const message = this.#read(decoded.message);
    if (message === undefined) {
      return undefined;
    }
    const budget = message.kind === 'freeze' ? this.#freezes : this.#messages;
    // The end of a freeze always counts, or the picture would stay frozen.
    if (message.kind === 'unfreeze' || (fits(message) && budget.take(nowMs))) {
      return message;
    }
    this.#dropped += 1;
    return undefined;
  }

  #read(message: FromStreamerMessage): ControlMessage | undefined {
    switch (message.kind) {
      case 'ownership':
        if (message.name !== 'InputControlOwnership') {
          return undefined;
        }
        this.#hasInputControl = message.hasControl;
        return { kind: 'inputControl', hasControl: message.hasControl };
      case 'text':
        return message.name === 'Response' ? { kind: 'response', text: message.text } : undefined;
      case 'chunk': {
        const jpeg =
          message.name === 'FreezeFrame'
            ? this.#freezeFrame.push(message.totalBytes, message.chunk)
            : undefined;
        return jpeg === undefined ? undefined : { kind: 'freeze', jpeg };
      }
      case 'empty':
        this.#freezeFrame.reset();
        return { kind: 'unfreeze' };
      case 'raw':
        return undefined;
    }
  }
}

function fits(message: ControlMessage): boolean {
  return message.kind !== 'response' || message.text.length <= MAX_RESPONSE_LENGTH;
}

/** So many a second, counted in seconds that begin with their first. */
class Budget {
  readonly #most: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  take(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= 1000) {
      this.#sinceMs = nowMs;
      this.#taken = 0;
    }
    this.#taken += 1;
    return this.#taken <= this.#most;
  }
}
