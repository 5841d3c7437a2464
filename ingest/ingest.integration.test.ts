/** The whole room: signalling client, peer thread, contribution and feed, against real streamers. */
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { systemBroadcastClock } from '../infra/kernel/broadcastClock.ts';
import { superviseChild } from '../infra/kernel/childProcess.ts';
import { type CloseStack, closeStack } from '../infra/kernel/lifecycle.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import { createMetrics } from '../infra/kernel/metrics.ts';
import { Secret } from '../infra/kernel/secret.ts';
import {
  broadcastSchema,
  DEFAULT_LADDER,
  FEED_NEWEST_HEADER,
  type IngestStatus,
  type TimelineAnchor,
} from '../infra/kernel/wire.ts';
import { startTurnServer } from '../test/support/turnServer.ts';
import { until } from '../test/support/until.ts';
import { createIngest, ingestConfigSchema } from './index.ts';

type Message = Record<string, unknown>;
type Socket = { send(message: Message): void; close(): void };

const TOKEN = 'internal-token';
const authorized = { headers: { Authorization: `Bearer ${TOKEN}` } };

/** The least of a signalling server: one streamer, one player, everything relayed. */
async function startRelay(stack: CloseStack): Promise<{
  streamerUrl: string;
  playerUrl: string;
  authorizations: (string | undefined)[];
  /** What the player said to the streamer. */
  said: Message[];
}> {
  const authorizations: (string | undefined)[] = [];
  const said: Message[] = [];
  let streamerId: string | undefined;
  let streamer: Socket | undefined;
  let player: Socket | undefined;
  const listen = async (
    onMessage: (message: Message, socket: Socket) => void,
    onSocket: (socket: Socket, authorization: string | undefined) => void,
    onClose: () => void,
  ): Promise<string> => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server.once('listening', resolve));
    server.on('connection', (raw, request) => {
      const socket: Socket = {
        send: (message) => raw.send(JSON.stringify(message)),
        close: () => raw.close(),
      };
      socket.send({ type: 'config', peerConnectionOptions: {} });
      onSocket(socket, request.headers.authorization);
      raw.on('message', (data: Buffer) => {
        onMessage(JSON.parse(data.toString()) as Message, socket);
      });
      raw.on('close', onClose);
    });
    stack.defer(() => {
      server.clients.forEach((client) => client.terminate());
      server.close();
    });
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const streamerUrl = await listen(
    (message, socket) => {
      if (message['type'] === 'endpointId') {
        streamerId = message['id'] as string;
        socket.send({ type: 'endpointIdConfirm', committedId: streamerId });
      } else if (message['type'] === 'ping') {
        socket.send({ type: 'pong', time: message['time'] });
      } else {
        player?.send(message);
      }
    },
    (socket) => {
      streamer = socket;
      socket.send({ type: 'identify' });
    },
    () => {
      streamerId = undefined;
      player?.close(); // as Wilbur does
    },
  );
  const playerUrl = await listen(
    (message, socket) => {
      if (message['type'] === 'listStreamers') {
        socket.send({ type: 'streamerList', ids: streamerId === undefined ? [] : [streamerId] });
      } else if (message['type'] === 'subscribe') {
        const playerId = '101';
        streamer?.send({ type: 'playerConnected', playerId, dataChannel: true, sfu: false });
      } else if (message['type'] === 'unsubscribe') {
        streamer?.send({ type: 'playerDisconnected', playerId: '101' });
      } else {
        said.push(message);
        streamer?.send({ ...message, playerId: '101' });
      }
    },
    (socket, authorization) => {
      player = socket;
      authorizations.push(authorization);
    },
    () => streamer?.send({ type: 'playerDisconnected', playerId: '101' }),
  );
  return { streamerUrl, playerUrl, authorizations, said };
}

describe('ingest', () => {
  let stack: CloseStack;
  beforeEach(() => {
    stack = closeStack((error) => {
      throw error;
    });
  });
  afterEach(async () => {
    await stack.close('test is over');
  });

  async function start(config: Record<string, unknown> = {}): Promise<{
    relay: Awaited<ReturnType<typeof startRelay>>;
    statuses: IngestStatus[];
    feeds: string[];
    anchors: TimelineAnchor[];
    baseUrl: string;
    /** Whether the metrics have that line now. */
    metric: (line: string) => Promise<boolean>;
  }> {
    const relay = await startRelay(stack);
    const metrics = createMetrics();
    const statuses: IngestStatus[] = [];
    const feeds: string[] = [];
    const anchors: TimelineAnchor[] = [];
    const http = createServer((request, response) => {
      if (!ingest.handleFeed(request, response)) {
        response.writeHead(418).end();
      }
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    stack.defer(() => {
      http.closeAllConnections();
      http.close();
    });
    const baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const ingest = createIngest(
      {
        logger: silentLogger,
        metrics,
        clock: systemBroadcastClock(),
        directory: { signallingServers: () => Promise.resolve([relay.playerUrl]) },
        board: {
          announceFeed: (_id, { url }) => Promise.resolve(void feeds.push(url)),
          withdrawFeed: () => Promise.resolve(void feeds.push('withdrawn')),
          reportIngest: (_id, status) => Promise.resolve(void statuses.push(status)),
        },
        anchors: {
          timelineAnchor: () => Promise.resolve(undefined),
          keepTimelineAnchor: (_id, anchor) => Promise.resolve(void anchors.push(anchor)),
        },
        ffmpegPath: 'ffmpeg',
        onApplicationEvent: () => undefined,
        internalToken: new Secret(TOKEN),
        internalBaseUrl: baseUrl,
      },
      ingestConfigSchema.parse(config),
    );
    stack.push(ingest);
    const broadcast = broadcastSchema.parse({
      id: 'demo',
      source: { kind: 'pixel-streaming', streamerId: 'demo' },
      ladder: DEFAULT_LADDER,
      grid: {},
      createdMs: 0,
    });
    const stop = new AbortController();
    const ended = ingest.run({ broadcast }, { timestamp: 1, attempt: 1 }, stop.signal);
    stack.defer(async () => {
      stop.abort();
      await ended;
    });
    const metric = async (line: string): Promise<boolean> =>
      (await metrics.render()).body.split('\n').includes(line);
    return { relay, statuses, feeds, anchors, baseUrl, metric };
  }

  function startDemo(url: string): ReturnType<typeof superviseChild> {
    const args = ['infra/demo/main.ts', '--url', url, '--size', '640x360', '--with-parent'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return stack.push(superviseChild(child));
  }

  it('brings a streamer to the feed, and again after the streamer was killed', async () => {
    const { relay, statuses, feeds, anchors, baseUrl } = await start();
    const demo = startDemo(relay.streamerUrl);
    const live = await until('live', 20_000, () => statuses.find(({ state }) => state === 'live'));
    expect(live).toMatchObject({ codec: 'h264', width: 640, height: 360 });
    expect(relay.authorizations).toEqual([`Bearer ${TOKEN}`]);
    await until('announced', 5000, () => feeds.includes(`${baseUrl}/feed/demo`));

    // ffprobe is the independent reader: it decodes nothing that is not whole.
    const probe = await promisify(execFile)('ffprobe', [
      ...['-v', 'error', '-headers', `Authorization: Bearer ${TOKEN}\r\n`, '-count_frames'],
      ...['-read_intervals', '%+#60', '-show_entries', 'stream=codec_name,width,nb_read_frames'],
      ...['-of', 'json', `${baseUrl}/feed/demo`],
    ]);
    expect(probe.stderr).toBe('');
    const { streams } = JSON.parse(probe.stdout) as { streams: Record<string, unknown>[] };
    expect(streams).toMatchObject([{ codec_name: 'h264', width: 640 }, { codec_name: 'opus' }]);
    expect(Number(streams[0]?.['nb_read_frames'])).toBeGreaterThan(10);

    demo.process.kill('SIGKILL');
    await until('interrupted', 10_000, () => statuses.at(-1)?.state === 'interrupted');
    // The slate stands for the picture: the feed goes on.
    const newestMs = statuses.at(-1)?.newestMs ?? 0;
    const slate = await fetch(`${baseUrl}/feed/demo`, authorized);
    expect(slate.status).toBe(200);
    expect(Number(slate.headers.get(FEED_NEWEST_HEADER))).toBeGreaterThanOrEqual(newestMs);
    expect(feeds).not.toContain('withdrawn');
    expect(anchors.at(-1)).toMatchObject({ codec: 'h264', runMs: 0 });
    startDemo(relay.streamerUrl);
    const again = await until('live again', 20_000, () => {
      const last = statuses.at(-1);
      return last?.state === 'live' ? last : undefined;
    });
    expect(again.newestMs).toBeGreaterThan(newestMs);
    await slate.body?.cancel();
  });

  it('outlives a streamer whose offer is not SDP, and one that never offers', async () => {
    const { relay, statuses } = await start();
    const streamer = new WebSocket(relay.streamerUrl);
    stack.defer(() => streamer.terminate());
    let connected = 0;
    streamer.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      if (message['type'] === 'identify') {
        streamer.send(JSON.stringify({ type: 'endpointId', id: 'demo' }));
      } else if (message['type'] === 'playerConnected') {
        connected += 1;
        if (connected < 3) {
          streamer.send(JSON.stringify({ type: 'offer', playerId: '101', sdp: 'not SDP' }));
        }
      }
    });
    await until('third subscription', 15_000, () => connected === 3);
    await until('the reason', 5000, () =>
      statuses.some(({ reason }) => reason?.includes('v=0') === true),
    );
    // The reason is reported once a second, and the next try replaces it: a later round will show it.
    await until('silence is noticed', 40_000, () =>
      statuses.some(({ reason }) => reason === 'the streamer sent no offer and answered none'),
    );
  });

  it('replaces the peer of a streamer that stands still, says why, and takes it when it goes on', async () => {
    const { relay, statuses, metric } = await start();
    const demo = startDemo(relay.streamerUrl);
    await until('live', 20_000, () => statuses.at(-1)?.state === 'live');
    demo.process.kill('SIGSTOP'); // its sockets stay open, and ICE alone would wait for long
    await until('the reason in the metrics', 10_000, () =>
      metric('grandstand_ingest_resubscribes_total{reason="the media stopped"} 1'),
    );
    await until('the reason in the status', 5000, () =>
      statuses.some(
        ({ state, reason }) =>
          state === 'interrupted' && reason?.startsWith('the media stopped') === true,
      ),
    );
    demo.process.kill('SIGCONT');
    await until('live again', 20_000, () => statuses.at(-1)?.state === 'live');
  });

  it('has its media by TURN alone, with credentials of the shared secret', async () => {
    const turn = stack.push(await startTurnServer('north'));
    const { relay, statuses } = await start({
      iceServers: [{ urls: turn.url, secret: 'north' }],
      iceTransportPolicy: 'relay',
    });
    startDemo(relay.streamerUrl);
    await until('live', 20_000, () => statuses.at(-1)?.state === 'live');
    const candidates = JSON.stringify(relay.said).match(/candidate:\S+ 1 udp [^"\\]+/g) ?? [];
    expect(candidates.length).toBeGreaterThan(0);
    expect(candidates.filter((candidate) => !candidate.includes(' typ relay'))).toEqual([]);
  });

  it('says what is missing where only relays are allowed and none is known', async () => {
    const { relay, statuses } = await start({ iceTransportPolicy: 'relay' });
    startDemo(relay.streamerUrl);
    await until('the reason', 20_000, () =>
      statuses.some(({ reason }) => reason?.includes('set ingest.iceServers') === true),
    );
    expect(JSON.stringify(relay.said)).not.toContain('typ host');
  });

  it('serves the feed to nobody without the token', async () => {
    const { baseUrl } = await start();
    const status = async (path: string, init?: RequestInit): Promise<number> =>
      (await fetch(`${baseUrl}${path}`, init)).status;
    expect(await status('/feed/demo')).toBe(401);
    expect(await status('/feed/demo', { headers: { Authorization: 'Bearer wrong' } })).toBe(401);
    expect(await status('/feed/other', authorized)).toBe(404);
    expect(await status('/feed/../x', authorized)).toBe(418);
    expect(await status('/feed/%2e%2e%2fdemo', authorized)).toBe(404);
    expect(await status('/feed/demo', { ...authorized, method: 'PUT' })).toBe(405);
    expect(await status('/feed/demo', authorized)).toBe(503);
  });
});
