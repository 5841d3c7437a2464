/**
 * Authenticates and decrypts SRTP (RFC 3711 §3.3, RFC 7714 §8). In place of werift's, whose
 * roll-over counter is lost in an outage (packetIndex.ts), and which parses, copies and routes each
 * packet through objects that nobody here reads. No sockets, no time.
 */
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { RtpHeader } from '../rtp/rtpPacket.ts';
import { PacketIndex } from './packetIndex.ts';
import type { SessionKeys, SrtpProfile } from './sessionKeys.ts';

/** Why packets were refused, since the start. */
export type SrtpStats = { readonly unauthentic: number; readonly replayed: number };

const HMAC_TAG_BYTES = 10;
const GCM_TAG_BYTES = 16;
const WRAP = 0x10000;
/** Sources of one peer: picture, sound, their retransmissions, and room for changes. */
const MAX_SOURCES = 64;

/** The packets of one peer; one state for each SSRC. */
export class SrtpReceiver {
  readonly #profile: SrtpProfile;
  readonly #keys: SessionKeys;
  readonly #sources = new Map<number, PacketIndex>();
  readonly #stats = { unauthentic: 0, replayed: 0 };
  readonly #iv: Buffer;
  readonly #rolloverCounter = Buffer.alloc(4);

  constructor(profile: SrtpProfile, keys: SessionKeys) {
    this.#profile = profile;
    this.#keys = keys;
    this.#iv = Buffer.alloc(profile === 'AEAD_AES_128_GCM' ? 12 : 16);
  }

  get stats(): SrtpStats {
    return { ...this.#stats };
  }

  /** The payload in clear, in a buffer of its own; undefined where the packet is not to be used. */
  unprotect(packet: Uint8Array, header: RtpHeader): Uint8Array | undefined {
    const known = this.#sources.get(header.ssrc);
    const source = known ?? new PacketIndex();
    const guess = source.estimate(header.sequenceNumber);
    if (guess === undefined || source.isReplay(guess)) {
      this.#stats.replayed += 1;
      return undefined;
    }
    let index = guess;
    let payload = this.#open(packet, header, index);
    if (payload === undefined && !source.hasStarted) {
      // The packets before the first roll-over were all lost: RFC 3711 knows no way to tell.
      index = guess + WRAP;
      payload = this.#open(packet, header, index);
    }
    if (payload === undefined) {
      this.#stats.unauthentic += 1;
      return undefined;
    }
    source.accept(index);
    if (known === undefined) {
      this.#add(header.ssrc, source);
    }
    return payload;
  }

  /** The source that was added first makes room: a peer that changes SSRC keeps to the new one. */
  #add(ssrc: number, source: PacketIndex): void {
    const [oldest] = this.#sources.keys();
    if (this.#sources.size >= MAX_SOURCES && oldest !== undefined) {
      this.#sources.delete(oldest);
    }
    this.#sources.set(ssrc, source);
  }

  #open(packet: Uint8Array, header: RtpHeader, index: number): Uint8Array | undefined {
    return this.#profile === 'AEAD_AES_128_GCM'
      ? this.#openGcm(packet, header, index)
      : this.#openCounterMode(packet, header, index);
  }

  /** RFC 3711 §4.1.1 and §4.2.1. */
  #openCounterMode(packet: Uint8Array, header: RtpHeader, index: number): Uint8Array | undefined {
    const tagAt = packet.length - HMAC_TAG_BYTES;
    if (tagAt < header.payloadOffset) {
      return undefined;
    }
    this.#rolloverCounter.writeUInt32BE(Math.floor(index / WRAP));
    const tag = createHmac('sha1', this.#keys.authKey)
      .update(packet.subarray(0, tagAt))
      .update(this.#rolloverCounter)
      .digest();
    if (!timingSafeEqual(tag.subarray(0, HMAC_TAG_BYTES), packet.subarray(tagAt))) {
      return undefined;
    }
    this.#setIv(4, header.ssrc, index);
    return createDecipheriv('aes-128-ctr', this.#keys.cipherKey, this.#iv).update(
      packet.subarray(header.payloadOffset, tagAt),
    );
  }

  /** RFC 7714 §8.1, §8.2. */
  #openGcm(packet: Uint8Array, header: RtpHeader, index: number): Uint8Array | undefined {
    const tagAt = packet.length - GCM_TAG_BYTES;
    if (tagAt < header.payloadOffset) {
      return undefined;
    }
    this.#setIv(2, header.ssrc, index);
    const decipher = createDecipheriv('aes-128-gcm', this.#keys.cipherKey, this.#iv);
    decipher.setAAD(packet.subarray(0, header.payloadOffset));
    decipher.setAuthTag(packet.subarray(tagAt));
    const payload = decipher.update(packet.subarray(header.payloadOffset, tagAt));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return payload;
  }

  /** SSRC and index over the session salt; only where the SSRC starts differs between profiles. */
  #setIv(ssrcAt: 2 | 4, ssrc: number, index: number): void {
    const { salt } = this.#keys;
    const iv = this.#iv.fill(0);
    iv.writeUInt32BE(ssrc, ssrcAt);
    iv.writeUIntBE(index, ssrcAt + 4, 6);
    for (let at = 0; at < salt.length; at += 1) {
      iv[at] = (iv[at] ?? 0) ^ (salt[at] ?? 0);
    }
  }
}
