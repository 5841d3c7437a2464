/** How an answer is put on the wire: its status, a row of headers that is shared, a body or none. */
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import type { Body } from './bodies.ts';
import type { Exchange } from './exchange.ts';
import { headersOf, PREFLIGHT_ROW } from './headers.ts';
import { abort, end, writeHead } from './mediaHttp.ts';
import { acceptsGzip, isUnmodifiedSince, matchesEtag, parseRange } from './negotiation.ts';
import type { Rendering } from './renderings.ts';

const RETRY_AFTER_S = '1';

/** Answers with a rendered text, compressed where the client takes it, or 304. */
export function sendRendering(exchange: Exchange, kind: ResourceKind, rendering: Rendering): void {
  const { headers } = exchange.request;
  const isGzip = acceptsGzip(headers['accept-encoding']?.toString());
  const known = headers['if-none-match'];
  if (known !== undefined && matchesEtag(known, [rendering.etag, rendering.gzipEtag])) {
    finish(exchange, 304, [
      ...headersOf(kind),
      'ETag',
      isGzip ? rendering.gzipEtag : rendering.etag,
    ]);
    return;
  }
  const body = isGzip ? rendering.gzip() : rendering.body;
  finish(exchange, 200, rendering.head(kind, isGzip), body);
}

/** Answers with bytes that will never change: whole, one range of them, 304 or 416. */
export function sendBody(exchange: Exchange, body: Body): void {
  const { method, headers } = exchange.request;
  if (isKnown(exchange, body)) {
    finish(exchange, 304, [...body.validators]);
    return;
  }
  // Ranges are defined for GET alone (RFC 9110 §14.2).
  if (headers.range === undefined || method !== 'GET' || !isOfThisBody(exchange, body)) {
    finish(exchange, 200, body.head, body.bytes);
    return;
  }
  const { length } = body.bytes;
  const range = parseRange(headers.range, length);
  switch (range.kind) {
    case 'unsatisfiable':
      sendError(exchange, 416, 'the range is outside', ['Content-Range', `bytes */${length}`]);
      break;
    case 'part': {
      const bytes = body.bytes.subarray(range.first, range.last + 1);
      const where = `bytes ${range.first}-${range.last}/${length}`;
      const row = ['Content-Length', String(bytes.length), 'Content-Range', where];
      finish(exchange, 206, [...body.validators, ...row], bytes);
      break;
    }
    case 'whole':
      finish(exchange, 200, body.head, body.bytes);
  }
}

/** Answers with a short text that nobody keeps. */
export function sendText(exchange: Exchange, kind: ResourceKind, text: string): void {
  const body = Buffer.from(text);
  finish(exchange, 200, [...headersOf(kind), 'Content-Length', String(body.length)], body);
}

/** Answers with a short text and a status. */
export function sendError(
  exchange: Exchange,
  status: number,
  text: string,
  more: readonly string[] = [],
): void {
  if (exchange.response.headersSent) {
    // Half an answer must not look whole.
    abort(exchange.response);
    return;
  }
  const body = Buffer.from(`${text}\n`);
  const retry = status === 503 ? ['Retry-After', RETRY_AFTER_S] : [];
  const length = ['Content-Length', String(body.length)];
  finish(exchange, status, [...headersOf('error'), ...length, ...retry, ...more], body);
}

/** Answers 404. */
export function sendNotFound(exchange: Exchange): void {
  sendError(exchange, 404, 'not found');
}

/** Answers a CORS preflight. */
export function sendPreflight(exchange: Exchange): void {
  finish(exchange, 204, [...PREFLIGHT_ROW]);
}

/** The one place where an answer is given whole; HEAD gets no body. */
function finish(exchange: Exchange, status: number, row: string[], body?: Uint8Array): void {
  const { request, response, tally, drains } = exchange;
  tally.add(exchange.kind, status);
  writeHead(response, status, row);
  end(response, request.method === 'HEAD' ? undefined : body);
  if (response.writableLength > 0) {
    drains.watch(response);
  }
}

/** If-Modified-Since counts only where If-None-Match is not sent (RFC 9110 §13.1.3). */
function isKnown({ request: { headers } }: Exchange, body: Body): boolean {
  const known = headers['if-none-match'];
  if (known !== undefined) {
    return matchesEtag(known, [body.etag]);
  }
  const since = headers['if-modified-since'];
  return since !== undefined && isUnmodifiedSince(since, body.modifiedMs);
}

function isOfThisBody({ request: { headers } }: Exchange, body: Body): boolean {
  const ifRange = headers['if-range'];
  return ifRange === undefined || ifRange === body.etag;
}
