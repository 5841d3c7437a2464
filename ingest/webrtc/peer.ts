/**
 * One receive-only WebRTC peer on werift, which besides this file only protectedMedia.ts knows.
 * werift does ICE, DTLS and data channels; everything of RTP is ours (ingest/srtp, ingest/rtp).
 * Runs in the peer thread.
 */
import { RTCPeerConnection, RTCRtpCodecParameters, type RTCDataChannel } from 'werift';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { IceOptions } from '../pixelstreaming/iceServers.ts';
import { MediaReceiver, type MediaReceiverSink } from '../rtp/mediaReceiver.ts';
import { ControlInbox, encodeOutbound, type OutboundMessage } from './controlChannel.ts';
import { monotonicMs, type PeerConfig, type PeerEvent } from './messages.ts';
import { type ProtectedMedia, protectMedia } from './protectedMedia.ts';
import { ENCODING_NAMES } from './videoCodecs.ts';
import { renderOwnOffer } from './ownOffer.ts';
import { type PreparedOffer, prepareOffer, renderAnswer } from './sdp.ts';

/** A peer in the peer thread. */
export type Peer = {
  addCandidate(candidate: string): void;
  /** Takes the answer to the peer's own offer. */
  accept(answer: string): void;
  requestKeyframe(): void;
  /** Idempotent; no event comes after it. */
  close(): void;
};

const TICK_MS = 10;
const STATS_MS = 1000;
const MAX_WAITING_CANDIDATES = 64;

/**
 * Answers `offer`, or makes one where there is none. What happens, failures too, comes as events.
 *
 * @param ice of which werift takes the first STUN and the first TURN server
 * @throws GatewayError for `isRelayOnly` without a TURN server: werift would offer its own addresses
 */
export function openPeer(
  offer: string | undefined,
  ice: IceOptions,
  config: PeerConfig,
  emit: (event: PeerEvent) => void,
): Peer {
  const hasTurn = ice.iceServers.some(({ urls }) => urls.some((url) => /^turns?:/i.test(url)));
  if (ice.isRelayOnly && !hasTurn) {
    throw new GatewayError(
      'peer_failed',
      'only relays are allowed, and no TURN server with credentials is known: set ingest.iceServers',
    );
  }
  const peer = new WeriftPeer(config, ice, emit);
  void (offer === undefined ? peer.offer() : peer.answer(offer)); // failures are events
  return peer;
}

class WeriftPeer implements Peer {
  readonly #config: PeerConfig;
  readonly #emit: (event: PeerEvent) => void;
  readonly #connection: RTCPeerConnection;
  readonly #hasStun: boolean;
  readonly #inbox = new ControlInbox();
  readonly #waitingCandidates: string[] = [];
  #receiver: MediaReceiver | undefined;
  #agreed: PreparedOffer | undefined;
  /** Our description, as it went out. */
  #local: string | undefined;
  #control: RTCDataChannel | undefined;
  #timers: NodeJS.Timeout[] = [];
  #isNegotiating = false;
  #isClosed = false;

  constructor(config: PeerConfig, ice: IceOptions, emit: (event: PeerEvent) => void) {
    this.#config = config;
    this.#emit = emit;
    this.#hasStun = ice.iceServers.some(({ urls }) => urls.some((url) => /^stuns?:/i.test(url)));
    this.#connection = new RTCPeerConnection({
      codecs: {
        video: config.codecs.map((name) => codec(`video/${ENCODING_NAMES[name]}`, 90_000)),
        audio: [codec('audio/opus', 48_000, 2)],
      },
      headerExtensions: { video: [], audio: [] },
      iceTransportPolicy: ice.isRelayOnly ? 'relay' : 'all',
      iceServers: ice.iceServers.map((server) => ({ ...server, urls: [...server.urls] })),
      iceAdditionalHostAddresses: [...config.hostAddresses],
      ...(config.udpPortRange === undefined
        ? {}
        : { icePortRange: [config.udpPortRange[0], config.udpPortRange[1]] as [number, number] }),
    });
    this.#connection.onDataChannel.subscribe((channel) => {
      this.#useControl(channel);
    });
    this.#connection.onIceCandidate.subscribe((candidate) => {
      if (candidate !== undefined) {
        this.#offerCandidate(candidate.candidate);
      }
    });
    this.#connection.connectionStateChange.subscribe((state) => {
      if (state === 'connected') {
        this.#say({ kind: 'connected' });
      } else if (state === 'failed' || state === 'closed') {
        this.#end(new GatewayError('peer_failed', `the WebRTC connection ${state}`));
      }
    });
  }

  answer(offerSdp: string): Promise<void> {
    return this.#negotiate(async () => {
      const offer = this.#prepare(offerSdp);
      const connection = this.#connection;
      await connection.setRemoteDescription({ type: 'offer', sdp: offer.sdp }).catch(asBadSdp);
      this.#dropPublicStun();
      const answer = await connection.createAnswer();
      if (this.#isOver()) {
        return; // nothing may be started that nobody stops
      }
      this.#receive(offer);
      await connection.setLocalDescription(answer);
      this.#widenReceiveBuffers();
      this.#local = renderAnswer(connection.localDescription?.sdp ?? answer.sdp, offer);
      this.#say({ kind: 'answer', sdp: this.#local });
      this.#agree(offer);
    });
  }

  /** For streamers that answer: receive only, with the channel that old frontends open. */
  offer(): Promise<void> {
    return this.#negotiate(async () => {
      const connection = this.#connection;
      connection.addTransceiver('video', { direction: 'recvonly' });
      connection.addTransceiver('audio', { direction: 'recvonly' });
      this.#useControl(connection.createDataChannel('cirrus'));
      const offer = await connection.createOffer();
      this.#dropPublicStun();
      if (this.#isOver()) {
        return;
      }
      await connection.setLocalDescription(offer);
      this.#widenReceiveBuffers();
      const { feedback, codecs } = this.#config;
      const sdp = connection.localDescription?.sdp ?? offer.sdp;
      this.#local = renderOwnOffer(sdp, feedback, codecs, this.#config);
      this.#say({ kind: 'offer', sdp: this.#local });
    });
  }

  accept(answerSdp: string): void {
    if (this.#local === undefined || this.#agreed !== undefined || this.#isClosed) {
      return;
    }
    void this.#negotiate(async () => {
      // An answer says what an offer does: what the streamer sends, and how.
      const agreed = this.#prepare(answerSdp);
      this.#receive(agreed);
      await this.#connection
        .setRemoteDescription({ type: 'answer', sdp: agreed.sdp })
        .catch(asBadSdp);
      this.#agree(agreed);
    });
  }

  #prepare(sdp: string): PreparedOffer {
    return prepareOffer(sdp, this.#config.feedback, this.#config.codecs, this.#config);
  }

  #agree(agreed: PreparedOffer): void {
    this.#agreed = agreed;
    for (const candidate of this.#waitingCandidates.splice(0)) {
      this.addCandidate(candidate);
    }
  }

  async #negotiate(work: () => Promise<void>): Promise<void> {
    this.#isNegotiating = true;
    try {
      await work();
    } catch (error) {
      this.#end(error);
    } finally {
      this.#isNegotiating = false;
      if (this.#isOver()) {
        this.#closeConnection();
      }
    }
  }

  /** Asked after each await: `close` may have come in between. */
  #isOver(): boolean {
    return this.#isClosed;
  }

  addCandidate(candidate: string): void {
    if (this.#isClosed) {
      return;
    }
    if (this.#agreed === undefined) {
      if (this.#waitingCandidates.length < MAX_WAITING_CANDIDATES) {
        this.#waitingCandidates.push(candidate);
      }
      return;
    }
    // Epic's peers disagree about the media section; all sections share the bundle's transport.
    // A candidate that cannot be read or reached is the same as none.
    this.#connection
      .addIceCandidate({ candidate, sdpMid: this.#agreed.bundleMid })
      .catch(() => undefined);
  }

  requestKeyframe(): void {
    this.#receiver?.requestKeyframe(monotonicMs());
  }

  close(): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    for (const timer of this.#timers) {
      clearInterval(timer);
    }
    if (!this.#isNegotiating) {
      this.#closeConnection();
    }
  }

  /**
   * Not while it gathers: werift 0.25.2 then goes on to check candidates without end, 50 times a
   * second. A STUN server that is silent keeps it gathering for 5 s.
   */
  #closeConnection(): void {
    this.#connection.close().catch(() => undefined);
  }

  #say(event: PeerEvent): void {
    if (!this.#isClosed) {
      this.#emit(event);
    }
  }

  #end(error: unknown): void {
    const code = error instanceof GatewayError ? error.code : 'peer_failed';
    this.#say({ kind: 'ended', code, reason: errorText(error) });
    this.close();
  }

  /** Without this, an empty list of servers still asks stun.l.google.com (werift 0.25.2). */
  #dropPublicStun(): void {
    if (!this.#hasStun) {
      for (const transport of this.#connection.iceTransports) {
        delete transport.connection.stunServer;
      }
    }
  }

  /** 208 KB, the kernel's default, is about 90 packets: less than one keyframe at 10 Mbit/s. */
  #widenReceiveBuffers(): void {
    for (const { connection } of this.#connection.iceTransports) {
      const { protocols } = connection as unknown as { protocols: readonly UdpProtocol[] };
      for (const protocol of protocols) {
        try {
          protocol.transport?.socket?.setRecvBufferSize?.(this.#config.receiveBufferBytes);
        } catch {
          // A relayed or closed socket has none of its own.
        }
      }
    }
  }

  #receive(offer: PreparedOffer): void {
    this.#say({ kind: 'agreed', hasAudio: offer.hasAudio });
    const [transport] = this.#connection.dtlsTransports;
    if (transport === undefined) {
      throw new GatewayError('bad_sdp', 'the offer has no transport');
    }
    const media: ProtectedMedia = protectMedia(transport, offer.transportCcId, {
      rtp: (packet) => receiver.push(packet, monotonicMs()),
      rtcp: (compound) => receiver.pushRtcp(compound, monotonicMs()),
    });
    const receiver = new MediaReceiver(
      {
        formats: offer.formats,
        localSsrc: this.#connection.getReceivers()[0]?.rtcpSsrc ?? 1,
        feedback: offer.feedback,
        maxBitrateBps: this.#config.maxBitrateBps,
        reorderMinMs: this.#config.reorderMinMs,
        reorderMaxMs: this.#config.reorderMaxMs,
        keyframeThrottleMs: this.#config.keyframeThrottleMs,
        keyframePeriodMs: this.#config.keyframePeriodMs,
      },
      this.#sink(media),
    );
    this.#receiver = receiver;
    this.#timers = [
      setInterval(() => receiver.tick(monotonicMs()), TICK_MS),
      setInterval(() => {
        this.#say({
          kind: 'stats',
          // The thread that forwards this knows what it had to drop.
          stats: {
            ...receiver.stats,
            ...media.stats(),
            control: this.#inbox.stats,
            unitsDropped: 0,
          },
        });
      }, STATS_MS),
    ];
  }

  #sink(media: ProtectedMedia): MediaReceiverSink {
    return {
      restarted: () => this.#say({ kind: 'restarted' }),
      parameters: (parameters) => this.#say({ kind: 'parameters', parameters }),
      unit: (unit) => this.#say({ kind: 'unit', unit }),
      report: (report) => this.#say({ kind: 'report', report }),
      rtcp: (packet) => media.sendRtcp(packet),
      keyframeOverdue: () => this.#tell('IFrameRequest'),
    };
  }

  #useControl(channel: RTCDataChannel): void {
    this.#control = channel;
    channel.onMessage.subscribe((data) => {
      const message = this.#inbox.push(data, monotonicMs());
      if (message !== undefined) {
        this.#say({ kind: 'control', message });
      }
    });
  }

  #tell(message: OutboundMessage): void {
    if (this.#control?.readyState === 'open') {
      this.#control.send(Buffer.from(encodeOutbound(message)));
    }
  }

  /** Candidates that our description already carries are not repeated. */
  #offerCandidate(candidate: string): void {
    const line = candidate.replace(/^a=/, '');
    if (this.#local?.includes(line) === false) {
      const sdpMid = this.#agreed?.bundleMid ?? '0';
      this.#say({ kind: 'candidate', candidate: { candidate: line, sdpMid, sdpMLineIndex: 0 } });
    }
  }
}

type UdpProtocol = {
  readonly transport?: { readonly socket?: { setRecvBufferSize?(bytes: number): void } };
};

function codec(mimeType: string, clockRate: number, channels?: number): RTCRtpCodecParameters {
  return new RTCRtpCodecParameters({
    mimeType,
    clockRate,
    rtcpFeedback: [],
    ...(channels === undefined ? {} : { channels }),
  });
}

function asBadSdp(cause: unknown): never {
  throw new GatewayError('bad_sdp', `the offer cannot be used: ${errorText(cause)}`, { cause });
}
