/** What the probe finds with the ffmpeg of this machine, and with others that are made up. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ladderPreset } from '../../infra/kernel/ladder.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { TrackReader } from '../cmaf/index.ts';
import { workerConfigSchema } from './config.ts';
import { videoEncoderArguments } from './encoder.ts';
import { GPU_ENCODERS, softwareEncoder } from './encoderTable.ts';
import { probePresets } from './presetProbe.ts';
import { probeEncoders, x264Choice } from './probe.ts';
import { probeEncode } from './probeEncode.ts';

const run = promisify(execFile);
const ladder = { video: DEFAULT_LADDER.video.slice(1) };
/** Encoders that ffmpeg 5.1 has not got. */
const NEWER = ['av1_nvenc', 'av1_qsv', 'av1_vaapi'];
/** Options that ffmpeg has for every encoder. */
const COMMON = ['-bf', '-g', '-threads', '-flags', '-profile:v', '-tag:v'];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-probe-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** An ffmpeg that does what a shell script says before it is the real one without a GPU. */
async function fakeFfmpeg(name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/bash\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test.each(
  [
    ...Object.values(GPU_ENCODERS).flatMap((codecs) => Object.values(codecs)),
    ...(['h264', 'hevc', 'av1'] as const).map((codec) =>
      softwareEncoder(codec, { preset: 'ultrafast', threads: 1 }, 60),
    ),
  ].filter(({ name }) => !NEWER.includes(name)),
)('ffmpeg knows every option that $name is given', async ({ name, options }) => {
  const { stdout } = await run('ffmpeg', ['-hide_banner', '-h', `encoder=${name}`]);
  const known = stdout.match(/^ {2}(-\S+)/gm)?.map((text) => text.trim()) ?? [];
  const given = options.filter((text) => /^-[a-z]/i.test(text));
  expect(given.length).toBeGreaterThan(0);
  expect(given.filter((text) => !known.includes(text) && !COMMON.includes(text))).toEqual([]);
});

test('without a GPU each class says why in a line, and libx264 is left', async () => {
  const report = await probeEncoders(workerConfigSchema.parse({}), ladder, silentLogger);
  const working = report.offers.map(({ encoder }) => encoder.name);
  expect(working).toContain('libx264');
  const tried = [...report.failed.map(({ name }) => name), ...working];
  expect(tried.slice(0, 1)).toEqual(['h264_nvenc']);
  for (const { fault } of report.failed) {
    expect(fault).toMatch(/^[^\n]{5,300}$/);
  }
});

test('what is configured and fails is said with its reason; a missing ffmpeg too', async () => {
  const noGpu = await fakeFfmpeg(
    'no-gpu',
    'echo "[h264_nvenc @ 0x1f] No capable devices found" >&2; exit 1',
  );
  for (const encoder of ['h264_nvenc', 'h264_qsv', 'h264_vaapi']) {
    const config = workerConfigSchema.parse({ encoder, ffmpegPath: noGpu });
    await expect(probeEncoders(config, ladder, silentLogger)).rejects.toMatchObject({
      ...{ code: 'missing_tool' },
      message: `the configured encoder fails: ${encoder}: No capable devices found`,
    });
  }
  const config = workerConfigSchema.parse({ ffmpegPath: '/nonexistent/ffmpeg' });
  await expect(probeEncoders(config, ladder, silentLogger)).rejects.toThrow(
    /^no encoder works: h264_nvenc: .*ENOENT/,
  );
});

test('a GPU is taken with the sessions that it opens, and without its scaler where that is missing', async () => {
  const ffmpegPath = await fakeFfmpeg(
    'gpu',
    `case "$*" in
      *scale_cuda*) echo "[AVFilterGraph @ 0x1] No such filter: 'scale_cuda'" >&2; exit 1;;
      *h264_nvenc*) [ $(grep -o 'c:v h264_nvenc' <<< "$*" | wc -l) -le 5 ] || { echo "[h264_nvenc @ 0x1] OpenEncodeSessionEx failed: out of memory (10)" >&2; exit 1; };;
    esac
    for n in {0..9}; do echo "0, $n, $n, 1, 10, 0x1"; sleep 0.01; done`,
  );
  const config = workerConfigSchema.parse({ ffmpegPath });
  const { offers } = await probeEncoders(config, ladder, silentLogger);
  expect(offers).toMatchObject([
    {
      encoder: { name: 'h264_nvenc', isGpuScaled: false },
      ...{ sessions: 5, capacity: 2, capacityReason: '5 sessions for ladders of 2' },
    },
    { encoder: { name: 'libx264' } },
  ]);
  expect(offers[1]?.encoder.reason).toContain('takes what the GPU cannot');
  const presets = await probePresets(config, offers.slice(0, 1));
  expect(presets.map(({ preset, encoder }) => `${preset} ${encoder}`)).toEqual(
    ['720p', '1080p', '1080p60', '2160p60'].map((preset) => `${preset} h264_nvenc`),
  );
  expect(presets[2]?.detail).toMatch(
    /^(carried: 1 job at once \(5 sessions for ladders of 4\), one alone|not carried:) encodes at \d+\.\d\d times/,
  );
  expect(presets[3]).toMatchObject({
    ...{ isCarried: false, detail: 'not carried: 5 sessions for 6 rungs' },
  });
});

test('a preset that the encoder refuses is not carried, with its reason; what it takes has a speed', async () => {
  const ffmpegPath = await fakeFfmpeg(
    'small',
    `case "$*" in
      *size=3840x2160*) echo "[libx264 @ 0x1] too large" >&2; exit 1;;
      *size=1280x720*) exec ffmpeg "$@";;
      *"-enc_time_base 1/60"*) ;;
      *) echo '0, 0, 0, 1, 10, 0x1'; echo "[libx264 @ 0x1] gone meanwhile" >&2; exit 1;;
    esac`,
  );
  const config = workerConfigSchema.parse({ encoder: 'libx264', concurrency: 3 });
  const { offers } = await probeEncoders(config, ladder, silentLogger);
  const [low, ...others] = await probePresets({ ...config, ffmpegPath }, offers);
  expect(low?.detail).toMatch(
    /^(carried: 3 jobs at once \(worker\.concurrency\), one alone|not carried:) encodes at \d+\.\d\d times real time \(3 rungs, 47 Mpixel\/s\)$/,
  );
  expect(others.map(({ isCarried, detail }) => [isCarried, detail])).toEqual([
    [false, 'not carried: gone meanwhile'],
    [false, 'not carried: made no pictures'],
    [false, 'not carried: too large'],
  ]);
});

test.each([
  ['1080p60', ['4.2', '3.2', '3.1', '3.1']],
  ['2160p60', ['5.2', '5.1', '4.2', '3.2', '3.1', '3.1']],
] as const)('libx264 says of each rung of %s the level that it needs', async (preset, levels) => {
  const { fps, ladder: of } = ladderPreset(preset);
  const encoder = x264Choice({ x264Preset: 'auto' }, '', 2);
  const made = of.video.map(async (rung) => {
    const { stdout } = await run(
      'ffmpeg',
      [
        ...['-hide_banner', '-nostdin', '-loglevel', 'error', '-f', 'lavfi', '-i'],
        `color=size=${rung.width}x${rung.height}:rate=${fps},format=yuv420p`,
        ...videoEncoderArguments(encoder, rung, { fps, segmentMs: 2000 }),
        ...['-frames:v', '2', '-movflags', 'cmaf', '-f', 'mp4', 'pipe:1'],
      ],
      { encoding: 'buffer' },
    );
    const [init] = new TrackReader().push(stdout);
    // RFC 6381 §3.3: the last byte of `avc1.PPCCLL` is ten times the level.
    const level = init?.kind === 'init' ? Number(`0x${init.init.codecs.slice(-2)}`) / 10 : 0;
    return level.toFixed(1);
  });
  expect(await Promise.all(made)).toEqual(levels);
});

test('an encoder that makes two pictures and hangs does not work; how slow it was is known', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const pid = join(directory, 'hung.pid');
    const ffmpegPath = await fakeFfmpeg(
      'hung',
      `echo '0, 0, 0, 1, 10, 0x1'; sleep 0.05; echo '0, 1, 1, 1, 10, 0x1'; echo $$ > ${pid}; exec sleep 60`,
    );
    const ended = probeEncode(ffmpegPath, {
      ...{ encoder: x264Choice({ x264Preset: 'auto' }, '', 2), rungs: ladder.video.slice(0, 1) },
      ...{ picture: 'color', timing: { fps: 30, segmentMs: 2000 }, frames: 60 },
    });
    await vi.waitFor(() => readFile(pid), { timeout: 5000, interval: 20 });
    await vi.advanceTimersByTimeAsync(10_000);
    const outcome = await ended;
    expect(outcome).toMatchObject({ isCutShort: true, fault: 'not done within 10 s' });
    expect(outcome.fps).toBeGreaterThan(0);
  } finally {
    vi.useRealTimers();
  }
});
