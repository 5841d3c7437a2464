/** What the probe finds with the ffmpeg of this machine, and with others that are made up. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { workerConfigSchema } from './config.ts';
import { GPU_ENCODERS, softwareEncoder } from './encoderTable.ts';
import { probeEncoders } from './probe.ts';

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
    esac`,
  );
  const config = workerConfigSchema.parse({ ffmpegPath });
  const { offers } = await probeEncoders(config, ladder, silentLogger);
  expect(offers).toMatchObject([
    {
      encoder: { name: 'h264_nvenc', isGpuScaled: false },
      ...{ capacity: 2, capacityReason: '5 sessions for ladders of 2' },
    },
    { encoder: { name: 'libx264' } },
  ]);
  expect(offers[1]?.encoder.reason).toContain('takes what the GPU cannot');
});
