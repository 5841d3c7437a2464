/** RTCP packets that the ingest sends, and the sender report's times. Bytes only. */

const PAYLOAD_FEEDBACK = 206;
const TRANSPORT_FEEDBACK = 205;

/** Seconds from 1900 (NTP) to 1970 (Unix): RFC 868. */
const NTP_UNIX_OFFSET_S = 2_208_988_800;

/** Whom a feedback packet is from and about (RFC 4585 §6.1). */
export type FeedbackTarget = { readonly senderSsrc: number; readonly mediaSsrc: number };

/** Unix ms of a 64-bit NTP timestamp: 32 bits of seconds, 32 bits of fraction (RFC 3550 §4). */
export function ntpToUnixMs(seconds: number, fraction: number): number {
  return (seconds - NTP_UNIX_OFFSET_S) * 1000 + (fraction / 2 ** 32) * 1000;
}

/** Picture Loss Indication: RFC 4585 §6.3.1. */
export function pictureLossIndication(target: FeedbackTarget): Uint8Array {
  return feedback(PAYLOAD_FEEDBACK, 1, target, new Uint8Array(0));
}

/**
 * Generic NACK: RFC 4585 §6.2.1.
 *
 * @param sequences unwrapped sequence numbers, rising, at least one
 */
export function genericNack(target: FeedbackTarget, sequences: readonly number[]): Uint8Array {
  const items: { first: number; mask: number }[] = [];
  for (const sequence of sequences) {
    const last = items.at(-1);
    const behind = last === undefined ? Number.POSITIVE_INFINITY : sequence - last.first;
    if (last !== undefined && behind >= 1 && behind <= 16) {
      last.mask |= 1 << (behind - 1);
    } else {
      items.push({ first: sequence, mask: 0 });
    }
  }
  const body = new Uint8Array(items.length * 4);
  const view = new DataView(body.buffer);
  for (const [index, item] of items.entries()) {
    view.setUint16(index * 4, item.first & 0xffff);
    view.setUint16(index * 4 + 2, item.mask);
  }
  return feedback(TRANSPORT_FEEDBACK, 1, target, body);
}

/**
 * Receiver Estimated Maximum Bitrate: draft-alvestrand-rmcat-remb-03 §2.2.
 *
 * @param bitrateBps what the sender may use for all of `ssrcs` together (bit/s)
 */
export function receiverEstimatedMaximumBitrate(
  senderSsrc: number,
  ssrcs: readonly number[],
  bitrateBps: number,
): Uint8Array {
  const body = new Uint8Array(8 + ssrcs.length * 4);
  const view = new DataView(body.buffer);
  const exponent = Math.max(0, Math.ceil(Math.log2(Math.max(1, bitrateBps) / 0x3ffff)));
  const mantissa = Math.min(0x3ffff, Math.floor(bitrateBps / 2 ** exponent));
  body.set([0x52, 0x45, 0x4d, 0x42, ssrcs.length]); // 'REMB'
  view.setUint8(5, (exponent << 2) | (mantissa >> 16));
  view.setUint16(6, mantissa & 0xffff);
  for (const [index, ssrc] of ssrcs.entries()) {
    view.setUint32(8 + index * 4, ssrc);
  }
  return feedback(PAYLOAD_FEEDBACK, 15, { senderSsrc, mediaSsrc: 0 }, body);
}

/** Common header of feedback packets (RFC 4585 §6.1) in front of `body`, padded to 32 bits. */
export function feedback(
  packetType: number,
  format: number,
  target: FeedbackTarget,
  body: Uint8Array,
): Uint8Array {
  const words = 2 + Math.ceil(body.length / 4);
  const packet = new Uint8Array(4 + words * 4);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x80 | format);
  view.setUint8(1, packetType);
  view.setUint16(2, words);
  view.setUint32(4, target.senderSsrc);
  view.setUint32(8, target.mediaSsrc);
  packet.set(body, 12);
  return packet;
}
