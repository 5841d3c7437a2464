/** An RTP packet (RFC 3550 §5.1) as the receive path sees it, after SRTP and header parsing. */

/** Fields that the receive path reads; `payload` is a view without padding. */
export type RtpPacket = {
  readonly ssrc: number;
  readonly payloadType: number;
  /** 16 bits. */
  readonly sequenceNumber: number;
  /** 32 bits. */
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
  /** Transport-wide sequence number, where the packet carries one. */
  readonly transportSequenceNumber?: number;
};

/** A packet of one media stream with its unwrapped numbers. */
export type StreamPacket = {
  /** Unwrapped sequence number. */
  readonly sequence: number;
  /** Unwrapped RTP timestamp. */
  readonly rtpTime: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
  /** Local monotonic time at which it arrived (ms). */
  readonly arrivedMs: number;
};

/**
 * Undoes RFC 4588 §4: the first two bytes of a retransmission are the original sequence number.
 * Undefined for the padding-only packets with which senders probe bandwidth.
 */
export function unwrapRetransmission(
  packet: RtpPacket,
  original: { readonly ssrc: number; readonly payloadType: number },
): RtpPacket | undefined {
  const [high, low] = packet.payload;
  if (high === undefined || low === undefined || packet.payload.length === 2) {
    return undefined;
  }
  return {
    ssrc: original.ssrc,
    payloadType: original.payloadType,
    sequenceNumber: high * 256 + low,
    timestamp: packet.timestamp,
    marker: packet.marker,
    payload: packet.payload.subarray(2),
  };
}
