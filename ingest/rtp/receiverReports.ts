/**
 * Receiver reports of one peer, for all of its sources: reception, a CNAME, and a reference time
 * by which the sender's answer shows us the round trip (RFC 3611 §4.4, §4.5). Pure.
 */
import { ReceptionStatistics } from './receptionStatistics.ts';
import { receiverReport } from './rtcp.ts';
import type { RtpPacket } from './rtpPacket.ts';

/** Report blocks in one packet; a peer has four sources, and some of changes. */
const MAX_SOURCES = 16;
const TWO_32 = 2 ** 32;

/** Makes the reports; time is a parameter, local monotonic ms. */
export class ReceiverReports {
  readonly #sources = new Map<number, ReceptionStatistics>();

  /** Counts an authenticated packet. */
  arrived(packet: RtpPacket, clockRate: number, nowMs: number): void {
    let source = this.#sources.get(packet.ssrc);
    if (source === undefined) {
      source = new ReceptionStatistics(packet.ssrc, clockRate);
      const [oldest] = this.#sources.keys();
      if (this.#sources.size >= MAX_SOURCES && oldest !== undefined) {
        this.#sources.delete(oldest);
      }
      this.#sources.set(packet.ssrc, source);
    }
    source.arrived(packet.sequenceNumber, packet.timestamp, nowMs);
  }

  /** Notes a sender report's NTP time. */
  senderReport(ssrc: number, seconds: number, fraction: number, nowMs: number): void {
    this.#sources.get(ssrc)?.senderReport(seconds, fraction, nowMs);
  }

  /** The round trip (ms) that an answer to our reference time shows; undefined for none of ours. */
  roundTripMs(lastReference: number, delay: number, nowMs: number): number | undefined {
    const elapsed = (middleNtp(nowMs) - lastReference - delay) | 0;
    return lastReference === 0 || elapsed < 0 ? undefined : elapsed / 65.536;
  }

  /** The compound to send at `nowMs`; undefined before any packet came. */
  take(localSsrc: number, nowMs: number): Uint8Array | undefined {
    const blocks = [...this.#sources.values()].flatMap((source) => source.block(nowMs) ?? []);
    return blocks.length === 0
      ? undefined
      : receiverReport(localSsrc, blocks, {
          seconds: Math.floor(nowMs / 1000) % TWO_32,
          fraction: Math.floor(((nowMs % 1000) / 1000) * TWO_32),
        });
  }
}

/** Middle 32 bits of `nowMs` as an NTP time; its origin is ours alone to know. */
function middleNtp(nowMs: number): number {
  return Math.floor(nowMs * 65.536) % TWO_32;
}
