/**
 * What the sender is told periodically of how its packets arrive: transport-wide arrival times or
 * a granted bitrate, as configured, and receiver reports. Pure. Leaves retransmission and
 * keyframes, which are asked for when needed, to MediaReceiver.
 */
import { ReceiverReports } from './receiverReports.ts';
import { receiverEstimatedMaximumBitrate } from './rtcp.ts';
import type { SenderInformation } from './rtcpReader.ts';
import type { RtpPacket } from './rtpPacket.ts';
import { TransportFeedback } from './transportFeedback.ts';

/** Congestion feedback given to the sender. */
export type FeedbackMode = 'transport-cc' | 'remb' | 'none';

/** How one peer's sender is told. */
export type SenderFeedbackOptions = {
  /** SSRC of our own RTCP packets. */
  readonly localSsrc: number;
  readonly feedback: FeedbackMode;
  /** Bitrate that REMB grants (bit/s); unused otherwise. */
  readonly maxBitrateBps: number;
};

/** As libwebrtc does at these bit rates; its estimate follows each report. */
const TRANSPORT_FEEDBACK_MS = 50;
/** At high bit rates sooner than by time: a report is to stay small. */
const TRANSPORT_FEEDBACK_PACKETS = 100;
const REMB_MS = 500;
const RECEIVER_REPORT_MS = 1000;

/** One peer's; time is a parameter, local monotonic ms. */
export class SenderFeedback {
  readonly #options: SenderFeedbackOptions;
  readonly #transport = new TransportFeedback();
  readonly #reports = new ReceiverReports();
  #transportMs = Number.NEGATIVE_INFINITY;
  #rembMs = Number.NEGATIVE_INFINITY;
  #reportMs = Number.NEGATIVE_INFINITY;

  constructor(options: SenderFeedbackOptions) {
    this.#options = options;
  }

  /** Notes an authenticated packet, whatever it carries. */
  arrived(packet: RtpPacket, clockRate: number, nowMs: number): void {
    if (packet.transportSequenceNumber !== undefined) {
      this.#transport.arrived(packet.transportSequenceNumber, nowMs);
    }
    this.#reports.arrived(packet, clockRate, nowMs);
  }

  /** Notes what the sender told; the round trip (ms) where it tells that. */
  told(information: SenderInformation, nowMs: number): number | undefined {
    if (information.kind === 'report') {
      const { ssrc, ntpSeconds, ntpFraction } = information;
      this.#reports.senderReport(ssrc, ntpSeconds, ntpFraction, nowMs);
      return undefined;
    }
    return information.ssrc === this.#options.localSsrc
      ? this.#reports.roundTripMs(information.last, information.delay, nowMs)
      : undefined;
  }

  /** What is to be sent at `nowMs` about the media of `ssrcs`. */
  take(ssrcs: readonly number[], nowMs: number): Uint8Array[] {
    const { feedback, localSsrc, maxBitrateBps } = this.#options;
    const [mediaSsrc] = ssrcs;
    const packets: Uint8Array[] = [];
    if (mediaSsrc === undefined) {
      return packets;
    }
    if (feedback === 'transport-cc' && this.#isTransportDue(nowMs)) {
      this.#transportMs = nowMs;
      packets.push(...this.#transport.take({ senderSsrc: localSsrc, mediaSsrc }, nowMs));
    }
    if (feedback === 'remb' && nowMs - this.#rembMs >= REMB_MS) {
      this.#rembMs = nowMs;
      packets.push(receiverEstimatedMaximumBitrate(localSsrc, ssrcs, maxBitrateBps));
    }
    const report =
      nowMs - this.#reportMs >= RECEIVER_REPORT_MS
        ? this.#reports.take(localSsrc, nowMs)
        : undefined;
    if (report !== undefined) {
      this.#reportMs = nowMs;
      packets.push(report);
    }
    return packets;
  }

  #isTransportDue(nowMs: number): boolean {
    return (
      nowMs - this.#transportMs >= TRANSPORT_FEEDBACK_MS ||
      this.#transport.unreported >= TRANSPORT_FEEDBACK_PACKETS
    );
  }
}
