/**
 * What a receiver report says of one source (RFC 3550 §6.4.1, Appendix A.1, A.3, A.8). libwebrtc's
 * congestion control reads the loss fraction, and its round trip comes of the last report's time.
 */
import { Unwrapper } from './unwrap.ts';

/** A report block in numbers. */
export type ReportBlock = {
  readonly ssrc: number;
  /** Of 256, since the block before. */
  readonly fractionLost: number;
  /** Signed: duplicates can make it negative. */
  readonly cumulativeLost: number;
  readonly highestSequence: number;
  /** In RTP time. */
  readonly jitter: number;
  /** Middle 32 bits of the last sender report's NTP time; 0 before any. */
  readonly lastReport: number;
  /** Since that report came, in 1/65536 s. */
  readonly delaySinceLastReport: number;
};

const TWO_32 = 2 ** 32;

/** One SSRC; time is a parameter, local monotonic ms. */
export class ReceptionStatistics {
  readonly #ssrc: number;
  readonly #clockRate: number;
  readonly #sequences = new Unwrapper(16);
  #first = 0;
  #highest = -1;
  #received = 0;
  #expectedBefore = 0;
  #receivedBefore = 0;
  #transit: number | undefined;
  #jitter = 0;
  #report: { readonly middle: number; readonly arrivedMs: number } | undefined;

  constructor(ssrc: number, clockRate: number) {
    this.#ssrc = ssrc;
    this.#clockRate = clockRate;
  }

  /** Counts a packet, duplicates too. */
  arrived(sequenceNumber: number, timestamp: number, nowMs: number): void {
    const sequence = this.#sequences.unwrap(sequenceNumber);
    this.#first = this.#received === 0 ? sequence : this.#first;
    this.#received += 1;
    const isNewest = sequence > this.#highest;
    this.#highest = Math.max(this.#highest, sequence);
    if (isNewest) {
      this.#measureJitter(timestamp, nowMs);
    }
  }

  /** Notes a sender report's NTP time. */
  senderReport(seconds: number, fraction: number, nowMs: number): void {
    const middle = (seconds % 0x10000) * 0x10000 + Math.floor(fraction / 0x10000);
    this.#report = { middle, arrivedMs: nowMs };
  }

  /** The block for a report sent at `nowMs`; undefined before the first packet. */
  block(nowMs: number): ReportBlock | undefined {
    if (this.#received === 0) {
      return undefined;
    }
    const expected = this.#highest - this.#first + 1;
    const expectedSince = expected - this.#expectedBefore;
    const lostSince = expectedSince - (this.#received - this.#receivedBefore);
    this.#expectedBefore = expected;
    this.#receivedBefore = this.#received;
    return {
      ssrc: this.#ssrc,
      fractionLost:
        lostSince > 0 ? Math.min(255, Math.floor((lostSince * 256) / expectedSince)) : 0,
      cumulativeLost: Math.max(-0x800000, Math.min(0x7fffff, expected - this.#received)),
      // One range below the unwrapped number: cycles are counted from zero.
      highestSequence: (this.#highest - 0x10000 + TWO_32) % TWO_32,
      jitter: Math.floor(this.#jitter),
      lastReport: this.#report?.middle ?? 0,
      delaySinceLastReport:
        this.#report === undefined
          ? 0
          : Math.min(TWO_32 - 1, Math.round((nowMs - this.#report.arrivedMs) * 65.536)),
    };
  }

  #measureJitter(timestamp: number, nowMs: number): void {
    const arrival = (nowMs * this.#clockRate) / 1000;
    // Signed 32 bits, as both clocks wrap.
    const transit = (Math.round(arrival) - timestamp) | 0;
    if (this.#transit !== undefined) {
      const difference = Math.abs((transit - this.#transit) | 0);
      this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#transit = transit;
  }
}
