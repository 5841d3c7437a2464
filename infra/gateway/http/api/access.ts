/**
 * Who may operate: who has the internal bearer token, a program on this very machine, or who bears a
 * token of the role operator. A browser's page is none of them, unless it came from here.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Admission, admissionRequest } from '../../../../signalling/index.ts';
import { isAuthorized, type Secret } from '../../../kernel/secret.ts';
import type { Problem } from '../problem.ts';

/** What of a request decides. */
export type Attempt = {
  readonly httpVersion: string;
  readonly remoteAddress: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Whether it has a body that is read. */
  readonly isJsonExpected: boolean;
};

/**
 * Who may use a route: `anyone`; `operator`; `reader`, anyone while everyone may come in, else an
 * operator, since it tells who is there.
 */
export type RouteAccess = 'anyone' | 'reader' | 'operator';

/** Decides about one attempt: why not, or undefined. */
export type Guard = (
  attempt: Attempt,
  access: RouteAccess,
  streamerId: string | undefined,
) => Promise<Problem | undefined>;

/** What is accepted. */
export type AccessRule = {
  readonly token: Secret;
  readonly trustLoopback: boolean;
  /** Who reads tokens of operators. */
  readonly operators: Admission;
  /** Whether anyone may see who is there: everyone may come in. */
  readonly isOpen: boolean;
};

const LOOPBACK_ADDRESS = /^(::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
/** A proxy on this machine is not the program that asks. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];
const DEADLINE_MS = 5000;

/** The guard of the API. */
export function accessGuard(rule: AccessRule): Guard {
  return async (attempt, access, streamerId) =>
    access === 'anyone' || (access === 'reader' && rule.isOpen)
      ? undefined
      : operatorRefusal(attempt, rule, streamerId);
}

/**
 * Why an operator's request is refused, or undefined where it is one.
 *
 * @param streamerId the streamer that it is about; a token for some streamers does nothing else
 */
export async function operatorRefusal(
  attempt: Attempt,
  rule: AccessRule,
  streamerId?: string,
): Promise<Problem | undefined> {
  const { headers } = attempt;
  // A form, or a script of another site, cannot send this type without being asked first (CORS).
  if (attempt.isJsonExpected && !isJson(headers['content-type'])) {
    return { status: 415, detail: 'send Content-Type: application/json' };
  }
  const { authorization } = headers;
  if (authorization !== undefined) {
    return isAuthorized(authorization, rule.token)
      ? undefined
      : tokenRefusal({ authorization }, attempt, rule, streamerId);
  }
  if (rule.trustLoopback && isLocalProgram(attempt)) {
    return isForeignPage(headers)
      ? { status: 403, detail: 'a page of another origin may not change anything here' }
      : undefined;
  }
  if (headers.cookie !== undefined && !isForeignPage(headers)) {
    return tokenRefusal({ cookie: headers.cookie }, attempt, rule, streamerId);
  }
  return {
    status: 401,
    detail: "this needs an operator's token or the internal one, or comes from this machine",
  };
}

async function tokenRefusal(
  headers: IncomingHttpHeaders,
  { remoteAddress }: Attempt,
  { operators }: AccessRule,
  streamerId: string | undefined,
): Promise<Problem | undefined> {
  const request = admissionRequest('player', { headers }, new Map(), remoteAddress ?? '');
  const answer = await operators.admit(request, AbortSignal.timeout(DEADLINE_MS));
  if (answer.kind === 'refusal') {
    return { status: answer.status, detail: answer.reason };
  }
  if (answer.role !== 'operator') {
    return { status: 403, detail: 'this needs a token of the role operator' };
  }
  const { streamerIds } = answer;
  return streamerIds === undefined || streamerIds.includes(streamerId ?? '')
    ? undefined
    : { status: 403, detail: 'this token is for some streamers only, and not for this' };
}

function isLocalProgram({ remoteAddress, httpVersion, headers }: Attempt): boolean {
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
