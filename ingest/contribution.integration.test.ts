import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChild } from '../infra/kernel/childProcess.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import type { AccessUnit } from '../infra/kernel/media.ts';
import { noMetrics } from '../infra/kernel/metrics.ts';
import { unixMs } from '../infra/kernel/time.ts';
import { FEED_NEWEST_HEADER } from '../infra/kernel/wire.ts';
import { until } from '../test/support/until.ts';
import { type Contribution, createContribution } from './contribution.ts';
import { createSlates, type Slates } from './slate/slates.ts';

const EPOCH_MS = 1_795_196_400_123;
const FRAMES = 90;
const TRANSIT_MS = 60;
/**
 * The worker's input flags. Without `-fflags nobuffer` (media-facts B.2 had it): ffmpeg 5.1 then
 * throws the packets away that it probed, the join keyframe among them.
 */
const WORKER_INPUT =
  '-copyts -flags low_delay -probesize 32 -fpsprobesize 0 -analyzeduration 0 -f matroska -i pipe:0'.split(
    ' ',
  );

type Fixture = {
  readonly video: { readonly data: Uint8Array; readonly isKeyframe: boolean }[];
  readonly audio: Uint8Array[];
  readonly decoderConfiguration: Uint8Array;
  /** The same scene at half the size. */
  readonly small: Omit<Fixture, 'audio' | 'small'>;
};

let fixture: Fixture;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'contribution-'));
  try {
    const run = promisify(execFile);
    const h264 = join(folder, 'v.h264');
    const smallH264 = join(folder, 'small.h264');
    const opus = join(folder, 'a.ogg');
    const input =
      '-v error -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=sample_rate=48000';
    const video =
      '-map 0:v -t 3 -c:v libx264 -preset ultrafast -tune zerolatency -g 30 -bsf:v h264_metadata=aud=insert';
    const audio = '-map 1:a -t 3 -ac 2 -c:a libopus -application lowdelay';
    await run('ffmpeg', [
      ...`${input} ${video}`.split(' '),
      h264,
      ...`${video} -s 160x90`.split(' '),
      smallH264,
      ...audio.split(' '),
      opus,
    ]);
    fixture = {
      ...splitH264(await readFile(h264)),
      audio: splitOgg(await readFile(opus)),
      small: splitH264(await readFile(smallH264)),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** Annex B with access unit delimiters to AVCC access units, and the record of its parameter sets. */
function splitH264(file: Buffer): Fixture['small'] {
  const units: { nals: Buffer[]; isKeyframe: boolean }[] = [];
  let sps: Buffer = Buffer.alloc(0);
  let pps: Buffer = Buffer.alloc(0);
  for (const nal of splitAnnexB(file)) {
    const type = (nal[0] ?? 0) & 31;
    if (type === 9) {
      units.push({ nals: [], isKeyframe: false });
      continue;
    }
    const unit = units.at(-1)!;
    unit.nals.push(nal);
    unit.isKeyframe ||= type === 5;
    sps = type === 7 ? nal : sps;
    pps = type === 8 ? nal : pps;
  }
  const size = (bytes: number, length: number): Buffer => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntBE(length, 0, bytes);
    return buffer;
  };
  return {
    video: units.map(({ nals, isKeyframe }) => ({
      data: Buffer.concat(nals.flatMap((nal) => [size(4, nal.length), nal])),
      isKeyframe,
    })),
    decoderConfiguration: Buffer.concat([
      Buffer.of(1, sps[1]!, sps[2]!, sps[3]!, 0xff, 0xe1),
      ...[size(2, sps.length), sps, Buffer.of(1), size(2, pps.length), pps],
    ]),
  };
}

function splitAnnexB(file: Buffer): Buffer[] {
  const nals: Buffer[] = [];
  for (let at = file.indexOf('000001', 0, 'hex'); at >= 0;) {
    const next = file.indexOf('000001', at + 3, 'hex');
    const end = next < 0 ? file.length : file[next - 1] === 0 ? next - 1 : next;
    nals.push(file.subarray(at + 3, end));
    at = next;
  }
  return nals;
}

/** Packets of an Ogg file (RFC 3533 §6), without OpusHead and OpusTags. */
function splitOgg(file: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let open: Buffer[] = [];
  for (let page = 0; page < file.length;) {
    const lacing = [...file.subarray(page + 27, page + 27 + file[page + 26]!)];
    let at = page + 27 + lacing.length;
    for (const length of lacing) {
      open.push(file.subarray(at, at + length));
      at += length;
      if (length < 255) {
        packets.push(Buffer.concat(open));
        open = [];
      }
    }
    page = at;
  }
  return packets.slice(2);
}

describe('the feed, read by ffmpeg', () => {
  let nowMs: number;
  let keyframeReasons: string[];
  let slates: Slates;
  let contribution: Contribution;
  let server: Server;
  let url: string;

  beforeEach(async () => {
    nowMs = EPOCH_MS;
    keyframeReasons = [];
    slates = createSlates(silentLogger, {
      ...{ ffmpegPath: 'ffmpeg', title: 'demo', image: undefined, fps: 30 },
      size: { width: 640, height: 360 },
    });
    contribution = createContribution(
      {
        logger: silentLogger,
        metrics: noMetrics,
        clock: { nowMs: () => unixMs(nowMs) },
        requestKeyframe: (reason) => keyframeReasons.push(reason),
        slates,
      },
      { broadcastId: 'demo', fps: 30, slateAfterMs: 800, slateMaxMs: 60_000 },
    );
    server = createServer((request, response) => {
      contribution.handle(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });

  afterEach(async () => {
    await contribution.close('test');
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function begin(hasAudio = true): void {
    contribution.beginSource({ hasAudio });
    const { decoderConfiguration } = fixture;
    contribution.videoParameters({ codec: 'h264', width: 320, height: 180, decoderConfiguration });
    for (const kind of ['video', 'audio'] as const) {
      const rtpTime = kind === 'video' ? 1_000_000 : 5000;
      contribution.senderReport({
        kind,
        rtpTime,
        ntpMs: unixMs(EPOCH_MS),
        arrivedMs: unixMs(EPOCH_MS),
      });
    }
  }

  /** Sends what is captured in frames `from` to `to`, sound included, on the test's clock. */
  function send(from: number, to: number, hasAudio = true): void {
    for (let frame = from; frame < to; frame += 1) {
      nowMs = EPOCH_MS + (frame * 1000) / 30 + TRANSIT_MS;
      const arrivedMs = unixMs(nowMs);
      const add = (unit: Omit<AccessUnit, 'arrivedMs'>): void =>
        contribution.accessUnit({ ...unit, arrivedMs });
      const sound = Math.ceil((frame * 50) / 30);
      for (let index = sound; hasAudio && index < Math.ceil(((frame + 1) * 50) / 30); index += 1) {
        add({
          kind: 'audio',
          rtpTime: 5000 + index * 960,
          data: fixture.audio[index]!,
          isKeyframe: true,
        });
      }
      add({ kind: 'video', rtpTime: 1_000_000 + frame * 3000, ...fixture.video[frame]! });
    }
  }

  const frameUnits = (frame: number): number => Math.round((EPOCH_MS * 90 + frame * 3000) / 9);
  const soundUnits = (index: number): number => EPOCH_MS * 10 + index * 200;
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, index) => from + index);

  const open = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      get(url, { agent: false }, resolve).once('error', reject);
    });
  const body = async (response: IncomingMessage): Promise<Buffer> =>
    Buffer.concat((await response.toArray()) as Buffer[]);

  async function ffmpegOutput(
    feed: Buffer,
    outputs: readonly string[],
    args = ['-v', 'error', '-xerror', '-reinit_filter', '0', ...WORKER_INPUT, ...outputs],
  ): Promise<Buffer> {
    const child = startChild('ffmpeg', args, {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output = child.process.stdout!.toArray() as Promise<Buffer[]>;
    child.process.stdin!.end(feed);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stderrTail()).toEqual([]);
    return Buffer.concat(await output);
  }

  /** Integer pts (100 us) of each line that ffmpeg's framecrc muxer prints for `outputs`. */
  async function ffmpegPts(feed: Buffer, outputs: string): Promise<number[]> {
    const output = await ffmpegOutput(feed, [...outputs.split(' '), '-f', 'framecrc', 'pipe:1']);
    const lines = output.toString().trimEnd().split('\n');
    const rate = Number(/#tb 0: 1\/(\d+)/.exec(output.toString())?.[1]);
    return lines
      .filter((line) => !line.startsWith('#'))
      .map((line) => (Number(line.split(',')[2]) * 10_000) / rate);
  }

  it('carries the stamps exactly, every frame decodes, and readers get the same bytes', async () => {
    begin();
    send(0, 10);
    const responses = await Promise.all([open(), open()]);
    const bodies = Promise.all(responses.map(body));
    send(10, 45);
    const late = await open();
    const lateBody = body(late);
    send(45, FRAMES);
    await contribution.close('end of the test');
    const [first, second] = await bodies;
    const third = await lateBody;

    expect(responses.map((response) => response.statusCode)).toEqual([200, 200]);
    expect(late.headers['content-type']).toBe('video/x-matroska');
    expect(Number(late.headers[FEED_NEWEST_HEADER])).toBeCloseTo(EPOCH_MS + 44_000 / 30, 0);
    expect(first!.equals(second!)).toBe(true);
    // The late one has the header, then what the first has from the keyframe at frame 30 on.
    const cluster = third.indexOf('1f43b675', 0, 'hex');
    expect(first!.subarray(0, cluster).equals(third.subarray(0, cluster))).toBe(true);
    expect(first!.subarray(-(third.length - cluster)).equals(third.subarray(cluster))).toBe(true);

    const video = range(0, FRAMES).map(frameUnits);
    expect(await ffmpegPts(first!, '-map 0:v -c copy')).toEqual(video);
    expect(await ffmpegPts(first!, '-map 0:a -c copy')).toEqual(range(2, 150).map(soundUnits));
    const decode = '-map 0:v -fps_mode passthrough -enc_time_base 1:10000';
    expect(await ffmpegPts(first!, decode)).toEqual(video);
    expect(await ffmpegPts(third, decode)).toEqual(video.slice(30));
    expect(await ffmpegPts(first!, '-map 0:a -c:a pcm_s16le')).toHaveLength(148);
  });

  it('gives ffmpeg each picture without waiting for more than the next one', async () => {
    begin();
    send(0, 1);
    const response = await open();
    const args = ['-v', 'error', ...WORKER_INPUT, '-map', '0:v', '-map', '0:a', '-c:v', 'rawvideo'];
    args.push(
      '-fps_mode',
      'passthrough',
      '-c:a',
      'pcm_s16le',
      '-flush_packets',
      '1',
      '-max_interleave_delta',
      '1',
    );
    const child = startChild('ffmpeg', [...args, '-f', 'framecrc', 'pipe:1'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    response.pipe(child.process.stdin!);
    child.process.stdin!.on('error', () => undefined);
    let pictures = 0;
    let isDone = (): void => undefined;
    const done = new Promise<void>((resolve) => {
      isDone = resolve;
    });
    createInterface({ input: child.process.stdout! }).on('line', (line) => {
      pictures += line.startsWith('0,') ? 1 : 0;
      if (pictures === 39) {
        isDone();
      }
    });
    send(1, 40);
    await done;
    await contribution.close('end of the test');
    expect((await child.exited).code).toBe(0);
  });

  it('gives a source without audio silence that decodes', async () => {
    begin(false);
    send(0, 1, false);
    const feed = open().then(body);
    await new Promise((resolve) => server.once('request', resolve));
    send(1, FRAMES, false);
    await contribution.close('end of the test');
    const bytes = await feed;
    const stamps = await ffmpegPts(bytes, '-map 0:a -c copy');
    const [start] = stamps;
    expect(start! % 200).toBe(0);
    expect(start! - EPOCH_MS * 10).toBeGreaterThanOrEqual(0);
    expect(start! - EPOCH_MS * 10).toBeLessThan(200);
    expect(stamps).toEqual(stamps.map((_, index) => start! + index * 200));
    expect(stamps.at(-1)!).toBeGreaterThan(EPOCH_MS * 10 + 29_300);
    const samples = await ffmpegOutput(bytes, ['-map', '0:a', '-f', 's16le', 'pipe:1']);
    expect(samples.length).toBe(stamps.length * 960 * 4);
    expect(samples.every((byte) => byte === 0)).toBe(true);
  });

  it('goes on in the same track when only the resolution changes', async () => {
    begin();
    send(0, 10);
    const feed = open().then(body);
    await new Promise((resolve) => server.once('request', resolve));
    const { video, decoderConfiguration } = fixture.small;
    contribution.videoParameters({ codec: 'h264', width: 160, height: 90, decoderConfiguration });
    send(10, 30);
    fixture.video.splice(30, 30, ...video.slice(30, 60));
    send(30, 60);
    await contribution.close('end of the test');
    const decode = '-map 0:v -vf scale=64:64 -fps_mode passthrough -enc_time_base 1:10000';
    expect(await ffmpegPts(await feed, decode)).toEqual(range(0, 60).map(frameUnits));
  });

  it('asks for a keyframe past the join cache and starts the reader at it', async () => {
    begin();
    const keyframe = fixture.video[0]!;
    send(0, 30);
    const sendPlain = (frame: number, unit: Fixture['video'][number]): void => {
      nowMs = EPOCH_MS + (frame * 1000) / 30 + TRANSIT_MS;
      contribution.accessUnit({
        ...{ kind: 'video', rtpTime: 1_000_000 + frame * 3000, arrivedMs: unixMs(nowMs) },
        ...unit,
      });
    };
    for (let frame = 30; frame < 160; frame += 1) {
      sendPlain(frame, fixture.video[1]!);
    }
    expect(keyframeReasons).toEqual([]);
    const asked = new Promise((resolve) => server.once('request', resolve));
    const opened = open();
    await asked;
    expect(keyframeReasons).toHaveLength(1);
    sendPlain(160, fixture.video[1]!);
    sendPlain(161, keyframe);
    const response = await opened;
    expect(response.statusCode).toBe(200);
    expect(Number(response.headers[FEED_NEWEST_HEADER])).toBeCloseTo(EPOCH_MS + 161_000 / 30, 0);
    const bytes = body(response);
    await contribution.close('end of the test');
    expect(await ffmpegPts(await bytes, '-map 0:v -c copy')).toEqual([frameUnits(161)]);
  });

  it('cuts off a reader that takes nothing and goes on for the others', async () => {
    begin();
    send(0, 10);
    const [slow, quick] = await Promise.all([open(), open()]);
    slow.pause();
    const slowEnd = new Promise((resolve) => slow.once('error', resolve));
    let quickBytes = 0;
    quick.on('data', (bytes: Buffer) => (quickBytes += bytes.length));
    const picture = { data: new Uint8Array(256 * 1024), isKeyframe: true };
    const quickEnd = new Promise((resolve) => quick.once('end', resolve));
    let sent = 0;
    for (let frame = 10; contribution.stats().readersDropped === 0 && frame < 400; frame += 1) {
      nowMs = EPOCH_MS + (frame * 1000) / 30 + TRANSIT_MS;
      const rtpTime = 1_000_000 + frame * 3000;
      contribution.accessUnit({ kind: 'video', rtpTime, arrivedMs: unixMs(nowMs), ...picture });
      sent += picture.data.length;
      await new Promise(setImmediate);
    }
    expect(contribution.stats()).toMatchObject({ readers: 1, readersDropped: 1 });
    await contribution.close('end of the test');
    await quickEnd;
    expect(quickBytes).toBeGreaterThan(sent);
    slow.resume();
    expect(await slowEnd).toMatchObject({ code: 'ECONNRESET' });
  });

  it('refuses the 33rd reader', async () => {
    begin();
    send(0, 2);
    const responses = await Promise.all(range(0, 33).map(open));
    expect(responses.filter((response) => response.statusCode === 503)).toHaveLength(1);
    responses.forEach((response) => response.destroy());
  });

  it('shows the slate after 800 ms, one frame after the last picture, and the picture when it is back', async () => {
    begin();
    await until('the card', 20_000, () => slates.card('h264'));
    send(0, 30);
    const feed = body(await open());
    contribution.endSource('the streamer was killed');
    nowMs += 780;
    await until('a look', 5000, () => contribution.stats().state === 'idle');
    expect(contribution.stats().shown).toBe('live');
    nowMs += 30;
    await until('the slate', 5000, () => contribution.stats().shown === 'slate');
    nowMs = EPOCH_MS + 3400;
    await until('its pictures', 5000, () => (contribution.newestMs() ?? 0) > EPOCH_MS + 3260);
    expect(contribution.isReady()).toBe(true);
    const joined = await open();
    expect(Number(joined.headers[FEED_NEWEST_HEADER])).toBeGreaterThan(EPOCH_MS + 3260);
    const joinedBody = body(joined);
    // Another peer: other RTP time, and a picture in the middle of nothing comes first.
    contribution.beginSource({ hasAudio: false });
    const late = fixture.small.video;
    const { decoderConfiguration } = fixture.small;
    contribution.videoParameters({ codec: 'h264', width: 160, height: 90, decoderConfiguration });
    for (let frame = 29; frame < 60; frame += 1) {
      nowMs = EPOCH_MS + 3400 + ((frame - 29) * 1000) / 30;
      contribution.accessUnit({
        ...{ kind: 'video', rtpTime: 77 + frame * 3000, arrivedMs: unixMs(nowMs) },
        ...late[frame]!,
      });
    }
    expect(keyframeReasons).toContain('the picture returns');
    expect(contribution.stats().shown).toBe('live');
    await contribution.close('end of the test');

    const worker = '-map 0:v -vf scale=64:64 -fps_mode passthrough -enc_time_base 1:10000';
    const bytes = await feed;
    const video = await ffmpegPts(bytes, worker);
    const slateTo = video.findIndex((at) => at > EPOCH_MS * 10 + 33_100);
    expect(video.slice(0, slateTo)).toEqual(range(0, slateTo).map(frameUnits));
    expect(video.slice(slateTo)).toHaveLength(30);
    expect(video[slateTo]! - video[slateTo - 1]!).toBeLessThan(1000);
    const sound = await ffmpegPts(bytes, '-map 0:a -c copy');
    const gaps = sound.slice(1).map((at, index) => at - sound[index]!);
    expect(Math.max(...gaps)).toBeLessThan(400);
    expect(sound.at(-1)! / 10 - EPOCH_MS).toBeGreaterThan(4200);
    // Who joined at the slate decodes it and what came after.
    const joinedVideo = await ffmpegPts(await joinedBody, worker);
    expect(joinedVideo).toEqual(video.slice(-joinedVideo.length));
    expect(joinedVideo.length).toBeGreaterThan(30);
  });

  it('shows a freeze frame at once and until it is over, and nothing that is no JPEG', async () => {
    begin();
    send(0, 30);
    contribution.freezeFrame(Uint8Array.of(1, 2, 3));
    const jpeg = await ffmpegOutput(
      Buffer.alloc(0),
      [],
      [
        ...'-v error -f lavfi -i testsrc2=size=320x180 -frames:v 1 -f image2 -c:v mjpeg pipe:1'.split(
          ' ',
        ),
      ],
    );
    contribution.freezeFrame(jpeg);
    await until('the freeze frame', 10_000, () => contribution.stats().shown === 'slate');
    send(30, 40);
    expect(contribution.stats().shown).toBe('slate');
    contribution.freezeFrame(undefined);
    expect(keyframeReasons).toContain('the picture is not frozen any more');
    send(59, 62);
    expect(contribution.stats().shown).toBe('live');
  });

  it('goes on from another ingest with the slate before its own source comes', async () => {
    contribution.resume({
      ...{ newestMs: EPOCH_MS - 2000, pictureMs: EPOCH_MS - 3000 },
      ...{ transitMs: 30, codec: 'h264', runMs: 0 },
    });
    await until('the slate', 20_000, () => contribution.isReady());
    expect(contribution.stats()).toMatchObject({ shown: 'slate', state: 'idle' });
    expect(contribution.newestMs()).toBeGreaterThan(EPOCH_MS - 2000);
    nowMs += 60_000;
    await until('its end', 5000, () => !contribution.isReady());
    expect(contribution.anchor()).toBeUndefined();
  });

  it('says 503 while there is no picture and no slate can be made', async () => {
    slates.card = () => undefined;
    const before = await open();
    before.resume();
    expect([before.statusCode, before.headers['retry-after']]).toEqual([503, '1']);
    begin();
    send(0, 10);
    const response = await open();
    expect(response.statusCode).toBe(200);
    nowMs += 1600;
    await body(response);
    expect(contribution.isReady()).toBe(false);
    const after = await open();
    after.resume();
    expect(after.statusCode).toBe(503);
  });
});
