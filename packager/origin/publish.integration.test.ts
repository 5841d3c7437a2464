/** The publishing interface behind a real server: what hostile publishers send, and what others lose. */
import { type ClientRequest, createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { ticks, unixMs } from '../../infra/kernel/time.ts';
import { PUBLISH_BEAT_MS } from '../../infra/kernel/wire.ts';
import { AUDIO_HEADER, fragmentsOf, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { chunk, concatBytes, type Sample } from '../cmaf/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import { LostPublishers } from './lostPublishers.ts';
import { createPublishHandler } from './publishHandler.ts';
import type { Publisher } from './publisher.ts';

const TOKEN = 'internal-token';
const HOST = '127.0.0.1';
let nowMs: number;
let live: LiveBroadcast;
let lost: LostPublishers;
let server: Server;
let clients: Set<ClientRequest>;

type Answer = { readonly status: number; readonly body: { error?: string; message?: string } };
type Put = { readonly write: (bytes: Uint8Array) => void; readonly answer: Promise<Answer> };

beforeEach(async () => {
  nowMs = (N + 1) * 2000;
  clients = new Set();
  lost = new LostPublishers();
  live = new LiveBroadcast(BROADCAST, { windowSegments: 30, ringSegments: 45 }, () => undefined);
  const handle = createPublishHandler({
    logger: silentLogger,
    clock: { nowMs: () => unixMs(nowMs) },
    internalToken: new Secret(TOKEN),
    refusals: noMetrics.counter('refusals', '', ['reason']),
    maxBoxBytes: 65_536,
    open: (id, track) =>
      id === 'demo' && ['v180', 'a128'].includes(track)
        ? Promise.resolve(live)
        : Promise.reject(new GatewayError('not_found', 'nobody wants it')),
    onConnection: () => undefined,
    lost,
  });
  server = createServer((request, response) => {
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
});

afterEach(async () => {
  clients.forEach((client) => client.destroy());
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function put(path: string, options: { method?: string; authorization?: string } = {}): Put {
  const { method = 'PUT', authorization = `Bearer ${TOKEN}` } = options;
  const client = httpRequest({
    ...{ host: HOST, port: (server.address() as AddressInfo).port, path, method, agent: false },
    headers: { Authorization: authorization, 'Transfer-Encoding': 'chunked' },
  });
  clients.add(client);
  const answer = new Promise<Answer>((resolve, reject) => {
    client.on('error', reject);
    client.on('response', (response) => {
      const slices: Buffer[] = [];
      response.on('data', (slice: Buffer) => slices.push(slice));
      response.on('end', () => {
        const body = JSON.parse(Buffer.concat(slices).toString()) as Answer['body'];
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
  });
  // Who is cut off at the end of a test is not waited for.
  answer.catch(() => undefined);
  return {
    write: (bytes) => {
      client.write(bytes);
    },
    answer,
  };
}

async function send(path: string, bytes: Uint8Array, authorization?: string): Promise<Answer> {
  const { write, answer } = put(path, authorization === undefined ? {} : { authorization });
  write(bytes);
  clients.forEach((client) => client.end());
  return await answer;
}

/** One fragment with `edit` done to its bytes; `at` finds a box by its name. */
function forged(
  samples: readonly Sample[],
  edit: (bytes: Buffer, at: (fourcc: string) => number) => void,
): Uint8Array {
  const bytes = Buffer.from(chunk(samples, { trackId: 1, sequenceNumber: 1 }));
  edit(bytes, (fourcc) => bytes.indexOf(fourcc, 0, 'latin1'));
  return bytes;
}

const moofOf = (bytes: Uint8Array): Uint8Array =>
  bytes.subarray(0, Buffer.from(bytes).readUInt32BE(0));
const at = (dts: number, more: Partial<Sample> = {}): Sample => ({
  ...video(N, N + 0.1)[0]!,
  dts: ticks(dts),
  ...more,
});
const START = N * 180_000;
const OTHER_HEADER = VIDEO_HEADER.map((byte, index) => (index === 15 ? 1 : byte));
const [FIRST, SECOND] = fragmentsOf(video(N, N + 0.1));

const HOSTILE: readonly (readonly [string, readonly Uint8Array[], number, RegExp])[] = [
  ['a moof without its mdat', [VIDEO_HEADER, moofOf(FIRST!), FIRST!], 422, /between moof and mdat/],
  [
    'an mdat without moof',
    [VIDEO_HEADER, FIRST!.subarray(moofOf(FIRST!).length)],
    422,
    /mdat without moof/,
  ],
  [
    'a box of size 0',
    [VIDEO_HEADER, Uint8Array.of(0, 0, 0, 0, 109, 111, 111, 102)],
    422,
    /says 0 bytes/,
  ],
  [
    'a box of size 0xFFFFFFFF',
    [VIDEO_HEADER, Uint8Array.of(255, 255, 255, 255, 109, 111, 111, 102)],
    422,
    /says 4294967295 bytes/,
  ],
  ['media before its header', [FIRST!], 422, /before its header/],
  ['audio in a video track', [AUDIO_HEADER], 422, /audio in track v180/],
  [
    'another header inside a publish',
    [VIDEO_HEADER, FIRST!, OTHER_HEADER],
    409,
    /header changed inside/,
  ],
  ['decode times that go back', [VIDEO_HEADER, FIRST!, FIRST!], 422, /does not grow/],
  [
    'decode times hours ahead',
    [VIDEO_HEADER, ...fragmentsOf([at(START + 7200 * 90_000)])],
    422,
    /7198 s from the broadcast clock/,
  ],
  [
    'decode times since zero',
    [VIDEO_HEADER, ...fragmentsOf([at(0)])],
    422,
    /s from the broadcast clock/,
  ],
  [
    'a sample without duration',
    [VIDEO_HEADER, forged([at(START)], (bytes, find) => bytes.writeUInt32BE(0, find('tfhd') + 12))],
    422,
    /has no duration/,
  ],
  [
    'a picture shown before its segment',
    [VIDEO_HEADER, ...fragmentsOf([at(START, { compositionOffset: -3000 })])],
    422,
    /outside its segment/,
  ],
  [
    'a data offset outside its mdat',
    [
      VIDEO_HEADER,
      forged([at(START)], (bytes, find) => bytes.writeInt32BE(0x7fff_ffff, find('trun') + 12)),
    ],
    422,
    /misses the mdat/,
  ],
  [
    'a count of samples that nobody sends',
    [
      VIDEO_HEADER,
      forged([at(START)], (bytes, find) => bytes.writeUInt32BE(0xffff_ffff, find('trun') + 8)),
    ],
    422,
    /trun of 4294967295 samples/,
  ],
  [
    'a flood of samples',
    [VIDEO_HEADER, ...fragmentsOf([at(START), at(START + 1)])],
    422,
    /past the frame grid|apart/,
  ],
  [
    'another frame rate',
    [VIDEO_HEADER, ...fragmentsOf(Array.from({ length: 12 }, (_, i) => at(START + i * 6000)))],
    422,
    /66\.7 ms apart, not 33\.3 ms/,
  ],
  [
    'pictures off the frame grid',
    [VIDEO_HEADER, ...fragmentsOf([at(START + 30_717)])],
    422,
    /341\.3 ms past the grid instant/,
  ],
];

function streams(): { sisters: (from: number, to: number) => void; parts: () => number } {
  const join = (name: string, header: Uint8Array): Publisher =>
    live.addPublisher(name, { slot: 0, epoch: { timestamp: 1, attempt: 1 } }, header);
  const v = join('v180', VIDEO_HEADER);
  const a = join('a128', AUDIO_HEADER);
  return {
    sisters(from, to) {
      live.publish('v180', v, video(from, to));
      live.publish('a128', a, audio(from, to));
    },
    parts: () =>
      (live.presentation()?.windows ?? []).reduce(
        (sum, { segments, open }) =>
          sum + [...segments, open].reduce((parts, one) => parts + (one?.parts.length ?? 0), 0),
        0,
      ),
  };
}

describe('a hostile publisher', () => {
  it.each(HOSTILE)(
    '[B28] that sends %s is refused, and nobody else loses anything',
    async (_name, slices, status, message) => {
      const { sisters, parts } = streams();
      sisters(N - 2, N + 0.25);
      const before = parts();
      // The same slot and a higher epoch: it would take over with its first good segment.
      const answer = await send('/publish/demo/v180?slot=0&epoch=2.1', concatBytes(slices));
      expect(answer.status).toBe(status);
      expect(answer.body.message).toMatch(message);
      expect(parts()).toBe(before);
      sisters(N + 0.25, N + 2);
      expect(parts()).toBeGreaterThan(before);
      const segments = ['v180', 'a128'].flatMap((name) => live.track(name)!.ring.segments);
      expect(segments.flatMap((one) => one.parts).every(({ isGap }) => !isGap)).toBe(true);
    },
  );

  it('[B28] that trickles a fragment is refused after 10 s', async () => {
    const { write, answer } = put('/publish/demo/v180');
    write(concatBytes([VIDEO_HEADER, FIRST!, FIRST!.subarray(0, 20)]));
    await expect.poll(() => live.track('v180')?.frontier).toBe(START + 3000);
    nowMs += 1;
    write(FIRST!.subarray(20, 21));
    const drip = setInterval(() => {
      nowMs += 2000;
      write(FIRST!.subarray(21, 22));
    }, 5);
    const { status, body } = await answer;
    clearInterval(drip);
    expect([status, body.message]).toEqual([422, 'a fragment takes more than 10000 ms']);
  });

  it('that has no media says so for as long as it likes; one that says nothing is lost', async () => {
    const { write } = put('/publish/demo/v180?slot=0&epoch=2.1');
    write(concatBytes([VIDEO_HEADER, FIRST!]));
    await expect.poll(() => live.track('v180')?.frontier).toBe(START + 3000);
    const heard = vi.spyOn(lost, 'heard');
    for (let beats = 1; beats <= 22; beats += 1) {
      nowMs += PUBLISH_BEAT_MS;
      expect(lost.due(nowMs)).toEqual([]);
      write(Uint8Array.of(0, 0, 0, 8, 102, 114, 101, 101));
      await expect.poll(() => heard.mock.calls.length, { interval: 5 }).toBe(beats);
    }
    write(SECOND!);
    await expect.poll(() => live.track('v180')?.frontier).toBe(START + 6000);
    const fromMs = nowMs;
    while (lost.due(nowMs).length === 0) {
      nowMs += 100;
    }
    expect(nowMs - fromMs).toBe(3 * PUBLISH_BEAT_MS);
  });

  it('[B28] whose IDRs are not on the grid is told by how much', async () => {
    const samples = video(N + 0.5, N + 1.25).map((sample) => ({
      ...sample,
      isSync: sample.dts === START + 90_000,
    }));
    const answer = await send(
      '/publish/demo/v180',
      concatBytes([VIDEO_HEADER, ...fragmentsOf(samples)]),
    );
    expect(answer.status).toBe(422);
    expect(answer.body.message).toMatch(/sync sample is 1000\.0 ms past the grid instant/);
    expect(live.track('v180')?.ring.segments).toEqual([]);
  });

  it('with two epochs at once: the higher takes over at a boundary, the lower gets 409', async () => {
    const old = put('/publish/demo/v180?slot=0&epoch=1.1');
    old.write(concatBytes([VIDEO_HEADER, ...fragmentsOf(video(N, N + 1))]));
    await expect.poll(() => live.track('v180')?.frontierMsn).toBe(N + 1);
    const young = put('/publish/demo/v180?slot=0&epoch=1.2');
    young.write(concatBytes([VIDEO_HEADER, ...fragmentsOf(video(N + 1, N + 1.5))]));
    await expect.poll(() => live.track('v180')?.followed?.epoch.attempt).toBe(2);
    old.write(concatBytes(fragmentsOf(video(N + 1, N + 1.1))));
    expect(await old.answer).toMatchObject({ status: 409, body: { error: 'fenced' } });
    expect((await send('/publish/demo/v180?slot=0&epoch=1.1', VIDEO_HEADER)).status).toBe(409);
  });

  it('after the end of the broadcast gets 409', async () => {
    live.end();
    const answer = await send('/publish/demo/v180', VIDEO_HEADER);
    expect(answer).toMatchObject({ status: 409, body: { message: 'the broadcast has ended' } });
  });
});

describe('a publisher', () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

  it.each([
    ['/publish/demo/v180'],
    ['/publish/demo/v180.cmfv'],
    ['/publish/demo/v180.m4s?slot=0'],
    ['/publish/demo/Streams(v180.cmfv)'],
    ['/publish/demo/Streams%28v180%29'],
    ['/publish/demo/v180?slot=1&epoch=5.1'],
  ])('may use %s, and fragments of many samples', async (path) => {
    const bytes = concatBytes([
      VIDEO_HEADER,
      chunk(video(N, N + 1), { trackId: 1, sequenceNumber: 1 }),
      chunk(video(N + 1, N + 1.5), { trackId: 1, sequenceNumber: 2 }),
    ]);
    expect((await send(path, bytes)).status).toBe(200);
    expect(live.track('v180')?.ring.segments.map(({ parts }) => parts.length)).toEqual([4, 2]);
  });

  it.each([
    ['no token', 'Bearer nonsense', 401],
    ['a wrong password', basic('ffmpeg:nonsense'), 401],
    ['a password', basic(`ffmpeg:${TOKEN}`), 200],
    ['a token', `Bearer ${TOKEN}`, 200],
  ])('with %s is answered', async (_name, authorization, status) => {
    expect((await send('/publish/demo/v180', VIDEO_HEADER, authorization)).status).toBe(status);
  });

  it.each([
    ['/publish/demo/v180/more'],
    ['/publish/demo/%2e%2e'],
    ['/publish/demo/v180?slot=2'],
    ['/publish/demo/v180?epoch=new'],
    ['/publish/other/v180'],
    ['/publish/demo/v999'],
  ])('on %s is answered 404', async (path) => {
    expect((await send(path, VIDEO_HEADER)).status).toBe(404);
  });

  it('without an epoch is followed by its connection time: the newest wins', async () => {
    const first = put('/publish/demo/v180');
    first.write(concatBytes([VIDEO_HEADER, ...fragmentsOf(video(N, N + 1))]));
    await expect.poll(() => live.track('v180')?.frontierMsn).toBe(N + 1);
    nowMs += 500;
    const second = put('/publish/demo/v180', { method: 'POST' });
    second.write(concatBytes([VIDEO_HEADER, ...fragmentsOf(video(N + 1, N + 1.5))]));
    await expect.poll(() => live.track('v180')?.frontier).toBe(START + 270_000);
    first.write(concatBytes(fragmentsOf(video(N + 1, N + 1.1))));
    expect((await first.answer).status).toBe(409);
  });
});
