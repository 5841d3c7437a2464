/**
 * What a request and its answer are over HTTP/1.1 (node:http) and over HTTP/2 (compatibility API of
 * node:http2): only what both have, so that handlers never ask which it is.
 */
import { type Http2ServerResponse, constants as http2 } from 'node:http2';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';

/** A request of node:http or node:http2. */
export type MediaRequest = {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly headers: IncomingHttpHeaders;
};

/**
 * The answer to it. There is no `Connection` header and no status message on HTTP/2, and `stream`
 * may be gone after an abort, so neither is used.
 */
export type MediaResponse = ServerResponse | Http2ServerResponse;

/**
 * Breaks an answer off so that nobody takes it for whole: the connection of HTTP/1.1, the stream of
 * HTTP/2 (RST_STREAM with an error: without one a client may take it for a clean end).
 */
export function abort(response: MediaResponse): void {
  if ('stream' in response) {
    const stream = response.stream as Http2ServerResponse['stream'] | undefined;
    stream?.close(http2.NGHTTP2_INTERNAL_ERROR);
  } else {
    response.destroy();
  }
}

/** Starts an answer: HTTP/1.1 and HTTP/2 take the same flat row of names and values. */
export function writeHead(response: MediaResponse, status: number, headers: string[]): void {
  // Both implementations declare it, but as overloads that no union can call.
  (response as ServerResponse).writeHead(status, headers);
}

/** Sends the headers alone. */
export function flushHead(response: MediaResponse): void {
  // HTTP/2 has sent them already.
  if ('flushHeaders' in response && !('stream' in response)) {
    response.flushHeaders();
  }
}

/** Writes a slice; false where the next one should wait for `drain`. */
export function write(response: MediaResponse, bytes: Uint8Array): boolean {
  return (response as ServerResponse).write(bytes);
}

/** Ends an answer, with its whole body where it has one. */
export function end(response: MediaResponse, body?: Uint8Array): void {
  const plain = response as ServerResponse;
  if (body === undefined) {
    plain.end();
  } else {
    plain.end(body);
  }
}
