/** A WebSocket peer and an HTTP server that upgrades, for tests with real sockets. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import type { CloseStack } from '../infra/kernel/lifecycle.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import { noMetrics } from '../infra/kernel/metrics.ts';
import { Secret } from '../infra/kernel/secret.ts';
import type { SignallingConfigInput } from './config.ts';
import { type Signalling, startSignalling } from './index.ts';
import type { SignallingDeps } from './server.ts';

/** The ingest's token. */
export const TOKEN = 'integration-test-token';

/** A message as it came. */
export type Frame = Readonly<Record<string, unknown>>;

/** A peer with what it received; `next` waits for the next message of a type. */
export class Peer {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #frames: Frame[] = [];
  /** Everything that came, in order. */
  readonly log: Frame[] = [];
  #wake: (() => void) | undefined;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame;
      this.log.push(frame);
      this.#frames.push(frame);
      this.#wake?.();
    });
    this.closed = once(this.socket, 'close').then((values: unknown[]) => {
      this.#wake?.();
      return { code: values[0] as number, reason: String(values[1]) };
    });
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The next message of `type`; those before it are dropped. */
  async next(type: string): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame === undefined) {
        expect(this.socket.readyState).toBeLessThan(WebSocket.CLOSING);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if (frame['type'] === type) {
        return frame;
      }
    }
  }

  /** Whether the server still answers this peer, after all that was sent before. */
  async answers(): Promise<void> {
    const time = Math.random();
    this.say({ type: 'ping', time });
    expect(await this.next('pong')).toEqual({ type: 'pong', time });
  }
}

/** Listens on a port of the system's choice, and closes with `stack`. */
export async function upgradeServer(
  stack: CloseStack,
  onUpgrade: Signalling['handlePlayerUpgrade'],
): Promise<number> {
  const server: Server = createServer();
  server.on('upgrade', onUpgrade);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A signalling server with its doors, and peers that walk in by them. */
export type House = {
  readonly signalling: Signalling;
  readonly playerUrl: string;
  readonly streamerUrl: string;
  /** Has said its id, and was given `committedId`. */
  streamer(id: string, path?: string): Promise<Peer & { readonly committedId: string }>;
  /** Has its `config`. */
  player(path?: string): Promise<Peer>;
  sfu(): Promise<Peer>;
  ingest(): Promise<Peer>;
};

/** Starts a server on ports of the system's choice, on loopback. */
export async function openHouse(
  stack: CloseStack,
  config: SignallingConfigInput,
  deps: Partial<SignallingDeps> = {},
): Promise<House> {
  const signalling = await startSignalling(
    { logger: silentLogger, metrics: noMetrics, internalToken: new Secret(TOKEN), ...deps },
    { streamers: { port: 0 }, ...config },
    new AbortController().signal,
  );
  const players = await upgradeServer(stack, (...request) => {
    signalling.handlePlayerUpgrade(...request);
  });
  const ingests = await upgradeServer(stack, (...request) => {
    signalling.handleIngestUpgrade(...request);
  });
  stack.push(signalling);
  const playerUrl = `ws://127.0.0.1:${players}`;
  const streamerUrl = `ws://127.0.0.1:${signalling.streamersPort}`;
  const withConfig = async (peer: Peer): Promise<Peer> => {
    await peer.next('config');
    return peer;
  };
  return {
    ...{ signalling, playerUrl, streamerUrl },
    async streamer(id, path = '') {
      const peer = new Peer(`${streamerUrl}${path}`);
      await peer.next('identify');
      peer.say({ type: 'endpointId', id });
      const { committedId } = await peer.next('endpointIdConfirm');
      return Object.assign(peer, { committedId: String(committedId) });
    },
    player: (path = '/') => withConfig(new Peer(`${playerUrl}${path}`)),
    sfu: () => withConfig(new Peer(`ws://127.0.0.1:${signalling.sfuPort ?? 0}`)),
    ingest: () =>
      withConfig(
        new Peer(`ws://127.0.0.1:${ingests}/signalling`, { Authorization: `Bearer ${TOKEN}` }),
      ),
  };
}

/** The next event of signalling that fits. */
export function nextEvent(
  { signalling }: House,
  kind: string,
  streamerId?: string,
): Promise<Frame> {
  return new Promise((resolve) => {
    const stop = signalling.onChange((event) => {
      const id = 'streamerId' in event ? event.streamerId : undefined;
      if (event.kind === kind && (streamerId === undefined || id === streamerId)) {
        stop();
        resolve(event);
      }
    });
  });
}
