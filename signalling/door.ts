/** Listeners and their refusals: the ingest's token, plain HTTP where a WebSocket is meant, ports. */
import { createServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../infra/kernel/errors.ts';
import { isAuthorized, type Secret } from '../infra/kernel/secret.ts';

/** Path of the ingest's upgrade on the internal listener. */
const INGEST_PATH = '/signalling';

/** Why the ingest's upgrade is refused, or undefined when it is let in. */
export function ingestRefusal(
  request: IncomingMessage,
  token: Secret,
): { readonly status: number; readonly text: string } | undefined {
  if (!isAuthorized(request.headers.authorization, token)) {
    return { status: 401, text: 'the internal listener needs its bearer token' };
  }
  return request.url?.split('?')[0] === INGEST_PATH
    ? undefined
    : { status: 404, text: `the only WebSocket here is ${INGEST_PATH}` };
}

/** Answers an upgrade request with an error and ends it. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  const body = `${text}\n`;
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n` +
      'Connection: close\r\nContent-Type: text/plain\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** Makes a server that does not listen yet: a plain one, or one that speaks TLS. */
export type CreateServer = (
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
) => Server;

/**
 * A listener of streamers or SFUs: upgrades on any path, 426 for anything else.
 *
 * @param setting what configures it, for the error
 * @param create plain HTTP where left out
 * @throws GatewayError `port_in_use` or `bad_config`
 */
export async function listenForPeers(
  { host, port }: { readonly host: string; readonly port: number },
  setting: string,
  maxSockets: number,
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  create: CreateServer = createServer,
): Promise<Server> {
  const server = create((_request, response) => {
    response
      .writeHead(426, { 'Content-Type': 'text/plain', Connection: 'close', Upgrade: 'websocket' })
      .end('streamers connect here by WebSocket\n');
  });
  server.maxConnections = maxSockets;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    onUpgrade(request, socket, head);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(
        new GatewayError(
          isTaken ? 'port_in_use' : 'bad_config',
          isTaken
            ? `${host}:${port} is in use; stop what listens there or set ${setting}.port`
            : `cannot listen on ${host}:${port} (${setting}): ${error.message}`,
          { cause: error },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  return server;
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
