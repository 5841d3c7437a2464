/**
 * Who may change things, until roles bring their tokens: who has the internal bearer token, or a
 * program on this very machine. A browser's page is neither, unless it came from here. Pure.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isAuthorized, type Secret } from '../../../kernel/secret.ts';
import type { Problem } from '../problem.ts';

/** What of a request decides. */
export type WriteAttempt = {
  readonly method: string;
  readonly httpVersion: string;
  readonly remoteAddress: string | undefined;
  readonly headers: IncomingHttpHeaders;
};

/** What is accepted. */
export type WriteRule = { readonly token: Secret; readonly trustLoopback: boolean };

const LOOPBACK_ADDRESS = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
/** A proxy on this machine is not the program that asks. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/** Why a change is refused, or undefined where it may be made. */
export function writeRefusal(attempt: WriteAttempt, rule: WriteRule): Problem | undefined {
  const { headers } = attempt;
  // A form, or a script of another site, cannot send this type without being asked first (CORS).
  if (attempt.method === 'POST' && !isJson(headers['content-type'])) {
    return { status: 415, detail: 'send Content-Type: application/json' };
  }
  if (headers.authorization !== undefined) {
    return isAuthorized(headers.authorization, rule.token)
      ? undefined
      : { status: 401, detail: 'this is not the bearer token of this gateway' };
  }
  if (!rule.trustLoopback || !isLocalProgram(attempt)) {
    return { status: 401, detail: 'changes need the bearer token, or come from this machine' };
  }
  return isForeignPage(headers)
    ? { status: 403, detail: 'a page of another origin may not change anything here' }
    : undefined;
}

function isLocalProgram({ remoteAddress, httpVersion, headers }: WriteAttempt): boolean {
  return (
    LOOPBACK_ADDRESS.test(remoteAddress ?? '') &&
    // A name that only points here (DNS rebinding) is a page of somewhere else.
    LOOPBACK_HOST.test(headers.host ?? '') &&
    // nginx forwards as HTTP/1.0 without a word unless told otherwise.
    httpVersion !== '1.0' &&
    PROXY_HEADERS.every((name) => headers[name] === undefined)
  );
}

function isForeignPage({ origin, host, ...headers }: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return (
    (origin !== undefined && hostOf(origin) !== host) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none')
  );
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType ?? '');
}
