/**
 * SRTP on werift's DTLS transport, by our own code. The shell between werift's sockets and
 * ingest/srtp: takes the keys of the handshake, every datagram that is media, and sends RTCP.
 *
 * werift 0.25.2 is left out of RTP altogether. Its roll-over counter is lost in an outage
 * (ingest/srtp/packetIndex.ts), its receiver reports have a jitter and loss of their own making,
 * its transport-wide feedback collapses the sender, and its header parser and router cost more
 * than the decryption.
 */
import type { RTCDtlsTransport } from 'werift';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { parseRtpHeader, type RtpPacket, rtpPacketOf } from '../rtp/rtpPacket.ts';
import { deriveSessionKeys, masterLengths, type SrtpProfile } from '../srtp/sessionKeys.ts';
import { SrtcpReceiver, SrtcpSender } from '../srtp/srtcp.ts';
import { SrtpReceiver, type SrtpStats } from '../srtp/srtpReceiver.ts';

/** Where what was authenticated goes. */
export type ProtectedMediaSink = {
  rtp(packet: RtpPacket): void;
  rtcp(compound: Uint8Array): void;
};

/** The protected media of one transport. */
export type ProtectedMedia = {
  /** Sends an RTCP packet; before the handshake it is lost, as on the way. */
  sendRtcp(packet: Uint8Array): void;
  stats(): SrtpStats;
};

/** Profiles by their number in the handshake (RFC 5764 §4.1.2, RFC 7714 §14.2). */
const PROFILES: Readonly<Record<number, SrtpProfile>> = {
  1: 'AES128_CM_HMAC_SHA1_80',
  7: 'AEAD_AES_128_GCM',
};

/** Takes the place of werift's SRTP; call it before the handshake. */
export function protectMedia(
  transport: RTCDtlsTransport,
  transportCcId: number | undefined,
  sink: ProtectedMediaSink,
): ProtectedMedia {
  let receiver: SrtpReceiver | undefined;
  let sender: SrtcpSender | undefined;
  transport.startSrtp = () => {
    if (receiver !== undefined || transport.dtls === undefined) {
      return;
    }
    const { profile, remote, local } = keysOf(transport.dtls);
    const srtp = new SrtpReceiver(profile, remote.rtp);
    const srtcp = new SrtcpReceiver(profile, remote.rtcp);
    receiver = srtp;
    sender = new SrtcpSender(profile, local.rtcp);
    transport.srtpStarted = true;
    transport.iceTransport.connection.onData.subscribe((datagram: Buffer) => {
      receive(datagram, srtp, srtcp);
    });
  };
  const receive = (datagram: Buffer, srtp: SrtpReceiver, srtcp: SrtcpReceiver): void => {
    const [first = 0, second = 0] = datagram;
    if (first < 128 || first > 191) {
      return; // RFC 7983 §7: STUN, DTLS
    }
    if (second >= 192 && second <= 223) {
      const compound = srtcp.unprotect(datagram); // RFC 5761 §4
      if (compound !== undefined) {
        sink.rtcp(compound);
      }
      return;
    }
    const header = parseRtpHeader(datagram, transportCcId);
    const payload = header === undefined ? undefined : srtp.unprotect(datagram, header);
    if (header !== undefined && payload !== undefined) {
      const packet = rtpPacketOf(header, payload);
      if (packet !== undefined) {
        sink.rtp(packet);
      }
    }
  };
  return {
    sendRtcp(packet) {
      if (sender !== undefined) {
        // Feedback that does not get out is like feedback lost on the way.
        transport.iceTransport.connection.send(sender.protect(packet)).catch(() => undefined);
      }
    },
    stats: () => receiver?.stats ?? { unauthentic: 0, replayed: 0 },
  };
}

type Dtls = NonNullable<RTCDtlsTransport['dtls']>;
type Keys = ReturnType<typeof deriveSessionKeys>;

function keysOf(dtls: Dtls): { profile: SrtpProfile; local: Keys; remote: Keys } {
  const profile = PROFILES[dtls.srtp.srtpProfile ?? 0];
  if (profile === undefined) {
    throw new GatewayError('peer_failed', 'the streamer agreed on no SRTP protection');
  }
  const lengths = masterLengths(profile);
  const { localKey, localSalt, remoteKey, remoteSalt } = dtls.extractSessionKeys(
    lengths.key,
    lengths.salt,
  );
  return {
    profile,
    local: deriveSessionKeys(profile, { key: localKey, salt: localSalt }),
    remote: deriveSessionKeys(profile, { key: remoteKey, salt: remoteSalt }),
  };
}
