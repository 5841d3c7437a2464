/** Test support: an origin that reads what is published, remembers it, and misbehaves on demand. */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { type Sample, TrackReader } from '../cmaf/index.ts';

/** A fragment as it arrived. */
export type Received = Sample & {
  /** Samples of the fragment that it came in. */
  readonly samples: number;
  readonly put: number;
};

/** A running origin. */
export type TestOrigin = {
  readonly url: string;
  /** By track. */
  readonly received: Map<string, Received[]>;
  readonly inits: Map<string, Buffer[]>;
  readonly authorizations: Set<string | undefined>;
  /** PUTs that ended with a whole body. */
  endedPuts: number;
  /** Refuses every request with this status. */
  refuseWith: number | undefined;
  /** Cuts every connection. */
  cut(): void;
  /** Resolves once `isTrue`, looked at after each fragment. */
  until(isTrue: () => boolean): Promise<void>;
  close(): void;
};

/** Starts it on a port of its own. */
export async function startTestOrigin(): Promise<TestOrigin> {
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let puts = 0;
  const server: Server = createServer((request, response) => {
    const track = /^\/publish\/[^/]+\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
    origin.authorizations.add(request.headers.authorization);
    if (origin.refuseWith !== undefined) {
      response.writeHead(origin.refuseWith).end('refused by the test');
      return;
    }
    const list = origin.received.get(track) ?? [];
    origin.received.set(track, list);
    if (request.method === 'GET') {
      const last = list.at(-1);
      const nextTicks = last === undefined ? null : last.dts + last.duration;
      response.end(JSON.stringify({ nextTicks }));
      return;
    }
    const put = (puts += 1);
    const reader = new TrackReader();
    request.on('data', (slice: Buffer) => {
      for (const event of reader.push(slice)) {
        if (event.kind === 'init') {
          origin.inits.set(track, [...(origin.inits.get(track) ?? []), Buffer.from(event.bytes)]);
        } else {
          for (const sample of event.samples) {
            list.push({ ...sample, samples: event.samples.length, put });
          }
        }
      }
      waiting.forEach((check) => {
        check();
      });
    });
    request.on('error', () => undefined);
    request.on('end', () => {
      origin.endedPuts += 1;
      response.end();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin: TestOrigin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: new Map(),
    inits: new Map(),
    authorizations: new Set(),
    endedPuts: 0,
    refuseWith: undefined,
    cut() {
      sockets.forEach((socket) => socket.destroy());
    },
    until(isTrue) {
      return new Promise((resolve) => {
        const check = (): void => {
          if (isTrue()) {
            waiting.delete(check);
            resolve();
          }
        };
        waiting.add(check);
        check();
      });
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return origin;
}
