/** RTCP packets that the ingest sends, and the sender report's times. Bytes only. */
import type { ReportBlock } from './receptionStatistics.ts';

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

const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const EXTENDED_REPORT = 207;
const CNAME = 'ingest';

/**
 * A compound of receiver report, CNAME and receiver reference time: RFC 3550 §6.4.2, §6.5;
 * RFC 3611 §4.4.
 *
 * @param reference NTP time of sending, by a clock of our own
 */
export function receiverReport(
  senderSsrc: number,
  blocks: readonly ReportBlock[],
  reference: { readonly seconds: number; readonly fraction: number },
): Uint8Array {
  const reportBytes = 8 + blocks.length * 24;
  const descriptionBytes = 4 + Math.ceil((4 + 2 + CNAME.length + 1) / 4) * 4;
  const packet = new Uint8Array(reportBytes + descriptionBytes + 20);
  const view = new DataView(packet.buffer);
  const header = (at: number, count: number, type: number, bytes: number): void => {
    view.setUint8(at, 0x80 | count);
    view.setUint8(at + 1, type);
    view.setUint16(at + 2, bytes / 4 - 1);
    view.setUint32(at + 4, senderSsrc);
  };
  header(0, blocks.length, RECEIVER_REPORT, reportBytes);
  blocks.forEach((block, index) => {
    const at = 8 + index * 24;
    view.setUint32(at, block.ssrc);
    view.setInt32(at + 4, block.cumulativeLost); // its low 24 bits stay
    view.setUint8(at + 4, block.fractionLost);
    view.setUint32(at + 8, block.highestSequence);
    view.setUint32(at + 12, block.jitter);
    view.setUint32(at + 16, block.lastReport);
    view.setUint32(at + 20, block.delaySinceLastReport);
  });
  header(reportBytes, 1, SOURCE_DESCRIPTION, descriptionBytes);
  packet.set([1, CNAME.length, ...Buffer.from(CNAME)], reportBytes + 8);
  const extendedAt = reportBytes + descriptionBytes;
  header(extendedAt, 0, EXTENDED_REPORT, 20);
  packet.set([4, 0, 0, 2], extendedAt + 8);
  view.setUint32(extendedAt + 12, reference.seconds);
  view.setUint32(extendedAt + 16, reference.fraction);
  return packet;
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
