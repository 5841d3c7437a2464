/**
 * The ingest's side of the streamer's data channel. It may ask for a keyframe and for the initial
 * settings, and can say nothing else: input (ids from 50) has no representation here, so that no
 * mistake elsewhere can move the application under the presenter's hands (architecture §6).
 */
import { decodeFromStreamer, MAX_DATA_CHANNEL_BYTES } from '../../signalling/protocol/index.ts';

/** The messages that may be sent, with their ids (Epic's ToStreamer map). */
const OUTBOUND = { IFrameRequest: 0, RequestInitialSettings: 7 } as const;

/** Name of a message that the ingest may send. */
export type OutboundMessage = keyof typeof OUTBOUND;

/** Counts of what came in. */
export type ControlStats = {
  readonly received: number;
  readonly unknown: number;
  readonly invalid: number;
  /** Whether the streamer gave this peer control of its input (it should not: UE's "Host" mode). */
  readonly hasInputControl: boolean;
};

/** Bytes of one of the messages that may be sent: the id alone, none of them has fields. */
export function encodeOutbound(message: OutboundMessage): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(OUTBOUND[message]);
}

/** Reads and counts what the streamer says; nothing it says is obeyed. */
export class ControlInbox {
  #received = 0;
  #unknown = 0;
  #invalid = 0;
  #hasInputControl = false;

  get stats(): ControlStats {
    return {
      received: this.#received,
      unknown: this.#unknown,
      invalid: this.#invalid,
      hasInputControl: this.#hasInputControl,
    };
  }

  /** Takes one message; text frames are not part of the protocol. */
  push(data: Uint8Array | string): void {
    this.#received += 1;
    if (typeof data === 'string' || data.length > MAX_DATA_CHANNEL_BYTES) {
      this.#invalid += 1;
      return;
    }
    const decoded = decodeFromStreamer(data);
    if (decoded.kind === 'unknown') {
      this.#unknown += 1;
    } else if (decoded.kind === 'invalid') {
      this.#invalid += 1;
    } else if (decoded.message.kind === 'ownership') {
      const { name, hasControl } = decoded.message;
      this.#hasInputControl = name === 'InputControlOwnership' ? hasControl : this.#hasInputControl;
    }
  }
}
