/** Makes tokens of our own, for the CLI and the operator API. */
import { SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import { ROLES, type Role } from './identity.ts';
import { OWN_NAME, secretKey } from './secretKey.ts';

/** What a token is to say. */
export type TokenOrder = {
  readonly role: Role;
  /** Who it is for: keeps the seat over a reconnect. Random where left out. */
  readonly subject?: string | undefined;
  /** Ids of streamers that it is good for; all where left out. */
  readonly streamers?: readonly string[] | undefined;
  /** How long it is good, ms; whole seconds of it count. */
  readonly ttlMs: number;
  readonly secret: Secret;
  /** Unix ms; the clock where left out. */
  readonly nowMs?: number;
};

/** A token, and by what it can be revoked. */
export type MintedToken = {
  readonly token: string;
  readonly jti: string;
  /** Unix ms. */
  readonly expiresMs: number;
};

const MAX_TTL_MS = 366 * 86_400_000;

/**
 * Signs a token (HS256) for `role`.
 *
 * @throws GatewayError `bad_config` on a weak secret, `bad_request` on an order that cannot be met
 */
export async function mintToken(order: TokenOrder): Promise<MintedToken> {
  const { role, streamers, ttlMs, secret, nowMs = Date.now() } = order;
  const key = secretKey(secret);
  if (!ROLES.includes(role)) {
    throw new GatewayError('bad_request', `a role is one of ${ROLES.join(', ')}`);
  }
  if (!(ttlMs >= 1000 && ttlMs <= MAX_TTL_MS)) {
    throw new GatewayError('bad_request', `a token is good for 1s to 366d (got ${ttlMs} ms)`);
  }
  const jti = randomUUID();
  const subject = order.subject ?? `${role}-${jti.slice(0, 8)}`;
  const names = [subject, ...(streamers ?? [])];
  if (names.length > 257 || names.some((name) => name === '' || name.length > 256)) {
    throw new GatewayError(
      'bad_request',
      'a token is for at most 256 streamers; each of its names has 1 to 256 characters',
    );
  }
  const issuedAt = Math.floor(nowMs / 1000);
  const expires = issuedAt + Math.floor(ttlMs / 1000);
  const token = await new SignJWT({ role, ...(streamers === undefined ? {} : { streamers }) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(subject)
    .setIssuer(OWN_NAME)
    .setAudience(OWN_NAME)
    .setJti(jti)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expires)
    .sign(key);
  return { token, jti, expiresMs: expires * 1000 };
}
