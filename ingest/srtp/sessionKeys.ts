/**
 * SRTP's session keys out of a DTLS handshake's master keys (RFC 3711 §4.3), for the two profiles
 * that the DTLS stack negotiates. Pure. Leaves packets to srtpReceiver.ts and srtcp.ts.
 */
import { createCipheriv, createSecretKey, type KeyObject } from 'node:crypto';

/** Negotiated protection (RFC 5764 §4.1.2, RFC 7714 §14.2). */
export type SrtpProfile = 'AES128_CM_HMAC_SHA1_80' | 'AEAD_AES_128_GCM';

/** One direction's master key and salt. */
export type MasterKeys = { readonly key: Uint8Array; readonly salt: Uint8Array };

/** Session keys of RTP or of RTCP. Key objects: made once, they cost nothing for each packet. */
export type SessionKeys = {
  readonly cipherKey: KeyObject;
  /** 14 bytes for AES-CM, 12 for GCM. */
  readonly salt: Uint8Array;
  /** Of HMAC-SHA1; GCM has its own authentication. */
  readonly authKey: KeyObject;
};

const KEY_BYTES = 16;
const AUTH_KEY_BYTES = 20;

/** Lengths of the master key and salt that the DTLS exporter is asked for (RFC 5764 §4.2). */
export function masterLengths(profile: SrtpProfile): { key: number; salt: number } {
  return { key: KEY_BYTES, salt: saltBytes(profile) };
}

/** Derives the keys of one direction, with a key derivation rate of zero. */
export function deriveSessionKeys(
  profile: SrtpProfile,
  master: MasterKeys,
): { readonly rtp: SessionKeys; readonly rtcp: SessionKeys } {
  const derive = (label: number, bytes: number): Buffer => {
    // §4.3.1: label and index over the salt; a GCM salt of 96 bits is padded (RFC 7714 §11).
    const counter = Buffer.alloc(16);
    counter.set(master.salt);
    counter[7] = (counter[7] ?? 0) ^ label;
    return createCipheriv('aes-128-ctr', master.key, counter).update(Buffer.alloc(bytes));
  };
  const keys = (firstLabel: number): SessionKeys => ({
    cipherKey: createSecretKey(derive(firstLabel, KEY_BYTES)),
    authKey: createSecretKey(derive(firstLabel + 1, AUTH_KEY_BYTES)),
    salt: derive(firstLabel + 2, 14).subarray(0, saltBytes(profile)),
  });
  return { rtp: keys(0), rtcp: keys(3) };
}

function saltBytes(profile: SrtpProfile): 12 | 14 {
  return profile === 'AEAD_AES_128_GCM' ? 12 : 14;
}
