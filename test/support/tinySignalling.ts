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

type Message = Record<string, unknown>;

/** Players are subscribed as soon as they send `subscribe`, to whichever streamer there is. */
export async function startTinySignalling(): Promise<TinySignalling> {
  const streamers = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const players = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await Promise.all(
    [streamers, players].map(
      (server) => new Promise((resolve) => server.once('listening', resolve)),
    ),
  );
  let streamer: WebSocket | undefined;
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
        identified.resolve(message['id'] as string);
      } else if (message['type'] === 'ping') {
        send(socket, { type: 'pong', time: message['time'] });
      } else {
        send(playerSockets.get(message['playerId'] as string), message);
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
      } else {
        send(streamer, { ...message, playerId });
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
