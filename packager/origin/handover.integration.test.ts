import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { parseInit } from '../cmaf/index.ts';
import { BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { askSisters, createHandoverHandler } from './handover.ts';
import { LiveBroadcast } from './liveBroadcast.ts';

const TOKEN = new Secret('token-of-this-test');
const INIT = parseInit(VIDEO_HEADER);
const EPOCH = { timestamp: 5, attempt: 1 };
const servers: Server[] = [];

afterEach(() => {
  servers.splice(0).forEach((server) => {
    server.close();
    server.closeAllConnections();
  });
});

async function serve(find: (id: string) => LiveBroadcast | undefined): Promise<string> {
  const handle = createHandoverHandler({ token: TOKEN, nowMs: () => unixMs(0), find });
  const server = createServer((request, response) => {
    if (!handle(request, response)) {
      response.writeHead(404).end();
    }
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An origin that follows slot 0 up to segment `until`, slot 1 standing by. */
function origin(until: number): LiveBroadcast {
  const live = new LiveBroadcast(
    BROADCAST,
    { windowSegments: 30, ringSegments: 45 },
    () => {
      // Nobody waits.
    },
    { onLoss: () => undefined },
  );
  const [one, two] = [0, 1].map((slot) =>
    live.addPublisher('v180', { slot, epoch: EPOCH }, VIDEO_HEADER),
  );
  live.publish('v180', one!, video(N, until));
  live.publish('v180', two!, video(N, N + 0.5));
  return live;
}

const ask = (sisters: readonly string[], token = TOKEN) => {
  const loss = { slot: 0, epoch: EPOCH, fromTicks: (N + 0.5) * 180_000 };
  const asked = { broadcast: 'demo', track: 'v180', loss };
  return askSisters(sisters, asked, INIT, { token, logger: silentLogger });
};

it('an origin answers with what it has of a lost publisher beyond the asker, and takes no more of it', async () => {
  const ahead = origin(N + 0.7);
  const behind = origin(N + 0.6);
  const all = [await serve(() => behind), await serve(() => ahead)];
  expect(await ask(all)).toEqual(video(N + 0.5, N + 0.7));
  expect(ahead.publish('v180', ahead.track('v180')!.followed!, video(N + 0.7, N + 0.8))).toBe(
    'dropped',
  );
});

it('who cannot be asked, or does not know the broadcast, has nothing to say', async () => {
  const deaf = createServer(() => undefined);
  servers.push(deaf);
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const silent = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  const stranger = await serve(() => undefined);
  expect(await ask([silent, stranger, 'http://127.0.0.1:1'])).toEqual([]);
  expect(await ask([await serve(() => origin(N + 0.7))], new Secret('another token'))).toEqual([]);
});
