/**
 * The receive path of one WebRTC peer, without sockets or timers: packets in, access units and
 * RTCP out. Owns which SSRC is the picture and which the sound, retransmission, order, loss and
 * every kind of feedback. Leaves decryption and header parsing to the peer that feeds it.
 */
import { KeyframePolicy } from './keyframePolicy.ts';
import { NackList } from './nackList.ts';
import type { VideoDescription } from './parameterSets.ts';
import { type Ordered, ReorderBuffer } from './reorderBuffer.ts';
import {
  type FeedbackTarget,
  genericNack,
  pictureLossIndication,
  receiverEstimatedMaximumBitrate,
} from './rtcp.ts';
import { type RtpPacket, unwrapRetransmission } from './rtpPacket.ts';
import { TransportFeedback } from './transportFeedback.ts';
import { Unwrapper } from './unwrap.ts';
import { VideoAssembler } from './videoAssembler.ts';

/** What a payload type stands for. */
export type PayloadFormat =
  | { readonly kind: 'video' | 'audio' }
  /** Retransmissions of the payload type `apt` (RFC 4588). */
  | { readonly kind: 'rtx'; readonly apt: number };

/** Congestion feedback given to the sender. */
export type FeedbackMode = 'transport-cc' | 'remb' | 'none';

/** How one peer's media is received. */
export type MediaReceiverOptions = {
  readonly formats: ReadonlyMap<number, PayloadFormat>;
  /** SSRC of our own RTCP packets. */
  readonly localSsrc: number;
  readonly feedback: FeedbackMode;
  /** Bitrate that REMB grants (bit/s); unused otherwise. */
  readonly maxBitrateBps: number;
  /** How long a missing video packet is waited for (ms). */
  readonly reorderMs: number;
  /** Least time between keyframe requests (ms). */
  readonly keyframeThrottleMs: number;
};

/** A unit out of the receiver; times are unwrapped RTP and local monotonic ms. */
export type ReceivedUnit = {
  readonly kind: 'video' | 'audio';
  readonly rtpTime: number;
  readonly arrivedMs: number;
  /** In a buffer of its own, so that it can be transferred. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly isKeyframe: boolean;
};

/** A sender report out of the receiver. */
export type ReceivedReport = {
  readonly kind: 'video' | 'audio';
  readonly rtpTime: number;
  readonly ntpMs: number;
  readonly arrivedMs: number;
};

/** Where the receiver's output goes. Called synchronously. */
export interface MediaReceiverSink {
  /** An SSRC changed: RTP time bases start over, parameters will be given again. */
  restarted(): void;
  parameters(parameters: VideoDescription): void;
  unit(unit: ReceivedUnit): void;
  report(report: ReceivedReport): void;
  /** An RTCP packet for the sender. */
  rtcp(packet: Uint8Array): void;
  /** Several picture loss indications went unanswered. */
  keyframeOverdue(): void;
}

/** Counts since the receiver was made. */
export type MediaReceiverStats = {
  readonly framesIn: number;
  readonly framesDamaged: number;
  readonly packetsLost: number;
  readonly packetsUnknown: number;
  readonly plisSent: number;
  readonly nacksSent: number;
  readonly bytes: number;
};

const TRANSPORT_FEEDBACK_MS = 50;
const REMB_MS = 500;
/** Audio is not retransmitted: a packet that is this late is not coming. */
const AUDIO_REORDER_MS = 60;
const OVERDUE_AFTER_PLIS = 3;
const MAX_AUDIO_BYTES = 8192;

type Stream = {
  readonly ssrc: number;
  readonly sequences: Unwrapper;
  readonly times: Unwrapper;
  readonly reorder: ReorderBuffer;
};

/** Time is a parameter, in local monotonic ms; `tick` wants to be called each 10 ms or so. */
export class MediaReceiver {
  readonly #options: MediaReceiverOptions;
  readonly #sink: MediaReceiverSink;
  readonly #transportFeedback = new TransportFeedback();
  readonly #keyframes: KeyframePolicy;
  #retiredSsrc: number | undefined;
  #video: Stream | undefined;
  #audio: Stream | undefined;
  #nacks = new NackList();
  #assembler = new VideoAssembler();
  #lastFeedbackMs = Number.NEGATIVE_INFINITY;
  #lastRembMs = Number.NEGATIVE_INFINITY;
  #unansweredPlis = 0;
  readonly #counts = {
    framesBefore: 0,
    damagedBefore: 0,
    packetsLost: 0,
    packetsUnknown: 0,
    plisSent: 0,
    nacksSent: 0,
    bytes: 0,
  };

  constructor(options: MediaReceiverOptions, sink: MediaReceiverSink) {
    this.#options = options;
    this.#sink = sink;
    this.#keyframes = new KeyframePolicy({ throttleMs: options.keyframeThrottleMs });
    this.#keyframes.want();
  }

  get stats(): MediaReceiverStats {
    const { framesBefore, damagedBefore, ...counts } = this.#counts;
    const { units, damaged } = this.#assembler.stats;
    return {
      ...counts,
      framesIn: framesBefore + units + damaged,
      framesDamaged: damagedBefore + damaged,
    };
  }

  /** Takes an authenticated packet. */
  push(packet: RtpPacket, nowMs: number): void {
    if (packet.transportSequenceNumber !== undefined) {
      this.#transportFeedback.arrived(packet.transportSequenceNumber, nowMs);
    }
    const format = this.#options.formats.get(packet.payloadType);
    if (format === undefined || packet.ssrc === this.#retiredSsrc) {
      this.#counts.packetsUnknown += 1;
      return;
    }
    this.#counts.bytes += packet.payload.length;
    if (format.kind === 'rtx') {
      this.#pushRetransmission(packet, format.apt, nowMs);
    } else {
      this.#pushMedia(packet, format.kind, nowMs, false);
    }
  }

  /** Takes a sender report (RFC 3550 §6.4.1), with its NTP time as Unix ms. */
  pushReport(ssrc: number, rtpTimestamp: number, ntpMs: number, nowMs: number): void {
    for (const kind of ['video', 'audio'] as const) {
      const stream = kind === 'video' ? this.#video : this.#audio;
      if (stream?.ssrc === ssrc) {
        const rtpTime = stream.times.peek(rtpTimestamp);
        this.#sink.report({ kind, rtpTime, ntpMs, arrivedMs: nowMs });
      }
    }
  }

  /** Somebody downstream needs a keyframe. */
  requestKeyframe(nowMs: number): void {
    this.#keyframes.want();
    this.#sendPli(nowMs);
  }

  /** Deadlines, retransmission requests and periodic feedback. */
  tick(nowMs: number): void {
    if (this.#video !== undefined) {
      this.#takeVideo(this.#video.reorder.poll(nowMs));
      this.#nacks.giveUpBelow(this.#video.reorder.next ?? 0);
      this.#sendNacks(nowMs);
    }
    if (this.#audio !== undefined) {
      this.#takeAudio(this.#audio.reorder.poll(nowMs));
    }
    this.#sendPli(nowMs);
    this.#sendCongestionFeedback(nowMs);
  }

  #pushRetransmission(packet: RtpPacket, apt: number, nowMs: number): void {
    if (this.#video === undefined) {
      return;
    }
    const original = unwrapRetransmission(packet, { ssrc: this.#video.ssrc, payloadType: apt });
    if (original !== undefined) {
      this.#pushMedia(original, 'video', nowMs, true);
    }
  }

  #pushMedia(
    packet: RtpPacket,
    kind: 'video' | 'audio',
    nowMs: number,
    isRetransmission: boolean,
  ): void {
    const stream = this.#streamOf(kind, packet.ssrc);
    const sequence = isRetransmission
      ? stream.sequences.peek(packet.sequenceNumber)
      : stream.sequences.unwrap(packet.sequenceNumber);
    const rtpTime = isRetransmission
      ? stream.times.peek(packet.timestamp)
      : stream.times.unwrap(packet.timestamp);
    const { marker, payload } = packet;
    const entry = { sequence, rtpTime, marker, payload, arrivedMs: nowMs };
    if (kind === 'audio') {
      this.#takeAudio(stream.reorder.push(entry, nowMs));
      return;
    }
    this.#nacks.arrived(sequence, nowMs);
    this.#takeVideo(stream.reorder.push(entry, nowMs));
    this.#nacks.giveUpBelow(stream.reorder.next ?? 0);
    this.#sendNacks(nowMs);
    this.#sendPli(nowMs);
  }

  #streamOf(kind: 'video' | 'audio', ssrc: number): Stream {
    const known = kind === 'video' ? this.#video : this.#audio;
    if (known?.ssrc === ssrc) {
      return known;
    }
    if (known !== undefined) {
      this.#restart(known.ssrc);
    }
    const stream: Stream = {
      ssrc,
      sequences: new Unwrapper(16),
      times: new Unwrapper(32),
      reorder: new ReorderBuffer({
        deadlineMs: kind === 'video' ? this.#options.reorderMs : AUDIO_REORDER_MS,
      }),
    };
    if (kind === 'video') {
      this.#video = stream;
    } else {
      this.#audio = stream;
    }
    return stream;
  }

  /** The sender changed an SSRC: what was known of both streams' time is void. */
  #restart(retiredSsrc: number): void {
    this.#retiredSsrc = retiredSsrc;
    this.#counts.framesBefore += this.#assembler.stats.units + this.#assembler.stats.damaged;
    this.#counts.damagedBefore += this.#assembler.stats.damaged;
    this.#video = undefined;
    this.#audio = undefined;
    this.#nacks = new NackList();
    this.#assembler = new VideoAssembler();
    this.#keyframes.want();
    this.#sink.restarted();
  }

  #takeVideo(ordered: readonly Ordered[]): void {
    for (const item of ordered) {
      if (item.kind === 'loss') {
        this.#counts.packetsLost += item.count;
      }
      for (const assembled of this.#assembler.push(item)) {
        if (assembled.kind === 'parameters') {
          this.#sink.parameters(assembled.parameters);
          continue;
        }
        if (assembled.isKeyframe) {
          this.#keyframes.satisfied();
          this.#unansweredPlis = 0;
        }
        const { rtpTime, arrivedMs, data, isKeyframe } = assembled;
        this.#sink.unit({ kind: 'video', rtpTime, arrivedMs, data, isKeyframe });
      }
      if (this.#assembler.isAwaitingKeyframe) {
        this.#keyframes.want();
      }
    }
  }

  #takeAudio(ordered: readonly Ordered[]): void {
    for (const item of ordered) {
      if (item.kind === 'loss') {
        this.#counts.packetsLost += item.count;
        continue;
      }
      const { payload, rtpTime, arrivedMs } = item.packet;
      if (payload.length > 0 && payload.length <= MAX_AUDIO_BYTES) {
        const data = new Uint8Array(payload); // RFC 7587 §4.2: one Opus packet
        this.#sink.unit({ kind: 'audio', rtpTime, arrivedMs, data, isKeyframe: true });
      }
    }
  }

  #sendNacks(nowMs: number): void {
    const sequences = this.#nacks.due(nowMs);
    if (sequences.length > 0 && this.#video !== undefined) {
      this.#counts.nacksSent += 1;
      this.#sink.rtcp(genericNack(this.#target(this.#video.ssrc), sequences));
    }
  }

  #sendPli(nowMs: number): void {
    if (this.#video === undefined || !this.#keyframes.due(nowMs)) {
      return;
    }
    this.#counts.plisSent += 1;
    this.#unansweredPlis += 1;
    this.#sink.rtcp(pictureLossIndication(this.#target(this.#video.ssrc)));
    if (this.#unansweredPlis >= OVERDUE_AFTER_PLIS) {
      this.#sink.keyframeOverdue();
    }
  }

  #sendCongestionFeedback(nowMs: number): void {
    const { feedback, localSsrc, maxBitrateBps } = this.#options;
    const ssrcs = [this.#video?.ssrc, this.#audio?.ssrc].filter((ssrc) => ssrc !== undefined);
    const [first] = ssrcs;
    if (first === undefined) {
      return;
    }
    if (feedback === 'transport-cc' && nowMs - this.#lastFeedbackMs >= TRANSPORT_FEEDBACK_MS) {
      this.#lastFeedbackMs = nowMs;
      for (const packet of this.#transportFeedback.take(this.#target(first), nowMs)) {
        this.#sink.rtcp(packet);
      }
    }
    if (feedback === 'remb' && nowMs - this.#lastRembMs >= REMB_MS) {
      this.#lastRembMs = nowMs;
      this.#sink.rtcp(receiverEstimatedMaximumBitrate(localSsrc, ssrcs, maxBitrateBps));
    }
  }

  #target(mediaSsrc: number): FeedbackTarget {
    return { senderSsrc: this.#options.localSsrc, mediaSsrc };
  }
}
