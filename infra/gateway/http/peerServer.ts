/**
 * The server under the ports of streamers and SFUs where there is a certificate: ws and wss on one
 * port, told apart by the first byte. A TLS connection begins with a record of type 22 (RFC 8446
 * §5.1), a WebSocket with the letter G.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Certificates } from './certificates.ts';
import { CHECK_INTERVAL_MS } from './listen.ts';

type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;

const TLS_HANDSHAKE = 22;

/**
 * Makes such servers, none of which listens yet.
 *
 * @param options.isPlainTaken whether ws is taken beside wss
 */
export function peerServers(
  certificates: Certificates,
  options: { readonly isPlainTaken: boolean; readonly headersTimeoutMs: number },
): (onRequest: OnRequest) => Server {
  const { headersTimeoutMs, isPlainTaken } = options;
  return (onRequest) => {
    const timeouts = {
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    };
    const plain = createServer(timeouts, onRequest);
    const secure = createTlsServer(
      {
        ...timeouts,
        ...certificates.current().context,
        handshakeTimeout: headersTimeoutMs,
        ALPNProtocols: ['http/1.1'],
      },
      onRequest,
    );
    certificates.use({ renew: ({ context }) => secure.setSecureContext(context) });
    secure.on('upgrade', (request, socket, head) => plain.emit('upgrade', request, socket, head));
    secure.on('tlsClientError', (_error, socket) => socket.destroy());
    // Sets up its check for connections that are late, which a server does when it listens.
    plain.once('listening', () => secure.emit('listening'));
    plain.once('close', () => secure.close());

    const servePlain = plain.listeners('connection') as ((socket: Socket) => void)[];
    plain.removeAllListeners('connection');
    plain.on('connection', (socket: Socket) => {
      const onSilence = (): void => void socket.destroy();
      socket.on('error', onSilence);
      socket.setTimeout(headersTimeoutMs, onSilence);
      socket.once('data', (first: Buffer) => {
        socket.pause();
        socket.off('error', onSilence);
        socket.setTimeout(0);
        socket.off('timeout', onSilence);
        socket.unshift(first);
        if (first[0] === TLS_HANDSHAKE) {
          secure.emit('connection', socket);
        } else if (isPlainTaken) {
          servePlain.forEach((serve) => serve.call(plain, socket));
          socket.resume();
        } else {
          socket.destroy();
        }
      });
    });
    const closePlain = plain.closeAllConnections.bind(plain);
    plain.closeAllConnections = () => {
      closePlain();
      secure.closeAllConnections();
    };
    return plain;
  };
}
