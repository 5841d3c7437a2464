/**
 * RTP and RTCP of a sender, written here and not left to the WebRTC library so that every sender
 * report says the capture time: RTP time is an exact line over UTC. Pure. RFC 3550, RFC 6184,
 * RFC 7587, RFC 4585.
 */

/** One outgoing RTP stream; `sequence` and the counters move as packets are made. */
export type RtpStream = {
  readonly ssrc: number;
  readonly payloadType: number;
  readonly clockRate: number;
  /** RTP time of Unix time 0, modulo 2^32. */
  readonly base: number;
  readonly cname: string;
  sequence: number;
  packets: number;
  octets: number;
};

/** What a receiver asks for. */
export type Feedback =
  { readonly kind: 'nack'; readonly sequences: readonly number[] } | { readonly kind: 'keyframe' };

const HEADER_BYTES = 12;
/** With SRTP, UDP and IP this stays below the 1200 bytes that libwebrtc keeps to. */
const MAX_PAYLOAD_BYTES = 1150;
const NTP_EPOCH_SECONDS = 2_208_988_800;
const STAP_A = 24;
const FU_A = 28;
const TWO_32 = 2 ** 32;

/** RTP time of a UTC instant on that stream. */
export function rtpTimeOf(stream: RtpStream, unixMs: number): number {
  return (stream.base + (Math.round((unixMs * stream.clockRate) / 1000) % TWO_32)) % TWO_32;
}

/** Packets of one picture; the marker is on its last (RFC 6184 §5.1). */
export function packetizePicture(
  stream: RtpStream,
  nals: readonly Uint8Array[],
  captureMs: number,
): Buffer[] {
  const isParameterSet = (nal: Uint8Array): boolean => [7, 8].includes((nal[0] ?? 0) & 0x1f);
  const sets = nals.filter(isParameterSet);
  const payloads = [
    ...(sets.length > 1 ? [aggregate(sets)] : sets),
    ...nals.filter((nal) => !isParameterSet(nal)).flatMap(fragment),
  ];
  const time = rtpTimeOf(stream, captureMs);
  return payloads.map((payload, index) =>
    packet(stream, payload, time, index === payloads.length - 1),
  );
}

/** The packet of one Opus frame. */
export function packetizeOpus(stream: RtpStream, frame: Uint8Array, captureMs: number): Buffer {
  return packet(stream, frame, rtpTimeOf(stream, captureMs), false);
}

/** A compound of sender report and CNAME (RFC 3550 §6.4.1, §6.5): what RTP time `nowMs` has. */
export function senderReport(stream: RtpStream, nowMs: number): Buffer {
  const cname = Buffer.from(stream.cname, 'latin1').subarray(0, 255);
  // SSRC, item type, length, text, at least one null, to a multiple of four.
  const chunkBytes = Math.ceil((4 + 2 + cname.length + 1) / 4) * 4;
  const report = Buffer.alloc(28 + 4 + chunkBytes);
  report[0] = 0x80;
  report[1] = 200;
  report.writeUInt16BE(6, 2);
  report.writeUInt32BE(stream.ssrc, 4);
  const seconds = Math.floor(nowMs / 1000);
  report.writeUInt32BE((seconds + NTP_EPOCH_SECONDS) % TWO_32, 8);
  report.writeUInt32BE(Math.floor(((nowMs - seconds * 1000) / 1000) * TWO_32), 12);
  report.writeUInt32BE(rtpTimeOf(stream, nowMs), 16);
  report.writeUInt32BE(stream.packets % TWO_32, 20);
  report.writeUInt32BE(stream.octets % TWO_32, 24);
  report[28] = 0x81;
  report[29] = 202;
  report.writeUInt16BE(chunkBytes / 4, 30);
  report.writeUInt32BE(stream.ssrc, 32);
  report[36] = 1;
  report[37] = cname.length;
  cname.copy(report, 38);
  return report;
}

/** Requests in a compound RTCP packet (RFC 4585 §6, RFC 5104 §4.3.1); never throws. */
export function parseFeedback(bytes: Buffer): Feedback[] {
  const feedback: Feedback[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt16BE(at + 2) * 4;
    if (end > bytes.length) {
      break;
    }
    const format = (bytes[at] ?? 0) & 0x1f;
    const type = bytes[at + 1];
    if (type === 205 && format === 1) {
      feedback.push({ kind: 'nack', sequences: nackedSequences(bytes.subarray(at + 12, end)) });
    } else if (type === 206 && (format === 1 || format === 4)) {
      feedback.push({ kind: 'keyframe' });
    }
    at = end;
  }
  return feedback;
}

/** Sequence number of an RTP packet. */
export function sequenceOf(packetBytes: Buffer): number {
  return packetBytes.readUInt16BE(2);
}

function nackedSequences(items: Buffer): number[] {
  const sequences: number[] = [];
  for (let at = 0; at + 4 <= items.length; at += 4) {
    const first = items.readUInt16BE(at);
    const mask = items.readUInt16BE(at + 2);
    sequences.push(first);
    for (let bit = 0; bit < 16; bit++) {
      if ((mask & (1 << bit)) !== 0) {
        sequences.push((first + bit + 1) & 0xffff);
      }
    }
  }
  return sequences;
}

function packet(stream: RtpStream, payload: Uint8Array, rtpTime: number, isLast: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes[0] = 0x80;
  bytes[1] = (isLast ? 0x80 : 0) | stream.payloadType;
  bytes.writeUInt16BE(stream.sequence, 2);
  bytes.writeUInt32BE(rtpTime, 4);
  bytes.writeUInt32BE(stream.ssrc, 8);
  bytes.set(payload, HEADER_BYTES);
  stream.sequence = (stream.sequence + 1) & 0xffff;
  stream.packets += 1;
  stream.octets += payload.length;
  return bytes;
}

/** STAP-A (RFC 6184 §5.7.1). */
function aggregate(nals: readonly Uint8Array[]): Uint8Array {
  const reference = Math.max(...nals.map((nal) => (nal[0] ?? 0) & 0x60));
  const parts = nals.flatMap((nal) => [Uint8Array.of(nal.length >> 8, nal.length & 0xff), nal]);
  return Buffer.concat([Uint8Array.of(reference | STAP_A), ...parts]);
}

/** The unit as it is, or in FU-A fragments of about equal size (RFC 6184 §5.8). */
function fragment(nal: Uint8Array): Uint8Array[] {
  if (nal.length <= MAX_PAYLOAD_BYTES) {
    return [nal];
  }
  const header = nal[0] ?? 0;
  const body = nal.subarray(1);
  const count = Math.ceil(body.length / (MAX_PAYLOAD_BYTES - 2));
  const size = Math.ceil(body.length / count);
  return Array.from({ length: count }, (_, index) => {
    const part = body.subarray(index * size, (index + 1) * size);
    const bytes = new Uint8Array(2 + part.length);
    bytes[0] = (header & 0xe0) | FU_A;
    bytes[1] = (index === 0 ? 0x80 : 0) | (index === count - 1 ? 0x40 : 0) | (header & 0x1f);
    bytes.set(part, 2);
    return bytes;
  });
}
