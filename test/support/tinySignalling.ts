/**
 * The least of Epic's signalling that brings one streamer and players together, for tests of peers
 * alone. Everything is relayed; nothing is checked. The real server is in signalling/.
 */
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';

/** A running server; both URLs are on loopback with ports of the system's choice. */
export type TinySignalling = Closeable & {
  readonly streamerUrl: string;
  readonly playerUrl: string;
  /** Resolves when a streamer has said its id. */
  readonly identified: Promise<string>;
  /** Closes the streamer's socket, as a restarted server would. */
  dropStreamer(): void;
};

/** A signalling message, unchecked. */
export type Message = Record<string, unknown>;

/** A message on its way; undefined to lose it. */
export type Rewrite = (
  message: Message,
  from: 'streamer' | 'player',
) => Message | undefined | Promise<Message | undefined>;

/**
 * Players are subscribed as soon as they send `subscribe`, to whichever streamer there is.
 *
 * @param rewrite sees every message between streamer and player
 */
export async function startTinySignalling(
  rewrite: Rewrite = (message) => message,
): Promise<TinySignalling> {
  const streamers = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const players = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await Promise.all(
    [streamers, players].map(
      (server) => new Promise((resolve) => server.once('listening', resolve)),
    ),
  );
  let streamer: WebSocket | undefined;
  let streamerId: unknown;
  /** One after the other, so that no candidate overtakes its offer. */
  let last = Promise.resolve();
  const relay = (
    message: Message,
    from: 'streamer' | 'player',
    to: () => WebSocket | undefined,
  ): void => {
    last = last.then(async () => {
      const rewritten = await rewrite(message, from);
      if (rewritten !== undefined) {
        send(to(), rewritten);
      }
    });
  };
  const playerSockets = new Map<string, WebSocket>();
  const identified = Promise.withResolvers<string>();
  const send = (socket: WebSocket | undefined, message: Message): void =>
    socket?.send(JSON.stringify(message));
  streamers.on('connection', (socket) => {
    streamer = socket;
    send(socket, { type: 'config', peerConnectionOptions: {} });
    send(socket, { type: 'identify' });
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      if (message['type'] === 'endpointId') {
        send(socket, { type: 'endpointIdConfirm', committedId: message['id'] });
        streamerId = message['id'];
        identified.resolve(message['id'] as string);
      } else if (message['type'] === 'ping') {
        send(socket, { type: 'pong', time: message['time'] });
      } else {
        relay(message, 'streamer', () => playerSockets.get(message['playerId'] as string));
      }
    });
  });
  players.on('connection', (socket) => {
    const playerId = String(101 + playerSockets.size);
    playerSockets.set(playerId, socket);
    send(socket, { type: 'config', peerConnectionOptions: {} });
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      if (message['type'] === 'subscribe') {
        send(streamer, { type: 'playerConnected', playerId, dataChannel: true, sfu: false });
      } else if (message['type'] === 'listStreamers') {
        send(socket, { type: 'streamerList', ids: [streamerId] });
      } else if (message['type'] === 'unsubscribe') {
        send(streamer, { type: 'playerDisconnected', playerId });
      } else {
        relay({ ...message, playerId }, 'player', () => streamer);
      }
    });
    socket.on('close', () => send(streamer, { type: 'playerDisconnected', playerId }));
  });
  const url = (server: WebSocketServer): string =>
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    streamerUrl: url(streamers),
    playerUrl: url(players),
    identified: identified.promise,
    dropStreamer: () => streamer?.terminate(),
    async close() {
      for (const server of [streamers, players]) {
        server.clients.forEach((client) => {
          client.terminate();
        });
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
