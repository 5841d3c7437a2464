/** The local secret that signs and verifies HS256 tokens. */
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { Secret } from '../../infra/kernel/secret.ts';

/** `iss` and `aud` of our own tokens. */
export const OWN_NAME = 'grandstand';

/** As long as the hash, RFC 7518 §3.2. */
const MIN_SECRET_BYTES = 32;

/**
 * The bytes of the secret, its text in UTF-8.
 *
 * @throws GatewayError `bad_config` when it is short, or a PEM file, which is no secret
 */
export function secretKey(secret: Secret): Uint8Array {
  const bytes = new TextEncoder().encode(secret.reveal());
  if (bytes.byteLength < MIN_SECRET_BYTES) {
    throw new GatewayError(
      'bad_config',
      `the secret of tokens has ${bytes.byteLength} bytes; it needs at least ${MIN_SECRET_BYTES}: openssl rand -base64 32`,
    );
  }
  if (secret.reveal().includes('-----BEGIN')) {
    throw new GatewayError(
      'bad_config',
      'the secret of tokens is a PEM file: keys are published by an issuer, a secret is random text',
    );
  }
  return bytes;
}
