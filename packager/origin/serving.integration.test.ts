/**
 * Serving over real connections, HTTP/1.1 and HTTP/2, of a broadcast that the test fills byte by
 * byte: directives, holds, growing segments, the archive, recordings, and clients that misbehave.
 */
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  createServer as createHttp2Server,
  type Http2Server,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ticks } from '../../infra/kernel/time.ts';
import { concatBytes } from '../cmaf/index.ts';
import { FIRST_MSN as N } from './fixtures.ts';
import { Renderings } from './renderings.ts';
import { filled, HandBroadcast } from './servingFixtures.ts';
import type { ServedArchive } from './show.ts';
import type { SegmentRecord } from './storage.ts';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
};

const HOST = '127.0.0.1';
const LIST = '/live/demo/v180/media.m3u8';
let live: HandBroadcast;
let server: Server;
let h2: Http2Server;
let session: ClientHttp2Session;
const sockets = new Set<Socket>();

beforeEach(async () => {
  await start();
});

afterEach(async () => {
  await stop();
});

async function start(options: ConstructorParameters<typeof HandBroadcast>[0] = {}): Promise<void> {
  live = new HandBroadcast(options);
  live.nowMs = (N + 8) * 2000;
  live.fill(N, N + 8);
  server = createServer((request, response) => {
    if (!live.handle(request, response)) {
      response.writeHead(418).end();
    }
  });
  h2 = createHttp2Server((request, response) => {
    if (!live.handle(request, response)) {
      response.writeHead(418).end();
    }
  });
  for (const one of [server, h2]) {
    one.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => one.listen(0, HOST, resolve));
  }
  session = connectHttp2(`http://${HOST}:${portOf(h2)}`);
  session.on('error', () => undefined);
}

async function stop(): Promise<void> {
  live.room.clear();
  session.destroy();
  sockets.forEach((socket) => socket.destroy());
  await Promise.all([server, h2].map((one) => new Promise((resolve) => one.close(resolve))));
}

function portOf(one: Server | Http2Server): number {
  return (one.address() as AddressInfo).port;
}

type Options = { method?: string; headers?: Record<string, string> };

function get(path: string, options: Options = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const port = portOf(server);
    const client = httpRequest({ host: HOST, port, path, agent: false, ...options }, (res) => {
      collect(res).then(resolve, reject);
    });
    client.on('error', reject);
    client.end();
  });
}

function collect(res: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const slices: Buffer[] = [];
    res.on('data', (slice: Buffer) => slices.push(slice));
    res.on('error', reject);
    res.on('end', () => {
      resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(slices) });
    });
  });
}

/** The same over HTTP/2; `response` resolves with the headers, before the body. */
function get2(path: string, options: Options = {}) {
  const { method = 'GET', headers = {} } = options;
  const stream = session.request({ ':path': path, ':method': method, ...headers });
  const slices: Buffer[] = [];
  const response = new Promise<Record<string, unknown>>((resolve) => {
    stream.on('response', resolve);
  });
  const end = new Promise<void>((resolve, reject) => {
    stream.on('data', (slice: Buffer) => slices.push(slice));
    stream.on('error', reject);
    stream.on('end', resolve);
  });
  end.catch(() => undefined);
  return { stream, response, end, bytes: () => Buffer.concat(slices) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A request that is never answered in full: its client may go away. */
function open(path: string): { socket: Socket; received: () => string } {
  const socket = connectTcp(portOf(server), HOST);
  let text = '';
  socket.on('data', (slice) => (text += slice.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return { socket, received: () => text };
}

const text = ({ body }: Answer): string => body.toString();

/** Id and start of the Period of an MPD, first number and presentation time of its video. */
function periodOf(mpd: string): (string | undefined)[] {
  return [
    ...(/<Period id="([^"]*)" start="([^"]*)"/.exec(mpd)?.slice(1) ?? []),
    /startNumber="(\d+)"/.exec(mpd)?.[1],
    / presentationTimeOffset="(\d+)"/.exec(mpd)?.[1],
  ];
}

describe('delivery directives', () => {
  it('[R01] hold a whole segment until its last part', async () => {
    live.part(N + 8);
    const asked = get(`${LIST}?_HLS_msn=${N + 8}`);
    await until(() => live.room.size === 1);
    live.part(N + 8);
    live.part(N + 8);
    expect(live.room.size).toBe(1);
    live.part(N + 8);
    expect(text(await asked)).toContain(`\n${N + 8}.m4s\n`);
  });

  it('[R02 R14 T03] hold a part and give all who asked for it the same, however they asked', async () => {
    const queries = [
      `_HLS_msn=${N + 8}&_HLS_part=0`,
      `_HLS_part=0&_HLS_msn=${N + 8}`,
      `CMCD=x&_HLS_msn=${N + 8}&_HLS_foo=1&_HLS_part=0&_HLS_skip=maybe`,
    ];
    const asked = Array.from({ length: 30 }, (_, i) => get(`${LIST}?${queries[i % 3] ?? ''}`));
    await until(() => live.room.size === 30);
    live.part(N + 8);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(text)).size).toBe(1);
    expect(new Set(answers.map(({ headers }) => headers['etag'])).size).toBe(1);
    expect(text(answers[0]!)).toContain(`URI="${N + 8}.0.m4s"`);
    expect(answers[0]!.headers['cache-control']).toBe('public, max-age=6');
    // Who asks for the same later may get more, and never less.
    const reached = (list: string): number => {
      const [, msn, part] = /PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d)/.exec(list) ?? [];
      return (Number(msn) - N) * 4 + Number(part);
    };
    const steps = [reached(text(answers[0]!))];
    for (const msn of [N + 8, N + 8, N + 8, N + 9]) {
      live.part(msn);
      const later = text(await get(`${LIST}?${queries[0] ?? ''}`));
      expect(later).toContain(`URI="${N + 8}.0.m4s"`);
      steps.push(reached(later));
    }
    expect(steps).toEqual([33, 34, 35, 36, 37]);
  });

  it('[R03 R04 B06] take a part past the end for part 0 of the next, and answer the past at once', async () => {
    const asked = get(`${LIST}?_HLS_msn=${N + 7}&_HLS_part=400`);
    await until(() => live.room.size === 1);
    live.part(N + 8);
    expect((await asked).status).toBe(200);
    const old = await get(`${LIST}?_HLS_msn=3&_HLS_part=9`);
    expect([old.status, text(old)]).toEqual([200, text(await get(LIST))]);
  });

  it.each([
    ['R06 B05', `_HLS_msn=${N + 10}`],
    ['R06 B05', `_HLS_msn=${N + 8}&_HLS_part=10`],
    ['R05 B04', '_HLS_part=0'],
    ['R05 B04', '_HLS_part=-1'],
    ['R15 B03', '_HLS_msn=-1'],
    ['R15 B03', '_HLS_msn=abc'],
    ['R15 B03', '_HLS_msn=1e9'],
    ['R15 B03', '_HLS_msn=1.5'],
    ['R15 B03', '_HLS_msn='],
    ['R15 B03', '_HLS_msn=0x10'],
    ['R15 B03', '_HLS_msn=9007199254740992'],
    ['R15 B03', `_HLS_msn=${'9'.repeat(30)}`],
    ['R06 B03', `_HLS_msn=${'9'.repeat(15)}`],
    ['R15 B03', '_HLS_msn=%D9%A3'],
    ['R15 B07', '_HLS_msn=1&_HLS_msn=999'],
  ])('[%s T04] refuse %s with 400 at once', async (_ids, query) => {
    const answer = await get(`${LIST}?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.headers).toMatchObject({
      'cache-control': 'public, max-age=1',
      'content-type': 'text/plain; charset=utf-8',
      'access-control-allow-origin': '*',
    });
    expect(live.room.size).toBe(0);
  });

  it('[R07 T05 B26] give up after three target durations, and not before', async () => {
    const asked = get(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`);
    await until(() => live.room.size === 1);
    live.nowMs += 5999;
    live.room.sweep(live.nowMs as never);
    expect(live.room.size).toBe(1);
    live.nowMs += 1;
    live.room.sweep(live.nowMs as never);
    const answer = await asked;
    expect([answer.status, answer.headers['retry-after'], answer.headers['cache-control']]).toEqual(
      [503, '1', 'public, max-age=1'],
    );
  });

  it('[R08 U06] mean nothing behind ENDLIST; who waits is released with it', async () => {
    live.part(N + 8);
    const list = get(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=1`);
    const part = get(`/live/demo/v180/${N + 8}.1.m4s`);
    await until(() => live.room.size === 2);
    live.end();
    const ended = await list;
    expect(text(ended)).toContain('#EXT-X-ENDLIST');
    expect(text(ended)).not.toContain('PRELOAD-HINT');
    expect((await part).status).toBe(404);
    for (const query of [
      '_HLS_msn=999999999999',
      '_HLS_part=1',
      '_HLS_msn=abc&_HLS_skip=YES',
      '_HLS_skip=v2',
    ]) {
      const answer = await get(`${LIST}?${query}`);
      expect([answer.status, text(answer)]).toEqual([200, text(ended)]);
      expect(answer.headers['cache-control']).toBe('public, max-age=6');
    }
    expect((await get(`/live/demo/v180/${N + 8}.m4s`)).status).toBe(404);
    expect((await get(`/live/demo/v180/${N + 7}.m4s`)).status).toBe(200);
  });

  it('[R09 R11 R12] answer a delta, and the whole where there is nothing to skip', async () => {
    const plain = text(await get(LIST));
    const delta = text(await get(`${LIST}?_HLS_skip=YES`));
    expect(/#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)/.exec(delta)?.[1]).toBe('2');
    expect(delta.length).toBeLessThan(plain.length);
    for (const tag of ['TARGETDURATION', 'SERVER-CONTROL', 'PART-INF', 'MEDIA-SEQUENCE']) {
      expect(delta).toContain(`#EXT-X-${tag}:`);
    }
    live.forgetBefore(N + 2);
    expect(text(await get(`${LIST}?_HLS_skip=YES`))).toBe(text(await get(LIST)));
  });

  it('[R09 R10 B08] keep deltas and whole lists apart, also among those who wait', async () => {
    const at = `_HLS_msn=${N + 8}&_HLS_part=0`;
    const asked = ['', '&_HLS_skip=YES', '&_HLS_skip=v2', '&_HLS_skip=maybe'].map((skip) =>
      get(`${LIST}?${at}${skip}`),
    );
    await until(() => live.room.size === 4);
    live.part(N + 8);
    const [whole, yes, v2, maybe] = (await Promise.all(asked)).map(text);
    expect(whole).not.toContain('EXT-X-SKIP');
    expect(yes).toContain('EXT-X-SKIP');
    expect(v2).toContain('EXT-X-SKIP');
    expect(maybe).toBe(whole);
  });

  it('[R13 H13] hold the hinted part and send it whole; the one after it is 404', async () => {
    const hinted = get(`/live/demo/v180/${N + 8}.0.m4s`);
    await until(() => live.room.size === 1);
    expect((await get(`/live/demo/v180/${N + 8}.1.m4s`)).status).toBe(404);
    live.chunk(N + 8);
    expect(live.room.size).toBe(1);
    live.part(N + 8);
    const part = await hinted;
    expect(part.body).toHaveLength(200);
    expect(part.headers['content-length']).toBe('200');
    const next = get(`/live/demo/v180/${N + 8}.1.m4s`);
    await until(() => live.room.size === 1);
    live.gap(N + 9);
    expect((await next).status).toBe(404);
  });
});

describe('views and kinds', () => {
  it.each([
    ['/live/demo/main.m3u8', 'application/vnd.apple.mpegurl', 'public, max-age=1'],
    ['/live/demo/dvr.m3u8', 'application/vnd.apple.mpegurl', 'public, max-age=1'],
    [LIST, 'application/vnd.apple.mpegurl', 'public, max-age=1'],
    ['/live/demo/v180/dvr.m3u8', 'application/vnd.apple.mpegurl', 'public, max-age=1'],
    ['/live/demo/v180/iframes.m3u8', 'application/vnd.apple.mpegurl', 'public, max-age=1'],
    ['/live/demo/manifest.mpd', 'application/dash+xml', 'public, max-age=1'],
    ['/live/demo/dvr.mpd', 'application/dash+xml', 'public, max-age=1'],
  ])('[T01 T02 T09 B15 B19 B25] %s: type, lifetime, gzip, validator', async (path, type, cache) => {
    const plain = await get(path, { headers: { Range: 'bytes=0-9', 'Accept-Encoding': 'br' } });
    expect(plain.status).toBe(200);
    expect(plain.headers).toMatchObject({
      'content-type': type,
      'cache-control': cache,
      vary: 'Accept-Encoding',
      'accept-ranges': 'none',
      'content-length': String(plain.body.length),
    });
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await get(path, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body)).toEqual(plain.body);
    expect(packed.headers['etag']).not.toBe(plain.headers['etag']);
    const known = String(plain.headers['etag']);
    const same = await get(path, { headers: { 'If-None-Match': known } });
    expect([same.status, same.body.length]).toEqual([304, 0]);
    expect(same.headers['cache-control']).toBe(cache);
    expect(same.headers['vary']).toBe('Accept-Encoding');
    // A list changes several times a second, a date does not.
    const dated = await get(path, {
      headers: { 'If-Modified-Since': 'Fri, 20 Nov 2099 19:00:00 GMT' },
    });
    expect(dated.status).toBe(200);
  });

  it('[B02] has no I-frame playlist of sound', async () => {
    expect((await get('/live/demo/a128/iframes.m3u8')).status).toBe(404);
  });

  it('[B12 T02] HEAD has the headers of GET and leaves nobody waiting', async () => {
    for (const path of [LIST, '/live/demo/manifest.mpd', `/live/demo/v180/${N}.m4s`]) {
      const head = await get(path, { method: 'HEAD' });
      const whole = await get(path);
      expect(head.body).toHaveLength(0);
      expect({ ...head.headers, date: '' }).toEqual({ ...whole.headers, date: '' });
    }
    const held = [`${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`, `/live/demo/v180/${N + 8}.0.m4s`];
    const asked = held.map((path) => get(path, { method: 'HEAD' }));
    const growing = await get(`/live/demo/v180/${N + 8}.m4s`, { method: 'HEAD' });
    expect([growing.status, growing.body.length]).toEqual([200, 0]);
    await until(() => live.room.size === 2);
    live.part(N + 8);
    for (const [index, answer] of (await Promise.all(asked)).entries()) {
      expect([answer.status, answer.body.length]).toEqual([200, 0]);
      const whole = await get(held[index] ?? '');
      expect(answer.headers['content-length']).toBe(whole.headers['content-length']);
      expect(answer.headers['etag']).toBe(whole.headers['etag']);
    }
    expect(live.room.size).toBe(0);
  });

  it.each(['/live/demo/manifest.mpd', '/live/demo/dvr.mpd'])(
    '[M17 M03] %s keeps its timeline for a minute after the end; later it begins with what is listed',
    async (path) => {
      const before = text(await get(path));
      live.end();
      live.nowMs += 59_999;
      const ended = await get(path);
      expect(text(ended)).toContain('type="static" availabilityStartTime=');
      expect(periodOf(text(ended))).toEqual(periodOf(before));
      live.nowMs += 1;
      const over = await get(path);
      expect(text(over)).toContain('type="static" mediaPresentationDuration="PT16S"');
      expect(periodOf(text(over))).toEqual(['e0', 'PT0S', String(N), String(N * 180_000)]);
      for (const answer of [ended, over]) {
        expect(answer.headers['cache-control']).toBe('public, max-age=6');
        expect(text(answer)).toContain(`endNumber="${N + 7}"`);
        expect(text(answer)).toContain('media="$RepresentationID$/$Number$.m4s"');
      }
      expect(over.headers['etag']).not.toBe(ended.headers['etag']);
      // The first and the last that it names are there.
      for (const msn of [N, N + 7]) {
        expect((await get(`/live/demo/v180/${msn}.m4s`)).status).toBe(200);
      }
    },
  );

  it('[M17] an end from before a restart is no news', async () => {
    live.end();
    live.endedMs = undefined;
    const [, start, startNumber] = periodOf(text(await get('/live/demo/manifest.mpd')));
    expect([start, startNumber]).toEqual(['PT0S', String(N)]);
  });

  it('[B15] compares validators after the hold', async () => {
    const before = String((await get(LIST)).headers['etag']);
    const path = `${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`;
    const asked = get(path, { headers: { 'If-None-Match': before } });
    await until(() => live.room.size === 1);
    live.part(N + 8);
    const changed = await asked;
    expect(changed.status).toBe(200);
    const after = String(changed.headers['etag']);
    const same = await get(path, { headers: { 'If-None-Match': after } });
    expect([same.status, same.headers['cache-control']]).toEqual([304, 'public, max-age=6']);
  });
});

describe('media', () => {
  it('[H10 T06 T07] is immutable, has a validator and a date, and parts make the segment', async () => {
    const segment = await get(`/live/demo/v180/${N}.m4s`);
    const parts = await Promise.all(
      [0, 1, 2, 3].map((part) => get(`/live/demo/v180/${N}.${part}.m4s`)),
    );
    expect(Buffer.concat(parts.map(({ body }) => body))).toEqual(segment.body);
    for (const answer of [segment, ...parts]) {
      expect(answer.headers).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': 'video/mp4',
        'accept-ranges': 'bytes',
        'last-modified': new Date((N + 1) * 2000).toUTCString(),
      });
      expect(answer.headers['etag']).toMatch(/^"[\w-]{27}"$/);
    }
    const init = await get(`/live/demo/a128/init-${'b'.repeat(16)}.mp4`);
    expect([init.status, init.headers['content-type'], init.headers['cache-control']]).toEqual([
      200,
      'audio/mp4',
      'public, max-age=31536000, immutable',
    ]);
  });

  it('[B15] is 304 to its validator and to a date that is not before its own', async () => {
    const path = `/live/demo/v180/${N}.m4s`;
    const { headers } = await get(path);
    const known = [
      { 'If-None-Match': String(headers['etag']) },
      { 'If-Modified-Since': String(headers['last-modified']) },
    ];
    for (const condition of known) {
      const same = await get(path, { headers: condition });
      expect([same.status, same.body.length]).toEqual([304, 0]);
      expect(same.headers['cache-control']).toBe(headers['cache-control']);
    }
    const both = {
      'If-None-Match': '"other"',
      'If-Modified-Since': String(headers['last-modified']),
    };
    expect((await get(path, { headers: both })).status).toBe(200);
  });

  it.each([
    ['B16', 'bytes=0-99', 206, 'bytes 0-99/400', 100],
    ['B16', 'bytes=0-', 206, 'bytes 0-399/400', 400],
    ['B16', 'bytes=-10', 206, 'bytes 390-399/400', 10],
    ['B16', 'bytes=390-5000', 206, 'bytes 390-399/400', 10],
    ['B17', 'bytes=999999999-', 416, 'bytes */400', undefined],
    ['B17', 'bytes=9-1', 200, undefined, 400],
    ['B17', 'items=0-1', 200, undefined, 400],
    ['B17', 'bytes=a-b', 200, undefined, 400],
    ['B18', `bytes=${'0-1,'.repeat(1000)}0-1`, 200, undefined, 400],
    ['B18', 'bytes=0-399,0-399,100-200', 200, undefined, 400],
  ])('[%s] Range %s: %i', async (_ids, range, status, contentRange, length) => {
    const answer = await get(`/live/demo/v180/${N}.m4s`, { headers: { Range: range } });
    expect([answer.status, answer.headers['content-range']]).toEqual([status, contentRange]);
    if (length !== undefined) {
      expect(answer.body).toHaveLength(length);
    }
  });

  it('[B16] If-Range of another body gives the whole', async () => {
    const headers = { Range: 'bytes=0-9', 'If-Range': '"other"' };
    expect((await get(`/live/demo/v180/${N}.m4s`, { headers })).status).toBe(200);
  });

  it('[M18 T11 B16] a segment asked for early: headers at once, chunks as they come, a clean end', async () => {
    const headers = { Range: 'bytes=0-9' };
    const client = httpRequest({
      host: HOST,
      port: portOf(server),
      path: `/live/demo/v180/${N + 8}.m4s`,
      agent: false,
      headers,
    });
    client.end();
    const res = await new Promise<IncomingMessage>((resolve) => client.on('response', resolve));
    expect([res.statusCode, res.headers['content-length']]).toEqual([200, undefined]);
    const whole = collect(res);
    live.chunk(N + 8, 1000);
    expect(((await once(res)) as Buffer).length).toBe(1000);
    live.fill(N + 8, N + 9);
    const segment = await get(`/live/demo/v180/${N + 8}.m4s`);
    expect((await whole).body).toEqual(segment.body);
    expect(live.room.size).toBe(0);
  });

  it('[M18 B02 T08] two segments ahead, past the window and nonsense are 404 for a second', async () => {
    live.forgetBefore(N + 2);
    for (const name of [`${N + 9}.m4s`, `${N + 1}.m4s`, `${N + 1}.0.m4s`, '1.m4s']) {
      const answer = await get(`/live/demo/v180/${name}`);
      expect([answer.status, answer.headers['cache-control']]).toEqual([404, 'public, max-age=1']);
    }
  });

  it('[T11 B26] a segment that stops growing, or never comes, breaks off and does not end', async () => {
    live.chunk(N + 8);
    const stopped = open(`/live/demo/v180/${N + 8}.m4s`);
    const early = open(`/live/demo/a128/${N + 9}.m4s`);
    await until(() => live.room.size === 2);
    const closed = Promise.all(
      [stopped, early].map(({ socket }) => new Promise((resolve) => socket.on('close', resolve))),
    );
    live.nowMs += 6000;
    live.room.sweep(live.nowMs as never);
    await closed;
    expect(stopped.received()).toContain('200 OK');
    expect(stopped.received()).not.toContain('\r\n0\r\n\r\n');
    live.gap(N + 9);
    const next = open(`/live/demo/v180/${N + 10}.m4s`);
    await until(() => live.room.size === 1);
    const gone = new Promise((resolve) => next.socket.on('close', resolve));
    live.gap(N + 10);
    await gone;
    expect(live.room.size).toBe(0);
  });

  it('two hundred readers of one segment share its buffers and all get every byte', async () => {
    live.chunk(N + 8, 5000);
    const readers = Array.from({ length: 200 }, () => get(`/live/demo/v180/${N + 8}.m4s`));
    await until(() => live.room.size === 200);
    live.fill(N + 8, N + 9, 5000);
    const bodies = (await Promise.all(readers)).map(({ body }) => body.toString('base64'));
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toBe((await get(`/live/demo/v180/${N + 8}.m4s`)).body.toString('base64'));
  });
});

async function once(res: IncomingMessage): Promise<unknown> {
  return new Promise((resolve) => {
    res.once('data', resolve);
  });
}

describe('the archive', () => {
  const bytes = filled(400, 3);
  const record = (msn: number, size: number): SegmentRecord => ({
    msn,
    start: ticks(0),
    duration: ticks(180_000),
    isGap: size === 0,
    parts: [],
    era: 0,
    bytes: size,
    initUri: '',
    publisher: undefined,
  });
  const archive: ServedArchive = {
    list: () => [record(N - 2, 0), record(N - 1, 400)],
    read: (_id, _track, msn) => Promise.resolve(msn === N - 1 ? bytes : undefined),
    readHeader: (_id, _track, uri) =>
      Promise.resolve(uri === `init-${'c'.repeat(16)}.mp4` ? filled(50, 1) : undefined),
  };

  it('[U05 H12 U07] gives what has left the ring, with ranges, validators and lifetimes as before', async () => {
    await stop();
    await start({ archive });
    const path = `/live/demo/v180/${N - 1}.m4s`;
    const whole = await get(path);
    expect(whole.body).toEqual(Buffer.from(bytes));
    expect(whole.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'video/mp4',
      'last-modified': new Date(N * 2000).toUTCString(),
    });
    const part = await get(path, { headers: { Range: 'bytes=10-19' } });
    expect([part.status, part.body]).toEqual([206, Buffer.from(bytes.subarray(10, 20))]);
    const etag = String(whole.headers['etag']);
    expect((await get(path, { headers: { 'If-None-Match': etag } })).status).toBe(304);
    expect((await get(path, { method: 'HEAD' })).body).toHaveLength(0);
    expect((await get(`/live/demo/v180/init-${'c'.repeat(16)}.mp4`)).body).toHaveLength(50);
    for (const name of [`${N - 2}.m4s`, `${N - 3}.m4s`, `init-${'d'.repeat(16)}.mp4`]) {
      expect((await get(`/live/demo/v180/${name}`)).status).toBe(404);
    }
  });

  it('[U04 H10 H12] gives parts that are still listed when the ring has let go of them', async () => {
    await stop();
    const lengths = [100, 0, 120, 180];
    const parts = lengths.map((length, index) => ({
      index,
      duration: ticks(45_000),
      isIndependent: index === 0,
      isGap: length === 0,
      bytes: length,
    }));
    await start({
      archive: {
        ...archive,
        list: () => [record(N - 2, 0), { ...record(N - 1, 400), parts }],
        read: (_id, _track, _msn, range) =>
          Promise.resolve(
            bytes.slice(range?.offset, (range?.offset ?? 0) + (range?.length ?? 400)),
          ),
      },
    });
    live.end();
    const at = `/live/demo/v180/${N - 1}`;
    const answers = await Promise.all([0, 1, 2, 3, 4].map((part) => get(`${at}.${part}.m4s`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 200, 404]);
    const found = answers.filter(({ status }) => status === 200);
    expect(Buffer.concat(found.map(({ body }) => body))).toEqual((await get(`${at}.m4s`)).body);
    expect(found[0]?.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    // Of what is so old that nobody lists its parts nothing is known.
    expect((await get(`/live/demo/v180/${N - 2}.0.m4s`)).status).toBe(404);
  });

  it('[U07] a broadcast that is gone is 404, its recording stays', async () => {
    live.end();
    const presentation = { ...live.presentation()!, view: 'vod' as const };
    const renderings = new Renderings();
    await stop();
    await start({
      show: () => undefined,
      archive: { ...archive, read: () => Promise.resolve(bytes) },
      recording: () => ({ presentation, renderings }),
    });
    for (const path of ['/live/demo/main.m3u8', '/live/demo/manifest.mpd', LIST]) {
      const gone = await get(path);
      expect([gone.status, gone.headers['cache-control']]).toEqual([404, 'public, max-age=1']);
    }
    const segment = await get(`/vod/demo/20261120t190004z/v180/${N + 1}.m4s`);
    expect([segment.status, segment.body]).toEqual([200, Buffer.from(bytes)]);
  });

  it('keeps the validator of a segment when it moves from the ring to the archive', async () => {
    const kept = concatBytes(live.track('v180')?.ring.find(N)?.chunks ?? []);
    await stop();
    await start({
      archive: { ...archive, list: () => [record(N, 400)], read: () => Promise.resolve(kept) },
    });
    const before = await get(`/live/demo/v180/${N}.m4s`);
    live.forgetBefore(N + 1);
    const after = await get(`/live/demo/v180/${N}.m4s`);
    expect(after.headers['etag']).toBe(before.headers['etag']);
  });

  it('serves a recording: its lists for an hour, its media for ever, nothing that is not of it', async () => {
    live.end();
    const presentation = { ...live.presentation()!, view: 'vod' as const };
    const renderings = new Renderings();
    await stop();
    await start({
      archive: { ...archive, read: () => Promise.resolve(bytes) },
      recording: (id, recording) =>
        id === 'demo' && recording === '20261120t190004z'
          ? { presentation, renderings }
          : undefined,
    });
    const at = '/vod/demo/20261120t190004z';
    for (const file of [
      'main.m3u8',
      'manifest.mpd',
      'v180/media.m3u8',
      'v180/iframes.m3u8',
      'v180/media.m3u8?_HLS_msn=99999999999&_HLS_skip=YES',
    ]) {
      const answer = await get(`${at}/${file}`);
      expect([file, answer.status, answer.headers['cache-control']]).toEqual([
        file,
        200,
        'public, max-age=3600',
      ]);
    }
    expect(text(await get(`${at}/v180/media.m3u8`))).toContain('#EXT-X-ENDLIST');
    const segment = await get(`${at}/v180/${N + 1}.m4s`);
    expect([segment.status, segment.headers['cache-control']]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ]);
    for (const path of [
      `${at}/v180/${N + 9}.m4s`,
      `${at}/v999/media.m3u8`,
      `${at}/a128/iframes.m3u8`,
      `${at}/v180/init-${'c'.repeat(16)}.mp4`,
      '/vod/demo/20261120t190005z/main.m3u8',
      '/vod/other/20261120t190004z/main.m3u8',
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });
});

describe('clients that misbehave', () => {
  it.each([
    '/live/../../etc/passwd',
    '/live/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/live/demo/..%5c..%5cetc',
    '/live/demo/%00',
    '/live/demo//v/live',
    '/live/demo/%c0%ae%c0%ae/main.m3u8',
    '/live/%zz/main.m3u8',
    '/vod/demo/..%2f..%2fetc/main.m3u8',
    '/live/nobody/main.m3u8',
    '/live/demo/v999/media.m3u8',
    '/live/demo/v180/media.m3u9',
  ])('[B01 B02] %s is 404 and says nothing of it', async (path) => {
    const answer = await get(path);
    expect([answer.status, text(answer)]).toEqual([404, 'not found\n']);
    expect(answer.headers['cache-control']).toBe('public, max-age=1');
  });

  it('[B01] a path of another house is not answered here', async () => {
    expect((await get('//v/live')).status).toBe(418);
  });

  it('[B10] a long URL is 414, a longer head 431, and both close the connection', async () => {
    const long = await get(`${LIST}?${'x'.repeat(8192)}`);
    expect([long.status, long.headers['connection']]).toEqual([414, 'close']);
    for (const head of [
      `GET ${LIST}?${'x'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET ${LIST} HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(102_400)}\r\n\r\n`,
    ]) {
      const socket = connectTcp(portOf(server), HOST);
      let received = '';
      socket.on('data', (slice) => (received += slice.toString()));
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.write(head);
      await closed;
      expect(received).toContain('HTTP/1.1 431');
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'TRACE', 'PATCH'])('[B11] %s is 405', async (method) => {
    const answer = await get(LIST, { method });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD, OPTIONS']);
  });

  it('[B13 B14 T17] a preflight is 204 at once, also where GET would be held; every answer is open', async () => {
    const answer = await get(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`, {
      method: 'OPTIONS',
      headers: { Origin: 'https://elsewhere.example', 'Access-Control-Request-Method': 'GET' },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
      'access-control-max-age': '86400',
      allow: 'GET, HEAD, OPTIONS',
    });
    for (const name of ['CMCD-Request', 'CMCD-Object', 'CMCD-Status', 'CMCD-Session', 'Range']) {
      expect(answer.headers['access-control-allow-headers']).toContain(name);
    }
    expect(live.room.size).toBe(0);
    for (const path of [LIST, `/live/demo/v180/${N}.m4s`, '/live/demo/x', '/time']) {
      const { headers } = await get(path, { headers: { Origin: 'https://elsewhere.example' } });
      expect(headers['access-control-allow-origin']).toBe('*');
      for (const name of ['Age', 'Date', 'Content-Length', 'CMSD-Static', 'CMSD-Dynamic']) {
        expect(headers['access-control-expose-headers']).toContain(name);
      }
    }
  });

  it('[B09] junk in a query changes nothing', async () => {
    const plain = await get(LIST);
    for (const query of ['_HLS_foo=1', 'CMCD=br%3D1', '&&=&', 'a=%zz', '_HLS_skip=maybe']) {
      const answer = await get(`${LIST}?${query}`);
      expect([answer.status, text(answer)]).toEqual([200, text(plain)]);
    }
  });

  it('[B24 T14] Host and X-Forwarded reach no URL', async () => {
    const headers = {
      Host: 'evil.example',
      'X-Forwarded-Host': 'evil.example',
      Forwarded: 'host=evil',
    };
    for (const path of ['/live/demo/main.m3u8', LIST, '/live/demo/manifest.mpd']) {
      const answer = await get(path, { headers });
      expect(answer.status).toBe(200);
      expect(text(answer)).not.toContain('evil');
    }
  });

  it('[B22] beyond a cap a waiter is told to come again, and lists are still served', async () => {
    await stop();
    await start({ capacity: 3, perBroadcast: 2 });
    const path = `${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`;
    const seated = [get(path), get(path)];
    await until(() => live.room.size === 2);
    for (const surplus of [
      path,
      `/live/demo/a128/${N + 8}.0.m4s`,
      `/live/demo/v180/${N + 8}.m4s`,
    ]) {
      const answer = await get(surplus);
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    }
    expect((await get(LIST)).status).toBe(200);
    live.part(N + 8);
    expect((await Promise.all(seated)).map(({ status }) => status)).toEqual([200, 200]);
    // Their seats are free again.
    const again = get(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=1`);
    await until(() => live.room.size === 1);
    live.part(N + 8);
    expect((await again).status).toBe(200);
  });

  it('[B20] those who go are forgotten, whatever they waited for', async () => {
    const paths = [
      `${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`,
      `/live/demo/v180/${N + 8}.0.m4s`,
      `/live/demo/v180/${N + 8}.m4s`,
    ];
    const clients = Array.from({ length: 60 }, (_, index) => open(paths[index % 3] ?? ''));
    await until(() => live.room.size === 60);
    clients.forEach(({ socket }) => socket.destroy());
    await until(() => live.room.size === 0);
    live.part(N + 8);
  });

  it('[B21] a reader that takes nothing is dropped, and others get all', async () => {
    let dropped = 0;
    await stop();
    await start({ maxReaderBacklogBytes: 1_000_000, slowReaders: { add: () => (dropped += 1) } });
    live.chunk(N + 8);
    const slow = open(`/live/demo/v180/${N + 8}.m4s`);
    slow.socket.pause();
    const good = get(`/live/demo/v180/${N + 8}.m4s`);
    await until(() => live.room.size === 2);
    for (let index = 0; index < 40; index += 1) {
      live.chunk(N + 8, 500_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => dropped === 1);
    live.fill(N + 8, N + 9);
    expect((await good).body).toHaveLength(100 + 40 * 500_000 + 400);
    slow.socket.destroy();
  });

  it('[B21] a whole answer that nobody takes is let go of after half a minute', async () => {
    live.fill(N + 8, N + 9, 5_000_000);
    live.room.sweep(live.nowMs as never);
    const slow = open(`/live/demo/v180/${N + 8}.m4s`);
    slow.socket.pause();
    await until(() => live.room.drains.size === 1);
    live.room.sweep((live.nowMs + 29_999) as never);
    expect(live.room.drains.size).toBe(1);
    live.room.sweep((live.nowMs + 30_000) as never);
    live.room.sweep((live.nowMs + 60_000) as never);
    expect(live.room.drains.size).toBe(0);
    slow.socket.destroy();
  });

  it('[M06] tells the time in ms, uncached', async () => {
    live.nowMs = Date.UTC(2026, 10, 20, 19, 0, 0, 123);
    const answer = await get('/time');
    expect([text(answer), answer.headers['cache-control']]).toEqual([
      '2026-11-20T19:00:00.123Z',
      'no-store',
    ]);
  });
});

describe('HTTP/2', () => {
  it('[T12 T02] a playlist, compressed, and its 304', async () => {
    const first = get2(LIST, { headers: { 'accept-encoding': 'gzip' } });
    const headers = await first.response;
    await first.end;
    expect(headers).toMatchObject({
      ':status': 200,
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=1',
      'access-control-allow-origin': '*',
    });
    expect(headers['connection']).toBeUndefined();
    expect(gunzipSync(first.bytes()).toString()).toBe(text(await get(LIST)));
    const again = get2(LIST, { headers: { 'if-none-match': String(headers['etag']) } });
    expect((await again.response)[':status']).toBe(304);
  });

  it('[T12 R02 R14] many held on one connection, answered together', async () => {
    const asked = Array.from({ length: 50 }, () => get2(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`));
    await until(() => live.room.size === 50);
    live.part(N + 8);
    await Promise.all(asked.map(({ end }) => end));
    expect(new Set(asked.map(({ bytes }) => bytes().toString())).size).toBe(1);
    expect(live.room.size).toBe(0);
  });

  it('[T12 T11] a growing segment, chunk by chunk, to its clean end', async () => {
    const growing = get2(`/live/demo/v180/${N + 8}.m4s`);
    expect((await growing.response)[':status']).toBe(200);
    live.chunk(N + 8, 1000);
    await until(() => growing.bytes().length === 1000);
    live.fill(N + 8, N + 9, 50_000);
    await growing.end;
    expect(growing.bytes()).toEqual((await get(`/live/demo/v180/${N + 8}.m4s`)).body);
    expect(growing.stream.rstCode).toBe(0);
  });

  it('[T11] a segment that stops growing is reset with an error, other streams go on', async () => {
    live.chunk(N + 8);
    const growing = get2(`/live/demo/v180/${N + 8}.m4s`);
    await until(() => growing.bytes().length === 100);
    live.nowMs += 6000;
    live.room.sweep(live.nowMs as never);
    await expect(growing.end).rejects.toThrow();
    expect(growing.stream.rstCode).toBe(2);
    const other = get2(LIST);
    expect((await other.response)[':status']).toBe(200);
  });

  it('[B20] a client that resets its stream is forgotten', async () => {
    const asked = [
      get2(`${LIST}?_HLS_msn=${N + 8}&_HLS_part=0`),
      get2(`/live/demo/v180/${N + 8}.0.m4s`),
      get2(`/live/demo/v180/${N + 8}.m4s`),
    ];
    await until(() => live.room.size === 3);
    asked.forEach(({ stream }) => {
      stream.close(8);
    });
    await until(() => live.room.size === 0);
    live.part(N + 8);
    live.part(N + 8);
  });

  it('[B12 B16 B11 B10] HEAD, ranges, methods and bounds are those of HTTP/1.1', async () => {
    const head = get2(LIST, { method: 'HEAD' });
    const headers = await head.response;
    await head.end;
    expect([headers[':status'], head.bytes().length]).toEqual([200, 0]);
    const part = get2(`/live/demo/v180/${N}.m4s`, { headers: { range: 'bytes=0-9' } });
    expect(await part.response).toMatchObject({ ':status': 206, 'content-range': 'bytes 0-9/400' });
    expect((await get2(LIST, { method: 'POST' }).response)[':status']).toBe(405);
    expect((await get2(LIST, { method: 'OPTIONS' }).response)[':status']).toBe(204);
    expect((await get2(`${LIST}?${'x'.repeat(8192)}`).response)[':status']).toBe(414);
  });

  it('[B21] a stream whose window stays shut is let go of, its connection is not', async () => {
    live.fill(N + 8, N + 9, 500_000);
    live.room.sweep(live.nowMs as never);
    const slow = session.request({ ':path': `/live/demo/v180/${N + 8}.m4s` });
    slow.on('error', () => undefined);
    slow.pause();
    await until(() => live.room.drains.size === 1);
    const closed = new Promise((resolve) => slow.on('close', resolve));
    live.room.sweep((live.nowMs + 30_000) as never);
    live.room.sweep((live.nowMs + 60_000) as never);
    slow.resume();
    await closed;
    expect(live.room.drains.size).toBe(0);
    expect((await get2(LIST).response)[':status']).toBe(200);
  });
});
