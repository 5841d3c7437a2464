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

/** What stays in clear of a protected packet. */
export type RtpHeader = Omit<RtpPacket, 'payload'> & {
  readonly payloadOffset: number;
  /** The last byte of the payload, once decrypted, counts padding (RFC 3550 §5.1). */
  readonly hasPadding: boolean;
};

const FIXED_BYTES = 12;
const ONE_BYTE_FORM = 0xbede;
const TWO_BYTE_FORM = 0x1000;

/**
 * Reads the header; undefined where the bytes are no RTP.
 *
 * @param transportCcId header extension id of the transport-wide sequence number
 */
export function parseRtpHeader(
  bytes: Uint8Array,
  transportCcId: number | undefined,
): RtpHeader | undefined {
  const [first = 0, second = 0] = bytes;
  if (bytes.length < FIXED_BYTES || first >> 6 !== 2) {
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let payloadOffset = FIXED_BYTES + (first & 0x0f) * 4;
  let transportSequenceNumber: number | undefined;
  if ((first & 0x10) !== 0) {
    if (bytes.length < payloadOffset + 4) {
      return undefined;
    }
    const from = payloadOffset + 4;
    payloadOffset = from + view.getUint16(payloadOffset + 2) * 4;
    if (transportCcId !== undefined && payloadOffset <= bytes.length) {
      const form = view.getUint16(from - 4);
      const at = extensionAt(bytes, form, from, payloadOffset, transportCcId);
      transportSequenceNumber = at === undefined ? undefined : view.getUint16(at);
    }
  }
  if (payloadOffset > bytes.length) {
    return undefined;
  }
  return {
    ssrc: view.getUint32(8),
    payloadType: second & 0x7f,
    sequenceNumber: view.getUint16(2),
    timestamp: view.getUint32(4),
    marker: second >= 0x80,
    payloadOffset,
    hasPadding: (first & 0x20) !== 0,
    ...(transportSequenceNumber === undefined ? {} : { transportSequenceNumber }),
  };
}

/** Where the two bytes of extension `wanted` are: RFC 8285 §4.2 and §4.3. */
function extensionAt(
  bytes: Uint8Array,
  form: number,
  from: number,
  end: number,
  wanted: number,
): number | undefined {
  const isOneByte = form === ONE_BYTE_FORM;
  if (!isOneByte && (form & 0xfff0) !== TWO_BYTE_FORM) {
    return undefined;
  }
  for (let at = from; at < end;) {
    const byte = bytes[at] ?? 0;
    if (byte === 0) {
      at += 1; // padding between elements
      continue;
    }
    const id = isOneByte ? byte >> 4 : byte;
    const length = isOneByte ? (byte & 0x0f) + 1 : (bytes[at + 1] ?? 0);
    const dataAt = at + (isOneByte ? 1 : 2);
    if (isOneByte && id === 15) {
      return undefined; // reserved: the rest is not to be read
    }
    if (id === wanted) {
      return length === 2 && dataAt + 2 <= end ? dataAt : undefined;
    }
    at = dataAt + length;
  }
  return undefined;
}

/** The packet of a header and its decrypted payload; undefined where the padding is impossible. */
export function rtpPacketOf(header: RtpHeader, decrypted: Uint8Array): RtpPacket | undefined {
  if (!header.hasPadding) {
    return { ...header, payload: decrypted };
  }
  const padding = decrypted.at(-1) ?? 0;
  return padding === 0 || padding > decrypted.length
    ? undefined
    : { ...header, payload: decrypted.subarray(0, decrypted.length - padding) };
}

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
