/** HTTP/1.1 listeners, plain or TLS, with limits on what a client may send, and a bounded close. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { constants, Http2ServerResponse } from 'node:http2';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Listen } from '../config.ts';
import { bind, type Listener } from './bind.ts';
import type { Certificate } from './certificate.ts';
import { COME_AGAIN, ConnectionCap } from './connectionCap.ts';
import type { HttpLimits } from './limits.ts';

/** What every listener is told. */
export type ListenOptions = {
  readonly at: Listen;
  /** The configuration key of the address, named in the error when the port is taken. */
  readonly setting: string;
  readonly limits: HttpLimits;
  /** Told of a handler that threw: that request gets 500 or is cut, the others go on. */
  readonly onFault: (error: unknown) => void;
  /** Told of each connection past the bound. */
  readonly onRefused: () => void;
};

/** A listener that can be given another certificate. */
export type TlsListener = Listener & { renew(certificate: Certificate): void };

type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;
type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** How often connections are looked at for what is late (ms); Node's default is 30 s. */
export const CHECK_INTERVAL_MS = 1000;

/**
 * Listens and serves.
 *
 * @param options.requestTimeoutMs 0 where a request may last as long as its stream (publishing)
 * @throws GatewayError `port_in_use`
 */
export async function listen(
  options: ListenOptions & { readonly requestTimeoutMs: number },
  onRequest: OnRequest,
  onUpgrade: OnUpgrade,
): Promise<Listener> {
  const server = createServer(http1Options(options));
  const cap = new ConnectionCap(server, options.limits.maxConnections, options.onRefused);
  server.on('connection', (socket: Duplex) => cap.admit(socket));
  serve(server, cap, options, onRequest, onUpgrade);
  return bind(server, cap, options);
}

/** The same over TLS, HTTP/1.1 only: pages, API, WebSockets and media. */
export async function listenTls(
  options: ListenOptions & { readonly requestTimeoutMs: number; readonly certificate: Certificate },
  onRequest: OnRequest,
  onUpgrade: OnUpgrade,
): Promise<TlsListener> {
  const server = createTlsServer({
    ...http1Options(options),
    ...options.certificate.context,
    handshakeTimeout: options.limits.headersTimeoutMs,
    ALPNProtocols: ['http/1.1'],
  });
  const cap = new ConnectionCap(server, options.limits.maxConnections, options.onRefused);
  server.on('secureConnection', (socket: Duplex) => cap.admit(socket));
  serve(server, cap, options, onRequest, onUpgrade);
  const listener = await bind(server, cap, options);
  return {
    ...listener,
    renew(certificate) {
      server.setSecureContext(certificate.context);
    },
  };
}

function http1Options({
  limits,
  requestTimeoutMs,
}: Pick<ListenOptions, 'limits'> & { readonly requestTimeoutMs: number }) {
  return {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.maxHeaderBytes,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    noDelay: true,
  } as const;
}

function serve(
  server: Server | TlsServer,
  cap: ConnectionCap,
  { onFault }: ListenOptions,
  onRequest: OnRequest,
  onUpgrade: OnUpgrade,
): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (cap.isSurplus(request.socket)) {
      sendSurplus(response);
      return;
    }
    try {
      onRequest(request, response);
    } catch (error) {
      onFault(error);
      sendFault(response);
    }
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (cap.isSurplus(socket)) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n');
      return;
    }
    try {
      onUpgrade(request, socket, head);
    } catch (error) {
      onFault(error);
      socket.destroy();
    }
  });
}

/** Answers a request on a connection that is one too many, and ends that. */
export function sendSurplus(response: ServerResponse): void {
  response.writeHead(503, { ...COME_AGAIN.headers, Connection: 'close' }).end(COME_AGAIN.body);
}

/** Answers a request whose handler threw. */
export function sendFault(response: ServerResponse | Http2ServerResponse): void {
  if (response.headersSent) {
    // What was begun must not look whole: the connection, or its one stream, is cut.
    if (response instanceof Http2ServerResponse) {
      response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    } else {
      response.destroy();
    }
    return;
  }
  response.statusCode = 500;
  response.setHeader('Content-Type', 'text/plain');
  response.end('the gateway failed; its log says why\n');
}
