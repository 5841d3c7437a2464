import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessGuard } from './api/access.ts';
import { broadcastRoutes } from './api/broadcasts.ts';
import { recordingRoutes } from './api/recordings.ts';
import { broadcastSchema, recordingsSchema } from './api/schemas.ts';
import { createApp } from './app.ts';
import { httpLimitsSchema } from './limits.ts';
import { listen } from './listen.ts';
import type { Listener } from './bind.ts';
import { broadcastView, type BroadcastView } from '../broadcastView.ts';
import { desiredBroadcasts } from '../desired.ts';
import type { RoleStatuses } from '../directory.ts';
import { memoryDirectory } from '../memoryDirectory.ts';
import { gridSchema } from '../../kernel/grid.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { Secret } from '../../kernel/secret.ts';
import { unixMs } from '../../kernel/time.ts';
import { DEFAULT_LADDER } from '../../kernel/wire.ts';

const NOW = unixMs(1_795_204_000_000);
const { directory, saved } = memoryDirectory();
const origins = new Map<string, RoleStatuses['origin']>();
let listener: Listener;

function view(id: string): BroadcastView | undefined {
  const broadcast = saved.get(id);
  const statuses = { ingest: undefined, transcode: undefined, slots: 0, origin: origins.get(id) };
  const streamer = { isConnected: false, presenter: null };
  return broadcast && broadcastView(broadcast, statuses, streamer, { nowMs: NOW, since: NOW });
}

beforeAll(async () => {
  const grid = gridSchema.parse({});
  const guard = accessGuard({
    ...{ token: new Secret('a-token-of-this-test'), trustLoopback: true, isOpen: true },
    operators: {
      admit: () => Promise.resolve({ kind: 'refusal', status: 401, reason: 'no token of ours' }),
    },
  });
  const recording = {
    ...{ id: '20261120t220409z', fromMs: NOW, toMs: NOW + 5000, bytes: 9, expiresMs: NOW + 9e7 },
  };
  const app = createApp({
    logger: silentLogger,
    guard,
    routes: [
      ...broadcastRoutes({
        desired: desiredBroadcasts({
          directory,
          nowMs: () => NOW,
          maxBroadcasts: 3,
          ladder: DEFAULT_LADDER,
          grid,
          redundancy: 1,
          logger: silentLogger,
        }),
        broadcasts: () => Promise.resolve([...saved.keys()].flatMap((id) => view(id) ?? [])),
        broadcast: (id) => Promise.resolve(view(id)),
        maySeePlayers: () => Promise.resolve(true),
      }),
      ...recordingRoutes({
        recordings: (id) => (id === 'past' ? [recording] : []),
        isKnown: (id) => Promise.resolve(saved.has(id)),
      }),
    ],
  });
  listener = await listen(
    {
      at: { host: '127.0.0.1', port: 0 },
      setting: 'http.listen',
      limits: httpLimitsSchema.parse({}),
      requestTimeoutMs: 20_000,
      onFault: () => undefined,
      onRefused: () => undefined,
    },
    app,
    (_request, socket) => socket.destroy(),
  );
});

afterAll(() => listener.close('done'));

type Answer = { status: number; type: string | null; headers: Headers; body: unknown };

async function call(method: string, path: string, body?: unknown, headers = {}): Promise<Answer> {
  const isPost = method === 'POST' || method === 'PATCH';
  const response = await fetch(`http://127.0.0.1:${listener.port}/api/v1/broadcasts${path}`, {
    method,
    headers: { ...(isPost ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(isPost ? { body: typeof body === 'string' ? body : JSON.stringify(body ?? {}) } : {}),
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
}

describe('/api/v1/broadcasts', () => {
  it('takes a broadcast through its life', async () => {
    const made = await call('POST', '', { id: 'ext', source: { kind: 'publish' } });
    expect(made).toMatchObject({ status: 201, body: { id: 'ext', state: 'idle' } });
    expect(made.headers.get('location')).toBe('/api/v1/broadcasts/ext');
    expect(await call('POST', '', { id: 'ext' })).toMatchObject({ status: 409 });

    origins.set('ext', { lastMsn: 5, newestMs: NOW - 100, tracks: [] });
    expect((await call('GET', '/ext')).body).toMatchObject({ state: 'live' });
    expect(await call('DELETE', '/ext')).toMatchObject({
      status: 409,
      body: { detail: "broadcast 'ext' is live; stop it first" },
    });
    expect(await call('POST', '/ext/stop')).toMatchObject({
      status: 200,
      body: { state: 'ended' },
    });
    expect(await call('POST', '/ext/start')).toMatchObject({
      status: 200,
      body: { state: 'live' },
    });
    await call('POST', '/ext/stop');
    expect((await call('DELETE', '/ext')).status).toBe(204);
    expect((await call('GET', '/ext')).status).toBe(404);
    expect((await call('POST', '/ext/stop')).status).toBe(404);
  });

  it('changes one that nobody watches, and no other', async () => {
    await call('POST', '', { id: 'mut', source: { kind: 'publish' } });
    origins.set('mut', { lastMsn: 5, newestMs: NOW - 100, tracks: [] });
    const ladder = { ...DEFAULT_LADDER, video: DEFAULT_LADDER.video.slice(1) };
    expect(await call('PATCH', '/mut', { ladder })).toMatchObject({
      status: 409,
      body: { detail: "broadcast 'mut' is live; stop it first" },
    });
    await call('POST', '/mut/stop');
    const changed = await call('PATCH', '/mut', { ladder });
    expect(changed).toMatchObject({ status: 200, body: { id: 'mut', state: 'ended' } });
    expect(broadcastSchema.parse(changed.body)).toEqual(changed.body);
    expect(saved.get('mut')?.ladder).toEqual(ladder);
    expect(saved.get('mut')?.source).toEqual({ kind: 'publish' });
    expect((await call('PATCH', '/mut', {})).status).toBe(422);
    expect((await call('PATCH', '/nobody', { ladder })).status).toBe(404);
    expect((await call('DELETE', '/mut')).status).toBe(204);
  });

  it('tells every fault of a body, and where', async () => {
    const video = [{ name: 'v721p', width: 3, height: 720, bitrateBps: 1 }];
    const answer = await call('POST', '', {
      id: 'No Name',
      ladder: { video, audio: DEFAULT_LADDER.audio },
      colour: 'red',
    });
    expect(answer).toMatchObject({
      status: 422,
      type: expect.stringMatching(/^application\/problem\+json/) as unknown,
      body: { type: 'about:blank', status: 422, title: 'Unprocessable body' },
    });
    const { errors } = answer.body as { errors: { pointer: string }[] };
    expect(new Set(errors.map(({ pointer }) => pointer))).toEqual(
      new Set([
        '/id',
        '/ladder',
        '/ladder/video/0/name',
        '/ladder/video/0/width',
        '/ladder/video/0/bitrateBps',
        '',
      ]),
    );
    expect((await call('POST', '/ext/stop', { now: true })).status).toBe(422);
  });

  it.each([
    [400, 'POST', '', '{"id":', {}],
    [413, 'POST', '', `{"id":"${'x'.repeat(70_000)}"}`, {}],
    [415, 'POST', '', 'id=demo', { 'content-type': 'application/x-www-form-urlencoded' }],
    [403, 'POST', '', '{"id":"demo"}', { origin: 'https://evil.example' }],
    [401, 'DELETE', '/demo', undefined, { authorization: 'Bearer wrong' }],
    [405, 'DELETE', '', undefined, {}],
    [405, 'GET', '/demo/stop', undefined, {}],
    [404, 'GET', '/No%20Name', undefined, {}],
    [404, 'GET', '/nobody/recordings', undefined, {}],
  ])('answers %i to %s %s %s with a problem', async (status, method, path, body, headers) => {
    const answer = await call(method, path, body, headers);
    expect(answer).toMatchObject({ status, body: { type: 'about:blank', status } });
    expect(answer.type).toMatch(/^application\/problem\+json/);
    expect(saved.size).toBe(0);
  });

  it('lists the recordings of a broadcast, deleted or not', async () => {
    const answer = await call('GET', '/past/recordings');
    expect(recordingsSchema.parse(answer.body)).toEqual(answer.body);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        recordings: [
          {
            id: '20261120t220409z',
            from: new Date(NOW).toISOString(),
            urls: {
              hls: '/vod/past/20261120t220409z/main.m3u8',
              dash: '/vod/past/20261120t220409z/manifest.mpd',
            },
          },
        ],
      },
    });
  });
});
