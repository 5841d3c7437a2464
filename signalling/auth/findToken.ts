/**
 * Where a token rides: the URL's query, a WebSocket subprotocol, `Authorization`, a cookie; and
 * which subprotocol the server answers so that the token is never sent back. Whether the token is
 * any good is verifyToken.ts's to say.
 */
import type { AdmissionRequest } from '../admission.ts';

/** What was found; `refused` is a token that may not be used from there. */
export type FoundToken =
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Name of the cookie that carries a token. */
export const TOKEN_COOKIE = 'grandstand_token';

/** A subprotocol that begins so carries a token: a JWT is all token characters (RFC 9110 §5.6.2). */
export const BEARER_PROTOCOL = 'grandstand.bearer.';

/**
 * The token of a request. What someone put there on purpose goes before the cookie, which a browser
 * adds by itself.
 *
 * @param cookieOrigins origins, beside our own, whose pages may use the cookie
 */
export function findToken(
  request: Pick<AdmissionRequest, 'query' | 'protocols' | 'headers' | 'cookies'>,
  cookieOrigins: readonly string[],
): FoundToken {
  const { query, protocols, headers, cookies } = request;
  const text =
    nonEmpty(query.get('token')) ??
    nonEmpty(protocols.find(isBearer)?.slice(BEARER_PROTOCOL.length)) ??
    nonEmpty(/^Bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '')?.[1]);
  if (text !== undefined) {
    return { kind: 'token', text };
  }
  const cookie = nonEmpty(cookies.get(TOKEN_COOKIE));
  if (cookie === undefined) {
    return { kind: 'none' };
  }
  // No same-origin policy holds for WebSockets (RFC 6455 §10.2): any page can send our cookie.
  return isOwnOrigin(headers, cookieOrigins)
    ? { kind: 'token', text: cookie }
    : { kind: 'refused', reason: 'The token in the cookie may not be used from another site.' };
}

/**
 * The subprotocol that the server answers: the first that is offered and carries no token. A
 * browser whose every offer goes unanswered ends the connection (WHATWG WebSockets, RFC 6455
 * §4.1), so a client offers two: `['grandstand', 'grandstand.bearer.' + token]`.
 *
 * @returns false for none, as `handleProtocols` of ws wants it
 */
export function selectSubprotocol(offered: Iterable<string>): string | false {
  return [...offered].find((name) => !isBearer(name)) ?? false;
}

function isBearer(name: string): boolean {
  return name.startsWith(BEARER_PROTOCOL);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function isOwnOrigin(
  headers: ReadonlyMap<string, string>,
  cookieOrigins: readonly string[],
): boolean {
  const origin = headers.get('origin');
  // Programs send no Origin, and nobody makes them send a cookie.
  if (origin === undefined || cookieOrigins.includes(origin)) {
    return true;
  }
  return URL.canParse(origin) && new URL(origin).host === headers.get('host')?.toLowerCase();
}
