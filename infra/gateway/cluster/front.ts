/**
 * What stands in front of a cluster on this machine, as a CDN with two origins and a router would:
 * media go to an origin that lives, everything else to signalling. Keeps nothing, caches nothing.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../../kernel/errors.ts';
import type { Closeable } from '../../kernel/lifecycle.ts';

/** How requests for media are shared out: all to the first that lives, or each to the next. */
export type Sharing = 'first' | 'turns';

/** The running front. */
export type Front = Closeable & {
  readonly url: string;
  /** Requests that went to another origin than the first choice. */
  readonly failovers: number;
};

/** An origin that refused a connection is left alone for this long, where there is another (ms). */
const AWAY_MS = 1000;
const MEDIA = /^\/(live|vod|time)(\/|\?|$)/;
/** Answers for which an edge asks another origin. */
const ELSEWHERE = new Set([500, 502, 503, 504]);

/** Starts it. @param origins base URLs @param pages base URL of signalling */
export async function startFront(options: {
  readonly port: number;
  readonly pages: string;
  readonly origins: readonly string[];
  readonly sharing: Sharing;
}): Promise<Front> {
  const agent = new Agent({ keepAlive: true });
  const awayUntilMs = new Map<string, number>();
  let turn = 0;
  let failovers = 0;

  /** Origins in the order in which they are asked. */
  const candidates = (): string[] => {
    const at = options.sharing === 'turns' ? turn++ % options.origins.length : 0;
    const order = [...options.origins.slice(at), ...options.origins.slice(0, at)];
    const nowMs = performance.now();
    const isAway = (origin: string): boolean => (awayUntilMs.get(origin) ?? 0) > nowMs;
    return [...order.filter((one) => !isAway(one)), ...order.filter(isAway)];
  };

  const pass = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    [target, ...others]: readonly string[],
  ): void => {
    if (target === undefined) {
      outgoing.writeHead(502).end();
      return;
    }
    const next = (): void => {
      failovers += 1;
      pass(incoming, outgoing, others);
    };
    const asked = request(new URL(incoming.url ?? '/', target), {
      ...{ agent, method: incoming.method, headers: incoming.headers },
    });
    asked.on('response', (answer) => {
      if (ELSEWHERE.has(answer.statusCode ?? 0) && others.length > 0) {
        answer.resume();
        next();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      // A body that breaks off must break off for the viewer too, or a cache would keep it short.
      answer.on('close', () => {
        if (!answer.complete) {
          outgoing.destroy();
        }
      });
      answer.pipe(outgoing);
    });
    asked.on('error', () => {
      if (outgoing.headersSent || outgoing.destroyed) {
        outgoing.destroy();
        return;
      }
      awayUntilMs.set(target, performance.now() + AWAY_MS);
      next();
    });
    outgoing.on('close', () => {
      asked.destroy();
    });
    if (incoming.method === 'GET' || incoming.method === 'HEAD') {
      asked.end();
    } else {
      incoming.pipe(asked);
    }
  };

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing, MEDIA.test(incoming.url ?? '/') ? candidates() : [options.pages]);
  });
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    passUpgrade(new URL(options.pages), incoming, socket, head);
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new GatewayError('port_in_use', `port ${options.port} cannot be opened: ${error.message}`),
      );
    });
    server.listen(options.port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${options.port}`,
    get failovers() {
      return failovers;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

/** The two sockets as one, after the request is said again. */
function passUpgrade(pages: URL, incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
  const other = connect({ host: pages.hostname, port: Number(pages.port) });
  const headers = incoming.rawHeaders.flatMap((name, index, all) =>
    index % 2 === 0 ? [`${name}: ${all[index + 1] ?? ''}`] : [],
  );
  other.write(`GET ${incoming.url ?? '/'} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  other.write(head);
  other.pipe(socket);
  socket.pipe(other);
  for (const [one, another] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.on('error', () => another.destroy());
    one.on('close', () => another.destroy());
  }
}
