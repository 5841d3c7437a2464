/**
 * The receive path of one WebRTC peer, without sockets or timers: packets in, access units and
 * RTCP out. Owns which SSRC is the picture and which the sound, retransmission, order, loss and
 * every kind of feedback. Leaves decryption and header parsing to the peer that feeds it.
 */
import type { VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import { type KeyframeReason, KeyframePolicy } from './keyframePolicy.ts';
import { NackList } from './nackList.ts';
import { type Ordered, ReorderBuffer } from './reorderBuffer.ts';
import { RoundTrip } from './roundTrip.ts';
import { genericNack, ntpToUnixMs, pictureLossIndication } from './rtcp.ts';
import { readRtcp } from './rtcpReader.ts';
import { type RtpPacket, unwrapRetransmission } from './rtpPacket.ts';
import { SenderFeedback, type SenderFeedbackOptions } from './senderFeedback.ts';
import { Unwrapper } from './unwrap.ts';
import { VideoAssembler } from '../video/videoAssembler.ts';

/** What a payload type stands for. */
export type PayloadFormat =
  | { readonly kind: 'video'; readonly codec: VideoCodec }
  | { readonly kind: 'audio' }
  /** Retransmissions of the payload type `apt` (RFC 4588). */
  | { readonly kind: 'rtx'; readonly apt: number };

/** How one peer's media is received. */
export type MediaReceiverOptions = SenderFeedbackOptions & {
  readonly formats: ReadonlyMap<number, PayloadFormat>;
  /** Bounds of how long a missing video packet is waited for (ms); the round trip decides. */
  readonly reorderMinMs: number;
  readonly reorderMaxMs: number;
  /** Least time between keyframe requests (ms). */
  readonly keyframeThrottleMs: number;
  /** Time without a keyframe after which one is asked for (ms); 0 for never. */
  readonly keyframePeriodMs: number;
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
  parameters(parameters: VideoParameters): void;
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
  readonly packetsReceived: number;
  /** Packets that came by retransmission and were of use. */
  readonly packetsRecovered: number;
  readonly packetsLost: number;
  readonly packetsUnknown: number;
  readonly plisSent: number;
  /** Of `plisSent`, how many for what reason. */
  readonly plisByReason: Readonly<Partial<Record<KeyframeReason, number>>>;
  readonly nacksSent: number;
  readonly bytes: number;
  /** Round trip as estimated now (ms). */
  readonly roundTripMs: number;
  /** How long a missing packet is waited for now (ms). */
  readonly reorderMs: number;
};

/**
 * Rounds that a lost packet is waited for. At 5 % of loss each way one round in ten fails; the
 * waiting costs only where something was lost, giving up costs a keyframe (repair.test.ts).
 */
const RETRANSMISSION_ROUNDS = 6;
/** For the sender's pacer and its scheduling. */
const SENDER_MARGIN_MS = 30;
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
  readonly #feedback: SenderFeedback;
  readonly #keyframes: KeyframePolicy;
  #retiredSsrc: number | undefined;
  #video: Stream | undefined;
  #audio: Stream | undefined;
  readonly #roundTrip = new RoundTrip();
  #nacks = new NackList(this.#roundTrip);
  #assembler: VideoAssembler;
  #videoMs = Number.NEGATIVE_INFINITY;
  #videoPayloadType: number | undefined;
  #unansweredPlis = 0;
  readonly #counts = {
    framesBefore: 0,
    damagedBefore: 0,
    packetsReceived: 0,
    packetsRecovered: 0,
    packetsLost: 0,
    packetsUnknown: 0,
    plisSent: 0,
    nacksSent: 0,
    bytes: 0,
  };
  readonly #plisByReason: Partial<Record<KeyframeReason, number>> = {};

  constructor(options: MediaReceiverOptions, sink: MediaReceiverSink) {
    this.#options = options;
    this.#sink = sink;
    this.#assembler = new VideoAssembler(codecOf(options.formats));
    this.#feedback = new SenderFeedback(options);
    this.#keyframes = new KeyframePolicy({
      throttleMs: options.keyframeThrottleMs,
      periodMs: options.keyframePeriodMs,
    });
    this.#keyframes.want('start');
  }

  get stats(): MediaReceiverStats {
    const { framesBefore, damagedBefore, ...counts } = this.#counts;
    const { units, damaged } = this.#assembler.stats;
    return {
      ...counts,
      plisByReason: { ...this.#plisByReason },
      roundTripMs: this.#roundTrip.smoothedMs,
      reorderMs: this.#reorderMs,
      framesIn: framesBefore + units + damaged,
      framesDamaged: damagedBefore + damaged,
    };
  }

  /** Takes an authenticated packet. */
  push(packet: RtpPacket, nowMs: number): void {
    this.#counts.packetsReceived += 1;
    const format = this.#options.formats.get(packet.payloadType);
    this.#feedback.arrived(packet, format?.kind === 'audio' ? 48_000 : 90_000, nowMs);
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

  /** Takes an authenticated RTCP compound. */
  pushRtcp(compound: Uint8Array, nowMs: number): void {
    for (const told of readRtcp(compound)) {
      const roundTripMs = this.#feedback.told(told, nowMs);
      if (roundTripMs !== undefined) {
        this.#roundTrip.sample(roundTripMs);
      }
      if (told.kind === 'report' && told.ntpSeconds > 0) {
        const ntpMs = ntpToUnixMs(told.ntpSeconds, told.ntpFraction);
        this.#relate(told.ssrc, told.rtpTimestamp, ntpMs, nowMs);
      }
    }
  }

  /** Somebody downstream needs a keyframe. */
  requestKeyframe(nowMs: number): void {
    this.#keyframes.want('reader');
    this.#sendPli(nowMs);
  }

  /** Deadlines, retransmission requests and periodic feedback. */
  tick(nowMs: number): void {
    if (this.#video !== undefined) {
      this.#video.reorder.deadlineMs = this.#reorderMs;
      this.#takeVideo(this.#video.reorder.poll(nowMs), nowMs);
      this.#nacks.giveUpBelow(this.#video.reorder.next ?? 0);
      this.#sendNacks(nowMs);
    }
    if (this.#audio !== undefined) {
      this.#takeAudio(this.#audio.reorder.poll(nowMs));
    }
    this.#sendPli(nowMs);
    const ssrcs = [this.#video?.ssrc, this.#audio?.ssrc].filter((ssrc) => ssrc !== undefined);
    for (const packet of this.#feedback.take(ssrcs, nowMs)) {
      this.#sink.rtcp(packet);
    }
  }

  /** As many rounds as the bounds allow. */
  get #reorderMs(): number {
    const { reorderMinMs, reorderMaxMs } = this.#options;
    const wantedMs = RETRANSMISSION_ROUNDS * this.#roundTrip.timeoutMs + SENDER_MARGIN_MS;
    return Math.min(reorderMaxMs, Math.max(reorderMinMs, wantedMs));
  }

  #relate(ssrc: number, rtpTimestamp: number, ntpMs: number, arrivedMs: number): void {
    for (const kind of ['video', 'audio'] as const) {
      const stream = kind === 'video' ? this.#video : this.#audio;
      if (stream?.ssrc === ssrc) {
        const rtpTime = stream.times.peek(rtpTimestamp);
        this.#sink.report({ kind, rtpTime, ntpMs, arrivedMs });
      }
    }
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
    this.#nacks.arrived(sequence, nowMs, isRetransmission);
    if (isRetransmission) {
      this.#counts.packetsRecovered += stream.reorder.isAwaited(sequence) ? 1 : 0;
    } else {
      this.#followFormat(packet.payloadType);
    }
    const isAfterOutage = nowMs - this.#videoMs > this.#options.reorderMaxMs;
    this.#videoMs = nowMs;
    this.#takeVideo(stream.reorder.push(entry, nowMs), nowMs);
    if (isAfterOutage) {
      this.#takeVideo(stream.reorder.flush(), nowMs);
    }
    this.#nacks.giveUpBelow(stream.reorder.next ?? 0);
    this.#sendNacks(nowMs);
    this.#sendPli(nowMs);
  }

  /** Another codec starts with a keyframe, or is of no use until one comes. */
  #followFormat(payloadType: number): void {
    if (this.#videoPayloadType !== payloadType) {
      if (this.#videoPayloadType !== undefined) {
        this.#keyframes.want('format');
      }
      this.#videoPayloadType = payloadType;
    }
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
        deadlineMs: kind === 'video' ? this.#reorderMs : AUDIO_REORDER_MS,
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
    this.#nacks = new NackList(this.#roundTrip);
    this.#assembler = new VideoAssembler(codecOf(this.#options.formats));
    this.#keyframes.want('start');
    this.#videoMs = Number.NEGATIVE_INFINITY;
    this.#sink.restarted();
  }

  #takeVideo(ordered: readonly Ordered[], nowMs: number): void {
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
          this.#keyframes.satisfied(nowMs);
          this.#unansweredPlis = 0;
        }
        const { rtpTime, arrivedMs, data, isKeyframe } = assembled;
        this.#sink.unit({ kind: 'video', rtpTime, arrivedMs, data, isKeyframe });
      }
      if (this.#assembler.isAwaitingKeyframe && !this.#keyframes.isWaiting) {
        this.#keyframes.want('loss');
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
    const sequences = this.#nacks.due(nowMs, this.#reorderMs);
    if (sequences.length > 0 && this.#video !== undefined) {
      this.#counts.nacksSent += 1;
      this.#sink.rtcp(genericNack(this.#target(this.#video), sequences));
    }
  }

  #sendPli(nowMs: number): void {
    const reason = this.#video === undefined ? undefined : this.#keyframes.due(nowMs);
    if (this.#video === undefined || reason === undefined) {
      return;
    }
    this.#counts.plisSent += 1;
    this.#plisByReason[reason] = (this.#plisByReason[reason] ?? 0) + 1;
    this.#unansweredPlis += 1;
    this.#sink.rtcp(pictureLossIndication(this.#target(this.#video)));
    if (this.#unansweredPlis >= OVERDUE_AFTER_PLIS) {
      this.#sink.keyframeOverdue();
    }
  }

  #target(stream: Stream): { readonly senderSsrc: number; readonly mediaSsrc: number } {
    return { senderSsrc: this.#options.localSsrc, mediaSsrc: stream.ssrc };
  }
}

/** One codec is agreed on, under one payload type or several. */
function codecOf(formats: MediaReceiverOptions['formats']): VideoCodec {
  const video = [...formats.values()].find((format) => format.kind === 'video');
  return video?.codec ?? 'h264';
}
