/**
 * Counts the connections of one listener. Those past the bound are still read, so that they can be
 * told 503 and when to come again; past a reserve of those the kernel's connection is dropped.
 */
import type { Server as TcpServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Connections past the bound that are answered; more are dropped without a word. */
const RESERVE = 64;

/** What a surplus connection is told, in headers and words. */
export const COME_AGAIN = {
  headers: { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store', 'Retry-After': '5' },
  body: 'too many connections; come again\n',
} as const;

/** Counts and remembers the connections of one server. */
export class ConnectionCap {
  readonly #max: number;
  readonly #onRefused: () => void;
  readonly #sockets = new Set<Socket>();
  readonly #surplus = new WeakSet<Duplex>();
  #served = 0;

  /** @param onRefused told of each connection past the bound */
  constructor(server: TcpServer, max: number, onRefused: () => void) {
    this.#max = max;
    this.#onRefused = onRefused;
    server.maxConnections = max + RESERVE;
    server.on('drop', onRefused);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Takes a connection in once it can carry requests; false where it is one too many. */
  admit(socket: Duplex): boolean {
    if (this.#served >= this.#max) {
      this.#surplus.add(socket);
      this.#onRefused();
      return false;
    }
    this.#served += 1;
    socket.once('close', () => {
      this.#served -= 1;
    });
    return true;
  }

  /** Whether this connection was one too many. */
  isSurplus(socket: Duplex): boolean {
    return this.#surplus.has(socket);
  }

  /** Cuts every connection, handshakes included. */
  destroyAll(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }
}
