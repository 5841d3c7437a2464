/** The origin with a disk, behind a real server: rewind, another life, the end, the recording. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { type Broadcast, type OriginStatus, publishPath } from '../../infra/kernel/wire.ts';
import { AUDIO_HEADER, fragmentsOf, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { concatBytes } from '../cmaf/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { createOrigin, type Origin, originConfigSchema } from './index.ts';

const TOKEN = 'internal-token';
const RECORDING = '20261120t180004z';
let directory: string;
let nowMs: number;
let desired: Broadcast;
let status: OriginStatus | undefined;
let origin: Origin;
let server: Server;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'grandstand-restart-'));
  desired = BROADCAST;
  nowMs = N * 2000;
});

afterEach(async () => {
  await stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<void> {
  origin = await createOrigin(
    {
      logger: silentLogger,
      metrics: noMetrics,
      clock: { nowMs: () => unixMs(nowMs) },
      directory: {
        broadcast: (id) => Promise.resolve(id === 'demo' ? desired : undefined),
        broadcasts: () => Promise.resolve([desired]),
      },
      board: {
        reportLostPublisher: () => Promise.resolve(),
        reportOrigin: (_id, value) => {
          status = value;
          return Promise.resolve();
        },
      },
      internalToken: new Secret(TOKEN),
      mediaDirectory: directory,
    },
    originConfigSchema.parse({ windowMs: 12_000, ringMs: 18_000 }),
  );
  server = createServer((request, response) => {
    if (!origin.handleMedia(request, response) && !origin.handlePublish(request, response)) {
      response.writeHead(418).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

async function stop(): Promise<void> {
  await origin.close('test');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const url = (path: string): string =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

async function get(path: string): Promise<{ status: number; text: string; bytes: Uint8Array }> {
  const response = await fetch(url(path));
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, text: Buffer.from(bytes).toString(), bytes };
}

/** Publishes whole segments, a connection for each of them and each track. */
async function publish(from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) {
    nowMs = (at + 1) * 2000;
    for (const [track, header, samples] of [
      ['v180', VIDEO_HEADER, video(at, at + 1)],
      ['a128', AUDIO_HEADER, audio(at, at + 1)],
    ] as const) {
      const response = await fetch(
        url(publishPath('demo', track, 0, { timestamp: 1, attempt: 1 })),
        {
          method: 'PUT',
          headers: { Authorization: `Bearer ${TOKEN}` },
          body: concatBytes([header, ...fragmentsOf(samples)]) as Uint8Array<ArrayBuffer>,
        },
      );
      expect(response.status).toBe(200);
    }
  }
}

const numbersIn = (text: string): number[] =>
  [...text.matchAll(/^\.\.\/v180\/(\d+)\.m4s$|^(\d+)\.m4s$/gm)].map(
    ([, a, b]) => Number(a ?? b) - N,
  );

it('[U01 U02 U05 U06 M17] rewinds, comes back, ends, and is a recording', async () => {
  await start();
  await publish(N, N + 30);
  const live = await get('/live/demo/v180/media.m3u8');
  const dvr = await get('/live/demo/v180/dvr.m3u8');
  expect(numbersIn(live.text)[0]).toBe(24);
  expect(numbersIn(dvr.text)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  const old = await get(`/live/demo/v180/${N}.m4s`);
  const recent = await get(`/live/demo/v180/${N + 28}.m4s`);
  expect([old.status, recent.status]).toEqual([200, 200]);

  await stop();
  await start();
  // Nobody publishes: all of it is there, byte for byte.
  expect((await get('/live/demo/v180/media.m3u8')).text).toBe(live.text);
  expect((await get('/live/demo/v180/dvr.m3u8')).text).toBe(dvr.text);
  expect((await get(`/live/demo/v180/${N}.m4s`)).bytes).toEqual(old.bytes);
  expect((await get(`/live/demo/v180/${N + 28}.m4s`)).bytes).toEqual(recent.bytes);
  await publish(N + 30, N + 32);
  expect((await get('/live/demo/v180/media.m3u8')).text).not.toContain('GAP');

  desired = { ...BROADCAST, endedMs: nowMs };
  await expect
    .poll(async () => (await get('/live/demo/v180/media.m3u8')).text, { timeout: 3000 })
    .toMatch(/#EXT-X-ENDLIST\n$/);
  expect((await get('/live/demo/manifest.mpd')).text).toContain('type="static"');
  await expect.poll(() => status?.isEnded, { timeout: 3000 }).toBe(true);
  expect(status).toMatchObject({
    recording: RECORDING,
    storage: { state: 'ok', fromMs: N * 2000 },
  });

  await stop();
  await start();
  const ended = (await get('/live/demo/v180/media.m3u8')).text;
  expect(ended).toContain('#EXT-X-ENDLIST');
  // Nobody plays any more: who comes now plays what is listed from its start.
  const over = (await get('/live/demo/manifest.mpd')).text;
  expect(over).toContain('<Period id="e0" start="PT0S">');
  const [, first = ''] = /startNumber="(\d+)"/.exec(over) ?? [];
  expect(ended).toContain(`#EXT-X-MEDIA-SEQUENCE:${first}\n`);
  expect((await get(`/live/demo/v180/${first}.m4s`)).status).toBe(200);
  expect(origin.recordings('demo').map(({ id }) => id)).toEqual([RECORDING]);
  const vod = await get(`/vod/demo/${RECORDING}/v180/media.m3u8`);
  expect(vod.text).toContain('#EXT-X-PLAYLIST-TYPE:VOD');
  expect(vod.text.match(/#EXTINF/g)).toHaveLength(32);
  expect((await get(`/vod/demo/${RECORDING}/main.m3u8`)).status).toBe(200);
  expect((await get(`/vod/demo/${RECORDING}/manifest.mpd`)).text).toContain('type="static"');
  expect((await get(`/vod/demo/${RECORDING}/v180/${N}.m4s`)).bytes).toEqual(old.bytes);
});
