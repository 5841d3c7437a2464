/** The presets at 60 fps on every class of encoders: their command lines, word for word, and the limits of H.264. */
import { describe, expect, test } from 'vitest';
import { ENCODER_CLASSES, type EncoderClass } from '../../infra/kernel/encoders.ts';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { ladderPreset, resolveLadder } from '../../infra/kernel/ladder.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import type { VideoRung } from '../../infra/kernel/wire.ts';
import { ffmpegArguments, type FfmpegArguments } from './arguments.ts';
import type { EncoderChoice } from './encoder.ts';
import { x264Choice } from './probe.ts';
import { startPoint } from './startPoint.ts';

const PRESETS = ['1080p60', '2160p60'] as const;
type Preset = (typeof PRESETS)[number];

const RUNGS: Readonly<Record<Preset, readonly (readonly [string, string, number])[]>> = {
  '1080p60': [
    ['v1080', '1920x1080', 8_000_000],
    ['v720', '1280x720', 4_500_000],
    ['v480', '854x480', 1_800_000],
    ['v360', '640x360', 900_000],
  ],
  '2160p60': [
    ['v2160', '3840x2160', 24_000_000],
    ['v1440', '2560x1440', 13_000_000],
    ['v1080', '1920x1080', 8_000_000],
    ['v720', '1280x720', 4_500_000],
    ['v480', '854x480', 1_800_000],
    ['v360', '640x360', 900_000],
  ],
};

const ENCODERS: Readonly<Record<EncoderClass, string>> = {
  nvenc:
    'h264_nvenc -preset p4 -tune ull -rc cbr -zerolatency 1 -delay 0 -rc-lookahead 0 -no-scenecut 1 ' +
    '-forced-idr 1 -b_ref_mode disabled -bf 0 -g 100000 -a53cc 0 -profile:v main',
  qsv:
    'h264_qsv -preset veryfast -async_depth 1 -low_delay_brc 1 -forced_idr 1 -bf 0 -g 100000 ' +
    '-look_ahead 0 -a53cc 0 -profile:v main',
  vaapi:
    'h264_vaapi -rc_mode CBR -async_depth 1 -idr_interval 0 -bf 0 -g 100000 -sei 0 -profile:v main',
  x264:
    'libx264 -preset veryfast -tune zerolatency -threads 4 -sc_threshold 0 -flags +cgop ' +
    '-profile:v main -bf 0 -g 100000 -forced-idr 1',
};

/** How a class opens its device and takes up the picture that its rungs are made of. */
const GPUS = {
  nvenc: {
    input:
      '-init_hw_device cuda=gpu -filter_hw_device gpu -hwaccel cuda -hwaccel_device gpu -flags low_delay',
    upload: 'format=nv12,hwupload',
    scale: 'scale_cuda',
  },
  qsv: {
    input:
      '-init_hw_device vaapi=va:/dev/dri/renderD128 -init_hw_device qsv=gpu@va -filter_hw_device gpu ' +
      '-hwaccel vaapi -hwaccel_device va -flags low_delay',
    upload: 'format=nv12,hwupload=extra_hw_frames=16',
    scale: 'scale_qsv',
  },
  vaapi: {
    input:
      '-init_hw_device vaapi=gpu:/dev/dri/renderD128 -filter_hw_device gpu ' +
      '-hwaccel vaapi -hwaccel_device gpu -flags low_delay',
    upload: 'format=nv12,hwupload',
    scale: 'scale_vaapi',
  },
} as const;

function encoderOf(one: EncoderClass): EncoderChoice {
  return one === 'x264'
    ? x264Choice({ x264Preset: 'auto' }, '', 16)
    : { class: one, name: '', reason: '', isGpuScaled: true };
}

function argumentsOf(one: EncoderClass, preset: Preset): FfmpegArguments {
  const { ladder, grid } = resolveLadder(preset, gridSchema.parse({}));
  const start = startPoint(unixMs(1_795_196_401_900), grid, { leadMs: 700 });
  return ffmpegArguments({
    encoder: encoderOf(one),
    ladder,
    grid,
    start,
    targetOf: (name) => name,
  });
}

const cases = PRESETS.flatMap((preset) => ENCODER_CLASSES.map((one) => [preset, one] as const));

describe.each(cases)('%s on %s', (preset, one) => {
  const { input, filter, outputs } = argumentsOf(one, preset);

  test('each rung: constant bitrate, a second of VBV, a keyframe where a segment starts', () => {
    const lines = outputs
      .filter(({ track }) => track.startsWith('v'))
      .map(({ options }) => options.join(' ').replace(/ -video_track_timescale .*/, ''));
    expect(lines).toEqual(
      RUNGS[preset].map(
        ([name, , bps]) =>
          `-map [${name}] -c:v ${ENCODERS[one]} -b:v ${bps} -maxrate ${bps} -bufsize ${bps} ` +
          '-force_key_frames expr:if(isnan(prev_forced_t),1,gt(floor(t/2+0.001),floor(prev_forced_t/2+0.001))) ' +
          '-fps_mode passthrough -enc_time_base 1/60 ' +
          '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv',
      ),
    );
    // A level that is set and too low would be refused or written all the same: the encoder finds it.
    expect(lines.filter((line) => /-level/.test(line))).toEqual([]);
  });

  test('one picture per sixtieth from the segment boundary T0 on, fitted in once where a GPU scales', () => {
    const [top = ['', '', 0] as const, ...lower] = RUNGS[preset];
    const fit = (size: string): string => {
      const wh = `w=${size.replace('x', ':h=')}`;
      return (
        `scale=${wh}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear:out_range=tv,` +
        `pad=${wh}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame,setsar=1`
      );
    };
    const rate = '[0:v]fps=60:start_time=1795196404.000000,split=';
    const video = filter.split(';').filter((chain) => !chain.startsWith('[0:a]'));
    if (one === 'x264') {
      expect(video).toEqual([
        `${rate}${lower.length + 1}${[top, ...lower].map(([name]) => `[s_${name}]`).join('')}`,
        ...[top, ...lower].map(([name, size]) => `[s_${name}]${fit(size)},format=yuv420p[${name}]`),
      ]);
      return;
    }
    const gpu = GPUS[one];
    expect(input.join(' ')).toContain(`-copyts ${gpu.input}`);
    expect(video).toEqual([
      `${rate}1[u_${top[0]}]`,
      `[u_${top[0]}]${fit(top[1])},${gpu.upload},split=${lower.length + 1}[${top[0]}]` +
        lower.map(([name]) => `[s_${name}]`).join(''),
      ...lower.map(
        ([name, size]) => `[s_${name}]${gpu.scale}=w=${size.replace('x', ':h=')}[${name}]`,
      ),
    ]);
  });
});

/** ITU-T H.264 Table A-1: macroblocks per second and of a picture, kbps, and kbit of the VBV. */
const LEVELS = [
  ['3.1', 108_000, 3600, 14_000, 14_000],
  ['3.2', 216_000, 5120, 20_000, 20_000],
  ['4', 245_760, 8192, 20_000, 25_000],
  ['4.1', 245_760, 8192, 50_000, 62_500],
  ['4.2', 522_240, 8704, 50_000, 62_500],
  ['5', 589_824, 22_080, 135_000, 135_000],
  ['5.1', 983_040, 36_864, 240_000, 240_000],
  ['5.2', 2_073_600, 36_864, 240_000, 240_000],
] as const;

function levelOf({ width, height, bitrateBps }: VideoRung, fps: number): string | undefined {
  const macroblocks = Math.ceil(width / 16) * Math.ceil(height / 16);
  const kbps = bitrateBps / 1000;
  const vbvKbit = kbps;
  return LEVELS.find(
    ([, maxRate, maxPicture, maxKbps, maxKbit]) =>
      macroblocks * fps <= maxRate &&
      macroblocks <= maxPicture &&
      kbps <= maxKbps &&
      vbvKbit <= maxKbit,
  )?.[0];
}

test.each([
  ['1080p60', ['4.2', '3.2', '3.1', '3.1']],
  ['2160p60', ['5.2', '5.1', '4.2', '3.2', '3.1', '3.1']],
] as const)('%s keeps within the levels of H.264, with a second of VBV', (preset, levels) => {
  const { fps, ladder } = ladderPreset(preset);
  expect(ladder.video.map((rung) => levelOf(rung, fps))).toEqual(levels);
});

test.each(PRESETS)(
  '%s: 120 pictures a segment, 30 a part, 6 a chunk, keyframes on segments',
  (preset) => {
    const { grid } = resolveLadder(preset, gridSchema.parse({}));
    const framesIn = (ms: number): number => (ms * grid.fps) / 1000;
    expect([grid.segmentMs, grid.partMs, grid.chunkMs].map(framesIn)).toEqual([120, 30, 6]);
    // What ffmpeg makes of the expression, a frame at a time, for an hour: `t` counts from T0.
    const keyframes: number[] = [];
    let forcedS = Number.NaN;
    for (let frame = 0; frame < 3600 * grid.fps; frame += 1) {
      const t = frame / grid.fps;
      if (Number.isNaN(forcedS) || Math.floor(t / 2 + 0.001) > Math.floor(forcedS / 2 + 0.001)) {
        keyframes.push(frame);
        forcedS = t;
      }
    }
    expect(keyframes).toEqual(Array.from({ length: 1800 }, (_, segment) => segment * 120));
  },
);
