/** Credentials for a TURN server that end by themselves (coturn `use-auth-secret`, draft-uberti-behave-turn-rest-00). */
import { createHmac } from 'node:crypto';
import type { Secret } from './secret.ts';

/** Credentials for one peer: `{expiry}:{id}` and its HMAC-SHA1, base64. */
export function turnCredentials(
  secret: Secret,
  id: string,
  expiresSeconds: number,
): { readonly username: string; readonly credential: string } {
  const username = `${expiresSeconds}:${id}`;
  return {
    username,
    credential: createHmac('sha1', secret.reveal()).update(username).digest('base64'),
  };
}
