/**
 * One subscriber: a peer connection that offers H.264, Opus and the data channel, and the RTP to
 * it. The one door to node-datachannel. Every call into the library is guarded: it throws on
 * anything that happens after a close.
 */
import { randomInt } from 'node:crypto';
import nodeDataChannel, {
  type DataChannel,
  type PeerConnection,
  type RtcConfig,
  type Track,
} from 'node-datachannel';
import {
  decodeToStreamer,
  DEFAULT_PROTOCOL,
  encodeFromStreamer,
  type FromStreamerMessage,
  type IceCandidateData,
  renderProtocol,
} from '../../signalling/protocol/index.ts';
import type { Clock } from '../kernel/broadcastClock.ts';
import { errorText } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { type Control, controlOf } from './controls.ts';
import type { EncodedPicture } from './flv.ts';
import {
  packetizeOpus,
  packetizePicture,
  parseFeedback,
  type RtpStream,
  senderReport,
  sequenceOf,
} from './rtp.ts';

/** What a peer tells its owner. */
export type PeerEvents = {
  offer(sdp: string): void;
  candidate(candidate: IceCandidateData): void;
  /** A message on the data channel that is not answered here. */
  control(control: Control): void;
  /** Connected, or gone for good. */
  state(state: 'connected' | 'gone'): void;
};

/** A subscriber. All methods are harmless after `close`. */
export type Peer = {
  answer(sdp: string): void;
  addCandidate(candidate: IceCandidateData): void;
  picture(picture: EncodedPicture, captureMs: number): void;
  sound(packet: Uint8Array, captureMs: number): void;
  /** Sends a Response on the data channel. */
  respond(text: string): void;
  isConnected(): boolean;
  close(): void;
};

const H264_PAYLOAD_TYPE = 102;
const OPUS_PAYLOAD_TYPE = 111;
const H264_FMTP = 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f';
const OPUS_FMTP = 'minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1';
const REPORT_INTERVAL_MS = 1000;
/** Packets kept for retransmission: about two seconds at 5 Mbit/s. */
const HISTORY_PACKETS = 1024;
/** Candidates that wait for the answer. */
const MAX_EARLY_CANDIDATES = 64;
const MAX_QUEUED_BYTES = 1 << 20;

type Sender = { readonly track: Track; readonly stream: RtpStream; lastReportMs: number };

/** Makes the peer connection and offers. */
export function createPeer(
  deps: { readonly logger: Logger; readonly clock: Clock },
  options: {
    readonly playerId: string;
    readonly iceServers: RtcConfig['iceServers'];
    readonly hasDataChannel: boolean;
    /** Sent as InitialSettings. */
    readonly settings: () => unknown;
    /** RTP sequence number of the first picture; any below 2^15 when left out. */
    readonly firstSequence?: number;
  },
  events: PeerEvents,
): Peer {
  const { logger, clock } = deps;
  const connection = new nodeDataChannel.PeerConnection(options.playerId, {
    iceServers: options.iceServers,
    disableAutoNegotiation: true,
    maxMessageSize: 262_144,
  });
  let isClosed = false;
  let isConnected = false;
  let hasAnswer = false;
  let isWaitingForKeyframe = true;
  let early: IceCandidateData[] = [];
  /** Runs a call into the library; what it throws is the peer's end, not ours. */
  const guarded = (what: string, call: () => void): void => {
    if (isClosed) {
      return;
    }
    try {
      call();
    } catch (error) {
      logger.debug({ what, error: errorText(error) }, 'peer refused a call');
    }
  };
  const cname = `grandstand-${randomInt(2 ** 32)}`;
  const video = addVideo(connection, cname);
  const audio = addAudio(connection, cname);
  video.stream.sequence = options.firstSequence ?? video.stream.sequence;
  const history = new Map<number, Buffer>();
  const send = (sender: Sender, packet: Buffer): void => {
    guarded('send', () => {
      if (sender.track.isOpen()) {
        sender.track.sendMessageBinary(packet);
      }
    });
  };
  const report = (sender: Sender): void => {
    const nowMs = clock.nowMs();
    if (nowMs - sender.lastReportMs >= REPORT_INTERVAL_MS) {
      sender.lastReportMs = nowMs;
      send(sender, senderReport(sender.stream, nowMs));
    }
  };
  const remember = (packet: Buffer): void => {
    const sequence = sequenceOf(packet);
    history.set(sequence, packet);
    history.delete((sequence - HISTORY_PACKETS) & 0xffff);
  };
  const onFeedback = (bytes: Buffer): void => {
    for (const feedback of parseFeedback(bytes)) {
      if (feedback.kind === 'keyframe') {
        logger.debug({}, 'peer asks for a keyframe; the next one is at most half a second away');
        continue;
      }
      for (const sequence of feedback.sequences) {
        const packet = history.get(sequence);
        if (packet !== undefined) {
          send(video, packet);
        }
      }
    }
  };
  video.track.onMessage(onFeedback);
  audio.track.onMessage(() => undefined);

  const channel = options.hasDataChannel
    ? connection.createDataChannel('datachannel', {})
    : undefined;
  const tell = (message: FromStreamerMessage): void => {
    guarded('tell', () => {
      if (channel?.isOpen() === true && channel.bufferedAmount() < MAX_QUEUED_BYTES) {
        channel.sendMessageBinary(encodeFromStreamer(message));
      }
    });
  };
  const tellSettings = (): void => {
    tell({ kind: 'text', name: 'InitialSettings', text: JSON.stringify(options.settings()) });
  };
  if (channel !== undefined) {
    wireChannel(channel, {
      open() {
        for (const text of renderProtocol(DEFAULT_PROTOCOL)) {
          tell({ kind: 'text', name: 'Protocol', text });
        }
        tellSettings();
      },
      control(control) {
        if (control.kind === 'settings') {
          tellSettings();
        } else if (control.kind === 'quality-control') {
          tell({ kind: 'ownership', name: 'QualityControlOwnership', hasControl: true });
        } else {
          events.control(control);
        }
      },
    });
  }

  connection.onLocalDescription((sdp) => {
    if (!isClosed) {
      events.offer(sdp);
    }
  });
  connection.onLocalCandidate((candidate, mid) => {
    if (!isClosed) {
      const line = candidate.replace(/^a=/, '');
      events.candidate({ candidate: line, sdpMid: mid, sdpMLineIndex: 0 });
    }
  });
  connection.onStateChange((state) => {
    if (isClosed) {
      return;
    }
    if (state === 'connected') {
      isConnected = true;
      events.state('connected');
    } else if (state === 'failed' || state === 'closed' || state === 'disconnected') {
      isConnected = false;
      if (state !== 'disconnected') {
        events.state('gone');
      }
    }
  });
  connection.setLocalDescription('offer');

  const addNow = (candidate: IceCandidateData): void => {
    guarded('candidate', () => {
      connection.addRemoteCandidate(candidate.candidate, candidate.sdpMid ?? '0');
    });
  };
  return {
    answer(sdp) {
      guarded('answer', () => {
        connection.setRemoteDescription(sdp, 'answer');
        hasAnswer = true;
      });
      if (hasAnswer) {
        early.forEach(addNow);
        early = [];
      }
    },
    addCandidate(candidate) {
      if (candidate.candidate === '') {
        return;
      }
      if (hasAnswer) {
        addNow(candidate);
      } else if (early.length < MAX_EARLY_CANDIDATES) {
        early.push(candidate);
      }
    },
    picture(picture, captureMs) {
      if (!isConnected || (isWaitingForKeyframe && !picture.isKeyframe)) {
        return;
      }
      isWaitingForKeyframe = false;
      report(video);
      for (const packet of packetizePicture(video.stream, picture.nals, captureMs)) {
        remember(packet);
        send(video, packet);
      }
    },
    sound(packet, captureMs) {
      if (isConnected) {
        report(audio);
        send(audio, packetizeOpus(audio.stream, packet, captureMs));
      }
    },
    respond(text) {
      tell({ kind: 'text', name: 'Response', text });
    },
    isConnected: () => isConnected,
    close() {
      guarded('close', () => {
        connection.close();
      });
      isClosed = true;
      isConnected = false;
      history.clear();
    },
  };
}

function wireChannel(
  channel: DataChannel,
  on: { open(): void; control(control: Control): void },
): void {
  channel.onOpen(() => {
    on.open();
  });
  channel.onMessage((message) => {
    if (typeof message === 'string') {
      return;
    }
    const decoded = decodeToStreamer(new Uint8Array(message));
    if (decoded.kind === 'message') {
      on.control(controlOf(decoded.message));
    }
  });
}

function addVideo(connection: PeerConnection, cname: string): Sender {
  const media = new nodeDataChannel.Video('0', 'SendOnly');
  media.addH264Codec(H264_PAYLOAD_TYPE, H264_FMTP);
  const stream = newStream(H264_PAYLOAD_TYPE, 90_000, cname);
  media.addSSRC(stream.ssrc, cname, 'pixelstreaming', 'pixelstreaming_video');
  return { track: connection.addTrack(media), stream, lastReportMs: 0 };
}

function addAudio(connection: PeerConnection, cname: string): Sender {
  const media = new nodeDataChannel.Audio('1', 'SendOnly');
  media.addOpusCodec(OPUS_PAYLOAD_TYPE, OPUS_FMTP);
  const stream = newStream(OPUS_PAYLOAD_TYPE, 48_000, cname);
  media.addSSRC(stream.ssrc, cname, 'pixelstreaming', 'pixelstreaming_audio');
  return { track: connection.addTrack(media), stream, lastReportMs: 0 };
}

function newStream(payloadType: number, clockRate: number, cname: string): RtpStream {
  return {
    ssrc: randomInt(1, 2 ** 32),
    payloadType,
    clockRate,
    base: randomInt(2 ** 32),
    cname,
    // Below 2^15, as RFC 3711 §3.3.1 wants it for the roll-over counter.
    sequence: randomInt(2 ** 15),
    packets: 0,
    octets: 0,
  };
}
