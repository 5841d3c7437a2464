/** HTTP listeners with limits on what a client may send, and a bounded close. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../../kernel/errors.ts';
import type { Closeable } from '../../kernel/lifecycle.ts';
import type { Listen } from '../config.ts';

/** A running listener. */
export type Listener = Closeable & { readonly server: Server; readonly port: number };

const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 75_000;
const MAX_CONNECTIONS = 10_000;

/**
 * Listens and serves.
 *
 * @param setting the configuration key, named in the error when the port is taken
 * @throws GatewayError `port_in_use`
 */
export async function listen(
  options: {
    readonly at: Listen;
    readonly setting: string;
    /** 0 where a request may last as long as its stream (publishing). */
    readonly requestTimeoutMs: number;
    /** Told of a handler that threw: that request gets 500 or is cut, the others go on. */
    readonly onFault: (error: unknown) => void;
  },
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<Listener> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    },
    (request, response) => {
      try {
        onRequest(request, response);
      } catch (error) {
        options.onFault(error);
        if (response.headersSent) {
          response.destroy();
        } else {
          response
            .writeHead(500, { 'Content-Type': 'text/plain' })
            .end('the gateway failed; its log says why\n');
        }
      }
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    try {
      onUpgrade(request, socket, head);
    } catch (error) {
      options.onFault(error);
      socket.destroy();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${options.at.host}:${options.at.port}`;
      reject(
        error.code === 'EADDRINUSE'
          ? new GatewayError(
              'port_in_use',
              `${where} is in use; stop what listens there or set ${options.setting}`,
              { cause: error },
            )
          : new GatewayError(
              'bad_config',
              `cannot listen on ${where} (${options.setting}): ${error.message}`,
              { cause: error },
            ),
      );
    });
    server.listen(options.at.port, options.at.host, () => {
      resolve();
    });
  });
  const address = server.address();
  return {
    server,
    port: typeof address === 'object' && address !== null ? address.port : options.at.port,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      server.closeAllConnections();
      await closed;
    },
  };
}
