/**
 * The media listener: HTTP/2 over TLS, since Apple's low-latency mode demands it, with HTTP/1.1 for
 * those who do not speak it. Carries /live, /vod and /time only: express does not run on HTTP/2.
 */
import {
  constants,
  createSecureServer,
  type Http2ServerRequest,
  Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { bind } from './bind.ts';
import type { Certificate } from './certificate.ts';
import { COME_AGAIN, ConnectionCap } from './connectionCap.ts';
import type { HttpLimits } from './limits.ts';
import {
  CHECK_INTERVAL_MS,
  type ListenOptions,
  sendFault,
  sendSurplus,
  type TlsListener,
} from './listen.ts';

/** Serves media to either protocol; false where a path is not its own. */
export type MediaHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => boolean;

type OnRequest = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

const ELSEWHERE = {
  headers: { 'Content-Type': 'text/plain' },
  body: 'this listener serves /live, /vod and /time\n',
} as const;

/** What a misbehaving session may do before it is ended. */
const ABUSE = {
  // Rapid reset (CVE-2023-44487): a player resets a handful of streams when it seeks or switches.
  streamResetBurst: 200,
  streamResetRate: 33,
  maxSessionInvalidFrames: 50,
  maxSessionRejectedStreams: 50,
  maxOutstandingPings: 10,
  maxSettings: 32,
  maxHeaderListPairs: 64,
  unknownProtocolTimeout: 5000,
} as const;
/** What one stream may send unread: nobody has a body to send here. */
const RECEIVE_WINDOW_BYTES = 65_535;
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * Listens and serves.
 *
 * @throws GatewayError `port_in_use`
 */
export async function listenMedia(
  options: ListenOptions & { readonly certificate: Certificate },
  handleMedia: MediaHandler,
): Promise<TlsListener> {
  const { limits, onFault } = options;
  const server = createSecureServer(serverOptions(limits, options.certificate));
  // Node takes these for the HTTP/1.1 side from the server, not from the options.
  Object.assign(server, {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  });
  const cap = new ConnectionCap(server, limits.maxConnections, options.onRefused);
  const surplus = new WeakSet<ServerHttp2Session>();
  // Node makes the session of a connection inside this very event, after this listener.
  let isAdmitted = true;
  server.prependListener('secureConnection', (socket: Duplex) => {
    isAdmitted = cap.admit(socket);
  });
  server.on('session', (session: ServerHttp2Session) => {
    session.on('error', () => undefined);
    if (!isAdmitted) {
      surplus.add(session);
    }
  });
  // A session on which nothing moves is ended, whatever it has open.
  server.setTimeout(limits.keepAliveMs);

  const onRequest: OnRequest = (request, response) => {
    try {
      if (response instanceof Http2ServerResponse) {
        serveStream(request, response, surplus, handleMedia);
      } else if (cap.isSurplus(request.socket)) {
        sendSurplus(response);
      } else if (!handleMedia(request, response)) {
        response.writeHead(404, ELSEWHERE.headers).end(ELSEWHERE.body);
      }
    } catch (error) {
      onFault(error);
      sendFault(response);
    }
  };
  server.on('request', onRequest);
  const listener = await bind(server, cap, options);
  return {
    ...listener,
    renew(certificate) {
      server.setSecureContext(certificate.context);
    },
  };
}

function serverOptions(limits: HttpLimits, { context }: Certificate) {
  return {
    ...context,
    ...ABUSE,
    allowHTTP1: true,
    handshakeTimeout: limits.headersTimeoutMs,
    maxSessionMemory: limits.maxSessionMb,
    maxHeaderSize: limits.maxHeaderBytes,
    settings: {
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: RECEIVE_WINDOW_BYTES,
      enablePush: false,
    },
  } as const;
}

function serveStream(
  request: IncomingMessage | Http2ServerRequest,
  response: Http2ServerResponse,
  surplus: WeakSet<ServerHttp2Session>,
  handleMedia: MediaHandler,
): void {
  const { stream } = response;
  const { session } = stream;
  // A body that nobody asked for does not hold the stream once it is answered.
  response.once('finish', () => {
    if (!request.complete) {
      stream.close(constants.NGHTTP2_NO_ERROR);
    }
  });
  if (session !== undefined && surplus.has(session as ServerHttp2Session)) {
    response.writeHead(503, COME_AGAIN.headers).end(COME_AGAIN.body);
    session.close();
  } else if (!handleMedia(request, response)) {
    response.writeHead(404, ELSEWHERE.headers).end(ELSEWHERE.body);
  }
}
