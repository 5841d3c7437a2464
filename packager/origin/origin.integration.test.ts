/** The origin behind two real servers, fed by synthetic encoders, on a clock that the test moves. */
import { request as httpRequest, type ClientRequest, createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { type OriginStatus, publishPath } from '../../infra/kernel/wire.ts';
import { AUDIO_HEADER, fragmentsOf, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { concatBytes, type Sample } from '../cmaf/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { createOrigin, type Origin, originConfigSchema } from './index.ts';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
};

/** By number: a bare machine may not know the name localhost. */
const HOST = '127.0.0.1';
const TOKEN = 'internal-token';
let nowMs = 0;
let origin: Origin;
let server: Server;
let port: number;
let reports: OriginStatus[];
let heldRequests = 0;
const held = (): number => heldRequests;
const open = new Set<Socket>();
const clients = new Set<ClientRequest>();

beforeEach(async () => {
  nowMs = N * 2000;
  reports = [];
  await start();
});

afterEach(async () => {
  await stop();
});

async function start(config: Record<string, number> = {}): Promise<void> {
  origin = await createOrigin(
    {
      logger: silentLogger,
      metrics: {
        ...noMetrics,
        gauge: (name) => ({
          set: (value) => {
            if (name === 'grandstand_origin_held_requests') {
              heldRequests = value;
            }
          },
        }),
      },
      clock: { nowMs: () => unixMs(nowMs) },
      directory: { broadcast: (id) => Promise.resolve(id === 'demo' ? BROADCAST : undefined) },
      board: {
        reportLostPublisher: () => Promise.resolve(),
        reportOrigin: (_id, status) => {
          reports.push(status);
          return Promise.resolve();
        },
      },
      internalToken: new Secret(TOKEN),
    },
    originConfigSchema.parse(config),
  );
  server = createServer((req, res) => {
    if (!origin.handleMedia(req, res) && !origin.handlePublish(req, res)) {
      res.writeHead(418).end();
    }
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
}

async function stop(): Promise<void> {
  clients.forEach((client) => client.destroy());
  clients.clear();
  await origin.close('test ends');
  open.forEach((socket) => socket.destroy());
  await new Promise((resolve) => server.close(resolve));
}

function get(
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const client = httpRequest({ host: HOST, port, path, agent: false, ...options }, (res) => {
      const slices: Buffer[] = [];
      res.on('data', (slice: Buffer) => slices.push(slice));
      res.on('end', () => {
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: Buffer.concat(slices),
        });
      });
      res.on('error', reject);
    });
    client.on('error', reject);
    client.end();
  });
}

/** A publish that stays open; `send` resolves when the origin has taken the samples. */
class Encoder {
  readonly #client: ClientRequest;
  readonly #track: string;
  readonly refusal: Promise<{ status: number; body: { error: string } }>;

  constructor(track: string, options: { attempt?: number; token?: string; id?: string } = {}) {
    const { attempt = 1, token = TOKEN, id = 'demo' } = options;
    this.#track = track;
    const path = publishPath(id, track, 0, { timestamp: 1, attempt });
    this.#client = httpRequest({
      host: HOST,
      port,
      path,
      method: 'PUT',
      agent: false,
      headers: { Authorization: `Bearer ${token}` },
    });
    clients.add(this.#client);
    this.refusal = new Promise((resolve, reject) => {
      this.#client.on('response', (res) => {
        const slices: Buffer[] = [];
        res.on('data', (slice: Buffer) => slices.push(slice));
        res.on('end', () => {
          const text = Buffer.concat(slices).toString();
          resolve({ status: res.statusCode ?? 0, body: JSON.parse(text) as { error: string } });
        });
      });
      // An answer may come before the cut that follows a refusal; without one, waiting is in vain.
      this.#client.on('error', reject);
    });
    this.refusal.catch(() => undefined);
  }

  write(bytes: Uint8Array): void {
    this.#client.write(bytes);
  }

  header(): void {
    this.write(this.#track.startsWith('v') ? VIDEO_HEADER : AUDIO_HEADER);
  }

  async send(samples: readonly Sample[], attempt = 1): Promise<void> {
    const last = samples.at(-1)!;
    this.write(concatBytes(fragmentsOf(samples)));
    await until(async () => (await nextTicks(this.#track, attempt)) === last.dts + last.duration);
  }

  async finish(): Promise<{ status: number; body: unknown }> {
    this.#client.end();
    return this.refusal;
  }

  abort(): void {
    this.#client.destroy();
  }
}

async function nextTicks(track: string, attempt = 1): Promise<number | null> {
  const { body } = await get(publishPath('demo', track, 0, { timestamp: 1, attempt }), {
    headers: { Authorization: `Bearer ${TOKEN}` },
  });
  return (JSON.parse(body.toString()) as { nextTicks: number | null }).nextTicks;
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Both encoders live from `N` to `to`. */
async function live(to: number): Promise<{ v: Encoder; a: Encoder }> {
  const v = new Encoder('v180');
  const a = new Encoder('a128');
  v.header();
  a.header();
  nowMs = to * 2000;
  await v.send(video(N, to));
  await a.send(audio(N, to));
  return { v, a };
}

const text = (answer: Answer): string => answer.body.toString();
const PLAYLIST = '/live/demo/v180/media.m3u8';

describe('publish', () => {
  it('tells where a resume begins, and ends with the encoder', async () => {
    const v = new Encoder('v180');
    v.header();
    expect(await nextTicks('v180')).toBeNull();
    await v.send(video(N, N + 0.5));
    expect(await v.finish()).toEqual({ status: 200, body: { nextTicks: (N + 0.5) * 180_000 } });
  });

  it.each([
    ['without the token', 'v180', { token: 'wrong' }, 401, 'unauthorized'],
    ['of a broadcast that nobody wants', 'v180', { id: 'other' }, 404, 'not_found'],
    ['of a track that is not in the ladder', 'v720', {}, 404, 'not_found'],
  ])('refuses one %s', async (_name, track, options, status, error) => {
    const encoder = new Encoder(track, options);
    encoder.header();
    expect(await encoder.refusal).toMatchObject({ status, body: { error } });
  });

  it.each([
    ['/publish/demo/v180?slot=2&epoch=1.1'],
    ['/publish/demo/v180?slot=0&epoch=x'],
    ['/publish/demo'],
    ['/publish/../v180?slot=0&epoch=1.1'],
  ])('refuses %s', async (path) => {
    const answer = await get(path, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    expect(answer.status).toBe(404);
  });

  const [first, second] = fragmentsOf(video(N, N + 1)) as [Uint8Array, Uint8Array];
  it.each([
    ['a broken box', [VIDEO_HEADER, Uint8Array.of(0, 0, 0, 3, 1, 2, 3, 4)], 'bad_media'],
    [
      'a giant box',
      [VIDEO_HEADER, Uint8Array.of(255, 255, 255, 255, 109, 100, 97, 116)],
      'bad_media',
    ],
    ['media before its header', [first], 'bad_media'],
    ['a header of the other kind', [AUDIO_HEADER], 'bad_init'],
    ['decode times that go back', [VIDEO_HEADER, first, second, first], 'bad_media'],
    [
      'a decode time far from the clock',
      [VIDEO_HEADER, ...fragmentsOf(video(N + 16, N + 17))],
      'off_grid',
    ],
  ])('refuses %s with 422, and the next one goes on', async (_name, slices, error) => {
    const bad = new Encoder('v180');
    slices.forEach((slice) => bad.write(slice));
    expect(await bad.refusal).toMatchObject({ status: 422, body: { error } });
    const good = new Encoder('v180');
    good.header();
    await good.send(video(N, N + 1));
  });

  it('tells a fenced publisher 409 and closes it', async () => {
    const old = new Encoder('v180', { attempt: 1 });
    old.header();
    await old.send(video(N, N + 1));
    const young = new Encoder('v180', { attempt: 2 });
    young.header();
    await young.send(video(N + 1, N + 1.5), 2);
    old.write(concatBytes(fragmentsOf(video(N + 1, N + 1.5))));
    expect(await old.refusal).toMatchObject({ status: 409, body: { error: 'fenced' } });
    const late = new Encoder('v180', { attempt: 1 });
    late.header();
    expect(await late.refusal).toMatchObject({ status: 409 });
  });
});

describe('manifests', () => {
  it('are 404 for a second until there is something to play', async () => {
    for (const path of ['/live/demo/main.m3u8', '/live/demo/manifest.mpd', PLAYLIST]) {
      const answer = await get(path);
      expect([answer.status, answer.headers['cache-control']]).toEqual([404, 'public, max-age=1']);
    }
  });

  it('[T01 T02 T09 B14] are compressed, validated and open to all origins', async () => {
    await live(N + 2);
    for (const path of ['/live/demo/main.m3u8', '/live/demo/manifest.mpd', PLAYLIST]) {
      const plain = await get(path, { headers: { Origin: 'https://elsewhere.example' } });
      expect(plain.headers).toMatchObject({
        'cache-control': 'public, max-age=1',
        vary: 'Accept-Encoding',
        'access-control-allow-origin': '*',
        'accept-ranges': 'none',
        'content-length': String(plain.body.length),
      });
      const packed = await get(path, { headers: { 'Accept-Encoding': 'gzip, br' } });
      expect(packed.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(packed.body)).toEqual(plain.body);
      const etag = String(packed.headers['etag']);
      const same = await get(path, { headers: { 'If-None-Match': etag } });
      expect([same.status, same.body.length]).toEqual([304, 0]);
      const head = await get(path, { method: 'HEAD' });
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
        200,
        String(plain.body.length),
        0,
      ]);
    }
    expect(text(await get(PLAYLIST))).toContain(`#EXT-X-MEDIA-SEQUENCE:${N}\n`);
  });
});

describe('blocking reload', () => {
  it('[R02 R14] answers all waiters the same when the part is there', async () => {
    const { v } = await live(N + 2.25);
    const asked = Array.from({ length: 20 }, () =>
      get(`${PLAYLIST}?_HLS_msn=${N + 2}&_HLS_part=1`),
    );
    const head = get(`${PLAYLIST}?_HLS_part=1&_HLS_msn=${N + 2}`, { method: 'HEAD' });
    await until(() => held() === 21);
    await v.send(video(N + 2.25, N + 2.5));
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(text)).size).toBe(1);
    expect(answers[0]?.headers['cache-control']).toBe('public, max-age=6');
    expect(text(answers[0]!)).toContain(`${N + 2}.1.m4s`);
    expect((await head).status).toBe(200);
    expect(held()).toBe(0);
  });

  it('[R07 B26] gives up after three target durations, and only then', async () => {
    await live(N + 2);
    const asked = get(`${PLAYLIST}?_HLS_msn=${N + 2}&_HLS_part=0`);
    await until(() => held() === 1);
    nowMs += 6000;
    const answer = await asked;
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(answer.headers['cache-control']).toBe('public, max-age=1');
  });

  it('[B20] forgets a client that goes away', async () => {
    await live(N + 2);
    const client = httpRequest({
      host: HOST,
      port,
      path: `${PLAYLIST}?_HLS_msn=${N + 2}&_HLS_part=0`,
      agent: false,
    });
    client.on('error', () => undefined);
    client.end();
    await until(() => held() === 1);
    client.destroy();
    await until(() => held() === 0);
  });

  it('[B22] turns the waiter beyond the cap away, and nobody else', async () => {
    await stop();
    await start({ maxHeldRequests: 1 });
    await live(N + 2);
    const first = get(`${PLAYLIST}?_HLS_msn=${N + 2}&_HLS_part=0`);
    await until(() => held() === 1);
    expect((await get(`${PLAYLIST}?_HLS_msn=${N + 2}&_HLS_part=0`)).status).toBe(503);
    expect((await get(PLAYLIST)).status).toBe(200);
    nowMs += 6000;
    expect((await first).status).toBe(503);
  });

  it.each([
    ['_HLS_msn=-1', 400],
    ['_HLS_part=1', 400],
    ['_HLS_msn=1&_HLS_msn=2', 400],
    [`_HLS_msn=${N + 5}`, 400],
    [`_HLS_msn=${N + 2}&_HLS_part=500`, 400],
    [`_HLS_msn=${N - 100}`, 200],
    [`_HLS_msn=${N + 1}&_HLS_part=500`, 200],
    ['_HLS_skip=maybe&_HLS_foo=1', 200],
  ])('answers %s at once with %i', async (query, status) => {
    await live(N + 2.25);
    expect((await get(`${PLAYLIST}?${query}`)).status).toBe(status);
  });
});

describe('media', () => {
  it('[H10 C3 B16] parts concatenated are the segment, whole or by ranges', async () => {
    await live(N + 2);
    for (const track of ['v180', 'a128']) {
      const segment = await get(`/live/demo/${track}/${N}.m4s`);
      const parts = await Promise.all(
        [0, 1, 2, 3].map((part) => get(`/live/demo/${track}/${N}.${part}.m4s`)),
      );
      expect(Buffer.concat(parts.map(({ body }) => body))).toEqual(segment.body);
      expect(segment.headers).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': track === 'v180' ? 'video/mp4' : 'audio/mp4',
        'content-length': String(segment.body.length),
        'accept-ranges': 'bytes',
      });
      const range = await get(`/live/demo/${track}/${N}.m4s`, {
        headers: { Range: 'bytes=30-399' },
      });
      expect(range.status).toBe(206);
      expect(range.headers['content-range']).toBe(`bytes 30-399/${segment.body.length}`);
      expect(range.body).toEqual(segment.body.subarray(30, 400));
      const head = await get(`/live/demo/${track}/${N}.m4s`, {
        method: 'HEAD',
        headers: { Range: 'bytes=30-399' },
      });
      // Ranges are defined for GET alone (RFC 9110 §14.2).
      expect([head.status, head.headers['content-length']]).toEqual([
        200,
        String(segment.body.length),
      ]);
      const beyond = await get(`/live/demo/${track}/${N}.m4s`, {
        headers: { Range: 'bytes=999999999-' },
      });
      expect(beyond.headers['content-range']).toBe(`bytes */${segment.body.length}`);
      expect(beyond.status).toBe(416);
    }
    const [, uri] = /EXT-X-MAP:URI="([^"]+)"/.exec(text(await get(PLAYLIST))) ?? [];
    const init = await get(`/live/demo/v180/${uri}`);
    expect(init.body).toEqual(Buffer.from(VIDEO_HEADER));
    expect(init.headers['cache-control']).toContain('immutable');
  });

  it('[R13] holds the hinted part until it is whole', async () => {
    const { v } = await live(N + 2.25);
    const hinted = get(`/live/demo/v180/${N + 2}.1.m4s`);
    await until(() => held() === 1);
    expect((await get(`/live/demo/v180/${N + 2}.2.m4s`)).status).toBe(404);
    await v.send(video(N + 2.25, N + 2.4));
    expect(held()).toBe(1);
    await v.send(video(N + 2.4, N + 2.5));
    const answer = await hinted;
    expect(answer.body).toEqual((await get(`/live/demo/v180/${N + 2}.1.m4s`)).body);
  });

  it('[R13 H19] answers 404 for a hinted part that is lost', async () => {
    const { v, a } = await live(N + 2.25);
    const hinted = get(`/live/demo/v180/${N + 2}.1.m4s`);
    await until(() => held() === 1);
    await v.send(video(N + 3, N + 3.25));
    // No list tells of the hole before all tracks are past it.
    await a.send(audio(N + 3, N + 3.25));
    expect((await hinted).status).toBe(404);
  });

  it('[M18] streams a growing segment chunk by chunk, the next one from its first byte', async () => {
    const { v } = await live(N + 2.25);
    const growing = stream(`/live/demo/v180/${N + 2}.m4s`);
    const next = stream(`/live/demo/v180/${N + 3}.m4s`);
    await growing.headers;
    await next.headers;
    await until(() => growing.bytes().length > 0);
    const before = growing.bytes().length;
    await v.send(video(N + 2.25, N + 2.3));
    await until(() => growing.bytes().length > before);
    expect(next.bytes()).toHaveLength(0);
    await v.send(video(N + 2.3, N + 3));
    await growing.end;
    expect(growing.bytes()).toEqual((await get(`/live/demo/v180/${N + 2}.m4s`)).body);
    await v.send(video(N + 3, N + 3.05));
    await until(() => next.bytes().length > 0);
    expect((await get(`/live/demo/v180/${N + 5}.m4s`)).status).toBe(404);
  });

  it('[T11] breaks off a growing segment that stops growing, rather than end it', async () => {
    await live(N + 2.25);
    const growing = stream(`/live/demo/v180/${N + 2}.m4s`);
    await until(() => growing.bytes().length > 0);
    nowMs += 6000;
    await expect(growing.end).rejects.toThrow();
  });

  it('turns away a reader of a growing segment beyond the cap, before its headers', async () => {
    await stop();
    await start({ maxHeldRequests: 1 });
    await live(N + 2.25);
    const first = stream(`/live/demo/v180/${N + 2}.m4s`);
    await first.headers;
    const second = await get(`/live/demo/v180/${N + 3}.m4s`);
    expect([second.status, second.headers['retry-after']]).toEqual([503, '1']);
  });

  it('drops a reader that does not read', async () => {
    await stop();
    await start({ maxReaderBacklogBytes: 65_536 });
    const { v } = await live(N + 2);
    const client = httpRequest({
      host: HOST,
      port,
      path: `/live/demo/v180/${N + 2}.m4s`,
      agent: false,
    });
    const closed = new Promise((resolve) => {
      client.on('response', (res) => {
        res.pause();
        res.on('error', () => undefined);
      });
      client.on('error', () => undefined);
      client.on('close', resolve);
    });
    client.end();
    await until(() => held() === 1);
    const big = video(N + 2, N + 3).map((one) => ({ ...one, data: new Uint8Array(1_000_000) }));
    for (const sample of big.slice(0, 30)) {
      await v.send([sample]);
    }
    await until(() => held() === 0);
    client.destroy();
    await closed;
  });
});

describe('everything else', () => {
  it('[M06] gives the time of the broadcast', async () => {
    nowMs = Date.UTC(2026, 10, 20, 19, 0, 0, 123);
    const answer = await get('/time?anything');
    expect(text(answer)).toBe('2026-11-20T19:00:00.123Z');
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
    });
  });

  it.each(['POST', 'PUT', 'DELETE', 'TRACE', 'PATCH'])('refuses %s with 405', async (method) => {
    const answer = await get('/live/demo/main.m3u8', { method });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD, OPTIONS']);
  });

  it('answers a preflight', async () => {
    const answer = await get('/live/demo/v180/1.m4s', { method: 'OPTIONS' });
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-headers']).toContain('CMCD-Request');
    expect(answer.headers['access-control-max-age']).toBe('86400');
  });

  it.each([
    ['/live/../../etc/passwd', 404],
    ['/live/%2e%2e%2f%2e%2e%2fetc/passwd', 404],
    ['/live/demo/..%5c', 404],
    ['/live/demo/%00', 404],
    ['/live/demo/%zz', 404],
    ['/live/other/main.m3u8', 404],
    ['/live/demo/v999/media.m3u8?_HLS_msn=1', 404],
    [`/live/demo/v180/${N + 1000}.m4s`, 404],
    ['/live/demo/v180/1.m4s', 404],
    ['/live/demo/v180/999999999999999.999.m4s', 404],
    [`/live/demo/main.m3u8?${'x'.repeat(8000)}`, 414],
    ['/elsewhere', 418],
  ])('answers %s with %i', async (path, status) => {
    await live(N + 2);
    const answer = await get(path);
    expect(answer.status).toBe(status);
    expect(text(answer)).not.toContain('/');
  });

  it('reports what it holds each second', async () => {
    await live(N + 2);
    await until(() => reports.some(({ lastMsn }) => lastMsn === N + 1));
    expect(reports.at(-1)).toMatchObject({
      lastMsn: N + 1,
      tracks: [
        { name: 'v180', kind: 'video', codec: 'avc1.42C00D', width: 320, height: 180, fps: 30 },
        { name: 'a128', kind: 'audio', codec: 'mp4a.40.2', bitrateBps: 128_000 },
      ],
    });
  });
});

function stream(path: string): {
  headers: Promise<void>;
  end: Promise<void>;
  bytes: () => Buffer;
} {
  const slices: Buffer[] = [];
  let onHeaders = (): void => undefined;
  const headers = new Promise<void>((resolve) => (onHeaders = resolve));
  const end = new Promise<void>((resolve, reject) => {
    const client = httpRequest({ host: HOST, port, path, agent: false }, (res) => {
      onHeaders();
      res.on('data', (slice: Buffer) => slices.push(slice));
      res.on('end', resolve);
      res.on('error', reject);
    });
    clients.add(client);
    client.on('error', reject);
    client.end();
  });
  end.catch(() => undefined);
  return { headers, end, bytes: () => Buffer.concat(slices) };
}
