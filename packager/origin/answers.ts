/** How an answer under /live and /time is put on the wire: headers from the one policy table, body or none. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CACHE_POLICY,
  CORS_HEADERS,
  CORS_PREFLIGHT_HEADERS,
  type ResourceKind,
} from '../../infra/kernel/cachePolicy.ts';
import { acceptsGzip, matchesEtag, parseRange, sliceRow } from './negotiation.ts';
import type { Rendering } from './renderings.ts';

/** Methods that media understands. */
export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS';

const RETRY_AFTER_S = '1';

/** Headers of every answer of this kind, whatever its status. */
export function headersOf(kind: ResourceKind): Record<string, string> {
  const policy = CACHE_POLICY[kind];
  return {
    ...CORS_HEADERS,
    'Cache-Control': policy.cacheControl,
    ...(policy.contentType === undefined ? {} : { 'Content-Type': policy.contentType }),
    ...(policy.isCompressed ? { Vary: 'Accept-Encoding', 'Accept-Ranges': 'none' } : {}),
    'X-Content-Type-Options': 'nosniff',
  };
}

/** Answers with a rendered text, compressed where the client takes it, or 304. */
export function sendRendering(
  request: IncomingMessage,
  response: ServerResponse,
  kind: ResourceKind,
  rendering: Rendering,
): void {
  const isGzip = acceptsGzip(request.headers['accept-encoding']?.toString());
  const headers = {
    ...headersOf(kind),
    ETag: isGzip ? rendering.gzipEtag : rendering.etag,
  };
  if (matchesEtag(request.headers['if-none-match'], [rendering.etag, rendering.gzipEtag])) {
    response.writeHead(304, headers).end();
    return;
  }
  const body = isGzip ? rendering.gzip() : rendering.body;
  response.writeHead(200, {
    ...headers,
    ...(isGzip ? { 'Content-Encoding': 'gzip' } : {}),
    'Content-Length': body.length,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Answers with bytes that will never change: whole, one range of them, 304 or 416. */
export function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  kind: ResourceKind,
  content: { readonly slices: readonly Uint8Array[]; readonly etag: string },
): void {
  const { slices, etag } = content;
  const length = slices.reduce((sum, slice) => sum + slice.length, 0);
  const headers = { ...headersOf(kind), ETag: etag, 'Accept-Ranges': 'bytes' };
  if (matchesEtag(request.headers['if-none-match'], [etag])) {
    response.writeHead(304, headers).end();
    return;
  }
  const ifRange = request.headers['if-range'];
  // Defined for GET alone (RFC 9110 §14.2).
  const isRanged = request.method === 'GET' && (ifRange === undefined || ifRange === etag);
  const range = parseRange(isRanged ? request.headers.range : undefined, length);
  switch (range.kind) {
    case 'unsatisfiable':
      sendError(request, response, 416, 'the range is outside', {
        'Content-Range': `bytes */${length}`,
      });
      return;
    case 'part':
      response.writeHead(206, {
        ...headers,
        'Content-Length': range.last - range.first + 1,
        'Content-Range': `bytes ${range.first}-${range.last}/${length}`,
      });
      writeAll(request, response, sliceRow(slices, range.first, range.last));
      return;
    case 'whole':
      response.writeHead(200, { ...headers, 'Content-Length': length });
      writeAll(request, response, slices);
  }
}

/** Answers with a short text and a status. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  more: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    // Half an answer must not look whole: the connection ends instead.
    response.destroy();
    return;
  }
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, {
    ...headersOf('error'),
    'Content-Length': body.length,
    ...(status === 503 ? { 'Retry-After': RETRY_AFTER_S } : {}),
    ...more,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Answers a CORS preflight. */
export function sendPreflight(response: ServerResponse): void {
  response.writeHead(204, { ...CORS_HEADERS, ...CORS_PREFLIGHT_HEADERS, Allow: ALLOWED_METHODS });
  response.end();
}

function writeAll(
  request: IncomingMessage,
  response: ServerResponse,
  slices: readonly Uint8Array[],
): void {
  if (request.method !== 'HEAD') {
    response.cork();
    slices.forEach((slice) => response.write(slice));
    response.uncork();
  }
  response.end();
}
