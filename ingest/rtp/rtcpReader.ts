/** Reads what a sender's RTCP tells a receiver. Pure; what cannot be read is left out. */

/** One thing that was told. */
export type SenderInformation =
  /** RFC 3550 §6.4.1. */
  | {
      readonly kind: 'report';
      readonly ssrc: number;
      readonly ntpSeconds: number;
      readonly ntpFraction: number;
      readonly rtpTimestamp: number;
    }
  /** Answer to a reference time of ours (RFC 3611 §4.5): its middle 32 bits, and 1/65536 s since. */
  | {
      readonly kind: 'reference';
      readonly ssrc: number;
      readonly last: number;
      readonly delay: number;
    };

const SENDER_REPORT = 200;
const EXTENDED_REPORT = 207;
const DELAY_SINCE_LAST_REFERENCE = 5;
const MAX_PACKETS = 32;

/** All of a compound (RFC 3550 §6.1), up to where it stops making sense. */
export function readRtcp(compound: Uint8Array): SenderInformation[] {
  const view = new DataView(compound.buffer, compound.byteOffset, compound.byteLength);
  const found: SenderInformation[] = [];
  let at = 0;
  for (let count = 0; count < MAX_PACKETS && at + 8 <= compound.length; count += 1) {
    const bytes = (view.getUint16(at + 2) + 1) * 4;
    if (view.getUint8(at) >> 6 !== 2 || at + bytes > compound.length) {
      break;
    }
    const type = view.getUint8(at + 1);
    if (type === SENDER_REPORT && bytes >= 28) {
      found.push({
        kind: 'report',
        ssrc: view.getUint32(at + 4),
        ntpSeconds: view.getUint32(at + 8),
        ntpFraction: view.getUint32(at + 12),
        rtpTimestamp: view.getUint32(at + 16),
      });
    } else if (type === EXTENDED_REPORT) {
      found.push(...readExtended(view, at + 8, at + bytes));
    }
    at += bytes;
  }
  return found;
}

function readExtended(view: DataView, from: number, end: number): SenderInformation[] {
  const found: SenderInformation[] = [];
  for (let at = from; at + 4 <= end;) {
    const next = at + 4 + view.getUint16(at + 2) * 4;
    if (view.getUint8(at) === DELAY_SINCE_LAST_REFERENCE && next <= end) {
      for (let block = at + 4; block + 12 <= next; block += 12) {
        const [ssrc, last, delay] = [0, 4, 8].map((offset) => view.getUint32(block + offset));
        found.push({ kind: 'reference', ssrc: ssrc ?? 0, last: last ?? 0, delay: delay ?? 0 });
      }
    }
    at = next;
  }
  return found;
}
