/** Protects and opens SRTCP (RFC 3711 §3.4, RFC 7714 §9). No sockets, no time. */
import {
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createHmac,
  timingSafeEqual,
} from 'node:crypto';
import { PacketIndex } from './packetIndex.ts';
import type { SessionKeys, SrtpProfile } from './sessionKeys.ts';

/** Of RTCP, what stays in clear: the first header and the sender's SSRC. */
const CLEAR_BYTES = 8;
const INDEX_BYTES = 4;
const HMAC_TAG_BYTES = 10;
const GCM_TAG_BYTES = 16;
const ENCRYPTED = 0x8000_0000;
const INDEX_RANGE = 0x8000_0000;

/** Our own RTCP, in the order in which it is sent. */
export class SrtcpSender {
  readonly #profile: SrtpProfile;
  readonly #keys: SessionKeys;
  #index = 0;

  constructor(profile: SrtpProfile, keys: SessionKeys) {
    this.#profile = profile;
    this.#keys = keys;
  }

  /** @param packet a compound or reduced-size packet of at least 8 bytes */
  protect(packet: Uint8Array): Buffer {
    const index = this.#index;
    this.#index = (index + 1) % INDEX_RANGE;
    const trailer = Buffer.alloc(INDEX_BYTES);
    trailer.writeUInt32BE(ENCRYPTED + index);
    const clear = packet.subarray(0, CLEAR_BYTES);
    const iv = ivOf(this.#profile, this.#keys.salt, packet, index);
    if (this.#profile === 'AEAD_AES_128_GCM') {
      const cipher: CipherGCM = createCipheriv('aes-128-gcm', this.#keys.cipherKey, iv);
      cipher.setAAD(Buffer.concat([clear, trailer]));
      const body = cipher.update(packet.subarray(CLEAR_BYTES));
      cipher.final();
      return Buffer.concat([clear, body, cipher.getAuthTag(), trailer]);
    }
    const cipher = createCipheriv('aes-128-ctr', this.#keys.cipherKey, iv);
    const covered = Buffer.concat([clear, cipher.update(packet.subarray(CLEAR_BYTES)), trailer]);
    return Buffer.concat([covered, tagOf(this.#keys, covered)]);
  }
}

/** The other side's RTCP. */
export class SrtcpReceiver {
  readonly #profile: SrtpProfile;
  readonly #keys: SessionKeys;
  /** SRTCP says its index, so one list of replays serves all senders of a peer's one direction. */
  readonly #replays = new Map<number, PacketIndex>();

  constructor(profile: SrtpProfile, keys: SessionKeys) {
    this.#profile = profile;
    this.#keys = keys;
  }

  /** The packet in clear; undefined where it is not authentic, a replay, or no SRTCP. */
  unprotect(packet: Uint8Array): Uint8Array | undefined {
    const isGcm = this.#profile === 'AEAD_AES_128_GCM';
    if (packet.length < CLEAR_BYTES + INDEX_BYTES + (isGcm ? GCM_TAG_BYTES : HMAC_TAG_BYTES)) {
      return undefined;
    }
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    const trailerAt = packet.length - INDEX_BYTES - (isGcm ? 0 : HMAC_TAG_BYTES);
    const trailer = view.getUint32(trailerAt);
    const index = trailer % INDEX_RANGE;
    const ssrc = view.getUint32(4);
    const replays = this.#replays.get(ssrc) ?? new PacketIndex();
    if (replays.isReplay(index)) {
      return undefined;
    }
    const opened = isGcm
      ? this.#openGcm(packet, trailerAt, trailer >= ENCRYPTED, index)
      : this.#openCounterMode(packet, trailerAt, trailer >= ENCRYPTED, index);
    if (opened !== undefined && (this.#replays.has(ssrc) || this.#replays.size < MAX_SENDERS)) {
      replays.accept(index);
      this.#replays.set(ssrc, replays);
    }
    return opened;
  }

  #openCounterMode(
    packet: Uint8Array,
    trailerAt: number,
    isEncrypted: boolean,
    index: number,
  ): Uint8Array | undefined {
    const tagAt = trailerAt + INDEX_BYTES;
    if (!timingSafeEqual(tagOf(this.#keys, packet.subarray(0, tagAt)), packet.subarray(tagAt))) {
      return undefined;
    }
    if (!isEncrypted) {
      return packet.slice(0, trailerAt);
    }
    const iv = ivOf(this.#profile, this.#keys.salt, packet, index);
    const cipher = createDecipheriv('aes-128-ctr', this.#keys.cipherKey, iv);
    return Buffer.concat([
      packet.subarray(0, CLEAR_BYTES),
      cipher.update(packet.subarray(CLEAR_BYTES, trailerAt)),
    ]);
  }

  #openGcm(
    packet: Uint8Array,
    trailerAt: number,
    isEncrypted: boolean,
    index: number,
  ): Uint8Array | undefined {
    const tagAt = trailerAt - GCM_TAG_BYTES;
    const clear = packet.subarray(0, isEncrypted ? CLEAR_BYTES : tagAt);
    const iv = ivOf(this.#profile, this.#keys.salt, packet, index);
    const decipher = createDecipheriv('aes-128-gcm', this.#keys.cipherKey, iv);
    decipher.setAAD(Buffer.concat([clear, packet.subarray(trailerAt)]));
    decipher.setAuthTag(packet.subarray(tagAt, trailerAt));
    const body = decipher.update(packet.subarray(clear.length, tagAt));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return Buffer.concat([clear, body]);
  }
}

/** Senders that one peer's RTCP may come from. */
const MAX_SENDERS = 64;

function tagOf(keys: SessionKeys, covered: Uint8Array): Buffer {
  return createHmac('sha1', keys.authKey).update(covered).digest().subarray(0, HMAC_TAG_BYTES);
}

/** RFC 3711 §4.1.1 and RFC 7714 §9.1: SSRC and index over the salt. */
function ivOf(profile: SrtpProfile, salt: Uint8Array, packet: Uint8Array, index: number): Buffer {
  const isGcm = profile === 'AEAD_AES_128_GCM';
  const iv = Buffer.alloc(isGcm ? 12 : 16);
  iv.set(packet.subarray(4, 8), isGcm ? 2 : 4);
  iv.writeUInt32BE(index, isGcm ? 8 : 10);
  for (let at = 0; at < salt.length; at += 1) {
    iv[at] = (iv[at] ?? 0) ^ (salt[at] ?? 0);
  }
  return iv;
}
