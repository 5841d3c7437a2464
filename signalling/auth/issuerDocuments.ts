/**
 * The two documents that an OpenID Connect issuer publishes, its configuration (OIDC Discovery 1.0
 * §4) and its keys (RFC 7517 §5), fetched with bounds and parsed. Caching is issuerKeys.ts's.
 */
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';

const MAX_DOCUMENT_BYTES = 256 * 1024;
const MAX_KEYS = 100;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySetSchema = z.object({
  keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_KEYS),
});

/** `fetch`, as much of it as we need. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Whether an issuer can be believed by that URL: https, or http on this machine. */
export function isTrustworthyUrl(text: string): boolean {
  if (!URL.canParse(text)) {
    return false;
  }
  const { protocol, hostname, username, password } = new URL(text);
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isLoopback);
  return isSafe && username === '' && password === '';
}

/**
 * The public keys of an issuer.
 *
 * @param issuer as in the tokens' `iss`, to the letter
 * @throws Error that says which document is at fault
 */
export async function fetchIssuerKeys(
  issuer: string,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<JSONWebKeySet> {
  const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
  const discovery = discoverySchema.safeParse(
    await fetchJson(`${base}/.well-known/openid-configuration`, fetch, signal),
  );
  if (!discovery.success) {
    throw new Error('the configuration of the issuer lacks issuer or jwks_uri');
  }
  // OIDC Discovery §4.3: else one issuer could stand in for another.
  if (discovery.data.issuer !== issuer) {
    throw new Error('the configuration of the issuer names another issuer');
  }
  if (!isTrustworthyUrl(discovery.data.jwks_uri)) {
    throw new Error('jwks_uri of the issuer is not https');
  }
  const keys = keySetSchema.safeParse(await fetchJson(discovery.data.jwks_uri, fetch, signal));
  if (!keys.success) {
    throw new Error('the keys of the issuer are not a JSON Web Key Set of at most 100 keys');
  }
  return keys.data;
}

async function fetchJson(url: string, fetch: Fetch, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    // A redirect could lead to http, or into our own network.
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal,
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${url} answered ${response.status}`);
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > MAX_DOCUMENT_BYTES) {
      throw new Error(`${url} is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    }
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown;
  } catch {
    throw new Error(`${url} is not JSON`);
  }
}
