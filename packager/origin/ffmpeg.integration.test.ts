/** What ffmpeg encodes comes out of the origin as CMAF that ffmpeg decodes, holes included. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, type Sample, TrackReader } from '../cmaf/index.ts';
import { BROADCAST, FIRST_MSN as N } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { LiveTrack } from './liveTrack.ts';

const run = promisify(execFile);
const SECONDS = 8;
const KEYS = 'expr:if(isnan(prev_forced_t),1,gt(floor(t/2+0.001),floor(prev_forced_t/2+0.001)))';
let folder: string;
let live: LiveBroadcast;

/** Encodes a picture and a tone from segment N on, as a worker does. */
async function encode(): Promise<void> {
  const fragments = ['-f', 'mp4', '-movflags', 'cmaf+frag_every_frame+frag_discont'];
  const first = (N * 96_000) / 1024;
  const k = Math.ceil(first) * 1024;
  const lavfi = (source: string): string[] => ['-f', 'lavfi', '-i', source];
  await run('ffmpeg', [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', '-copyts'],
    ...lavfi(`testsrc2=size=320x180:rate=30:duration=${SECONDS},setpts=PTS+${N * 2}/TB`),
    ...lavfi(`sine=sample_rate=48000:duration=${SECONDS},asetpts=PTS+${k}`),
    ...['-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency'],
    ...['-profile:v', 'main', '-threads', '1', '-b:v', '300k', '-bf', '0', '-sc_threshold', '0'],
    ...['-g', '100000', '-flags', '+cgop', '-force_key_frames', KEYS, '-pix_fmt', 'yuv420p'],
    ...['-fps_mode', 'passthrough', '-enc_time_base', '1/30', '-video_track_timescale', '90000'],
    ...[...fragments, join(folder, 'v.mp4')],
    ...['-map', '1:a', '-c:a', 'aac', '-b:a', '128k', '-ac', '2'],
    ...[...fragments, join(folder, 'a.mp4')],
  ]);
}

type Piece = { readonly at: number; readonly publish: () => void };

/** A connection with what is in `file`: its fragments, and when each is due (s). */
async function connect(
  name: string,
  file: string,
  timescale: number,
  keep: (sample: Sample) => boolean,
): Promise<Piece[]> {
  const [header, ...events] = new TrackReader().push(await readFile(join(folder, file)));
  if (header?.kind !== 'init') {
    throw new Error('no header');
  }
  const epoch = { timestamp: 1, attempt: 1 };
  const publisher = live.addPublisher(name, { slot: 0, epoch }, header.bytes);
  return events.flatMap((event) => {
    const samples = event.kind === 'fragment' ? event.samples : [];
    const publish = (): void => void live.publish(name, publisher, samples.filter(keep));
    return samples[0] === undefined ? [] : [{ at: samples[0].dts / timescale, publish }];
  });
}

/** Frames that ffprobe decodes from these segments behind their header, with `dts` in ticks. */
async function decoded(track: LiveTrack, msns: readonly number[]): Promise<number[]> {
  const file = join(folder, `${track.name}.mp4`);
  const media = msns.flatMap((msn) => track.ring.find(msn)?.chunks ?? []);
  await writeFile(file, concatBytes([track.headers.get(0)!.bytes, ...media]));
  await run('ffmpeg', [
    '-v',
    'error',
    '-xerror',
    '-err_detect',
    'explode',
    '-i',
    file,
    '-f',
    'null',
    '-',
  ]);
  const { stdout, stderr } = await run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-show_entries', 'packet=dts', '-of', 'csv=p=0', file],
  ]);
  expect(stderr).toBe('');
  return stdout.trim().split(/\s+/).map(Number);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grandstand-origin-'));
  await encode();
  live = new LiveBroadcast(BROADCAST, { windowSegments: 30, ringSegments: 45 }, () => undefined);
  // Segment N + 2 is lost.
  const inHole = (dts: number, timescale: number): boolean =>
    Math.floor(dts / timescale / 2) === N + 2;
  const pieces = [
    ...(await connect('v180', 'v.mp4', 90_000, ({ dts }) => !inHole(dts, 90_000))),
    ...(await connect('a128', 'a.mp4', 48_000, ({ dts }) => !inHole(dts, 48_000))),
  ];
  for (const { publish } of pieces.sort((a, b) => a.at - b.at)) {
    publish();
  }
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('real encodes through the origin', () => {
  it('give whole segments on the grid, with 60 pictures and 93 or 94 AAC frames', async () => {
    const video = await decoded(live.track('v180')!, [N, N + 1]);
    expect(video).toEqual(Array.from({ length: 120 }, (_, i) => N * 180_000 + i * 3000));
    const audio = await decoded(live.track('a128')!, [N, N + 1]);
    const first = Math.ceil((N * 96_000) / 1024) * 1024;
    expect(audio.every((dts, index) => dts === first + index * 1024)).toBe(true);
    expect([187, 188]).toContain(audio.length);
  });

  it('give fillers that decode: a held picture, and silence', async () => {
    const video = live.track('v180')!;
    expect(video.ring.find(N + 2)?.isGap).toBe(true);
    expect(await decoded(video, [N + 1, N + 2, N + 3])).toHaveLength(60 + 1 + 60);
    const audio = live.track('a128')!;
    const frames = await decoded(audio, [N + 1, N + 2, N + 3]);
    expect(frames.slice(1).every((dts, index) => dts - (frames[index] ?? 0) === 1024)).toBe(true);
    const file = join(folder, 'silence.mp4');
    await writeFile(
      file,
      concatBytes([audio.headers.get(0)!.bytes, ...audio.ring.find(N + 2)!.chunks]),
    );
    const { stderr } = await run('ffmpeg', ['-i', file, '-af', 'volumedetect', '-f', 'null', '-']);
    expect(stderr).toMatch(/max_volume: -91\.0 dB/);
  });
});
