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
import { type Contribution, createContribution } from './contribution.ts';

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
  let contribution: Contribution;
  let server: Server;
  let url: string;

  beforeEach(async () => {
    nowMs = EPOCH_MS;
    keyframeReasons = [];
    contribution = createContribution(
      {
        logger: silentLogger,
        metrics: noMetrics,
        clock: { nowMs: () => unixMs(nowMs) },
        requestKeyframe: (reason) => keyframeReasons.push(reason),
      },
      { broadcastId: 'demo' },
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

  async function ffmpegOutput(feed: Buffer, outputs: readonly string[]): Promise<Buffer> {
    const child = startChild('ffmpeg', ['-v', 'error', '-xerror', ...WORKER_INPUT, ...outputs], {
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
    contribution.endSource('end of the test');
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
    contribution.endSource('end of the test');
    expect((await child.exited).code).toBe(0);
  });

  it('gives a source without audio silence that decodes', async () => {
    begin(false);
    send(0, 1, false);
    const feed = open().then(body);
    await new Promise((resolve) => server.once('request', resolve));
    send(1, FRAMES, false);
    contribution.endSource('end of the test');
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
    contribution.endSource('end of the test');
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
    contribution.endSource('end of the test');
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
    contribution.endSource('end of the test');
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

  it('says 503 while there is no picture', async () => {
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
