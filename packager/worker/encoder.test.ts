import { expect, test } from 'vitest';
import type { VideoCodec } from '../../infra/kernel/encoders.ts';
import { type EncoderChoice, videoEncoderArguments, x264PresetFor } from './encoder.ts';
import { x264Choice } from './probe.ts';

const x264 = x264Choice({ x264Preset: 'auto' }, 'no NVENC: no libcuda', 2);
const gpu = (one: 'nvenc' | 'qsv' | 'vaapi'): EncoderChoice => ({
  ...{ class: one, name: '', reason: '', isGpuScaled: true },
});

const NVENC =
  '-preset p4 -tune ull -rc cbr -zerolatency 1 -delay 0 -rc-lookahead 0 -no-scenecut 1 ' +
  '-forced-idr 1 -b_ref_mode disabled -bf 0 -g 100000';
const QSV = '-preset veryfast -async_depth 1 -low_delay_brc 1 -forced_idr 1 -bf 0 -g 100000';
const VAAPI = '-rc_mode CBR -async_depth 1 -idr_interval 0 -bf 0 -g 100000';
const HEVC = '-profile:v main -tag:v hvc1';
const X265 =
  '-x265-params log-level=error:pools=1:frame-threads=1:scenecut=0:open-gop=0:bframes=0:keyint=100000:info=0';

test.each([
  [gpu('nvenc'), 'h264', `h264_nvenc ${NVENC} -a53cc 0 -profile:v main`],
  [gpu('nvenc'), 'hevc', `hevc_nvenc ${NVENC} -a53cc 0 ${HEVC}`],
  [gpu('nvenc'), 'av1', `av1_nvenc ${NVENC}`],
  [gpu('qsv'), 'h264', `h264_qsv ${QSV} -look_ahead 0 -a53cc 0 -profile:v main`],
  [gpu('qsv'), 'hevc', `hevc_qsv ${QSV} ${HEVC}`],
  [gpu('qsv'), 'av1', `av1_qsv ${QSV}`],
  [gpu('vaapi'), 'h264', `h264_vaapi ${VAAPI} -sei 0 -profile:v main`],
  [gpu('vaapi'), 'hevc', `hevc_vaapi ${VAAPI} -sei 0 ${HEVC}`],
  [gpu('vaapi'), 'av1', `av1_vaapi ${VAAPI}`],
  [
    x264,
    'h264',
    'libx264 -preset ultrafast -tune zerolatency -threads 1 -sc_threshold 0 -flags +cgop ' +
      '-profile:v main -bf 0 -g 100000 -forced-idr 1',
  ],
  [x264, 'hevc', `libx265 -preset ultrafast -tune zerolatency -forced-idr 1 ${HEVC} ${X265}`],
] as [EncoderChoice, VideoCodec, string][])(
  'the command line of %j for %s: constant bitrate, a second of VBV, keyframes on the grid alone',
  (encoder, codec, own) => {
    const rung = { name: 'v', width: 1280, height: 720, bitrateBps: 2_500_000, codec };
    expect(videoEncoderArguments(encoder, rung, { fps: 24, segmentMs: 1500 }).join(' ')).toBe(
      `-c:v ${own} -b:v 2500000 -maxrate 2500000 -bufsize 2500000 ` +
        '-force_key_frames expr:if(isnan(prev_forced_t),1,gt(floor(t/1.5+0.001),floor(prev_forced_t/1.5+0.001))) ' +
        '-fps_mode passthrough -enc_time_base 1/24 ' +
        '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv',
    );
  },
);

test('SVT-AV1 counts its keyframes from T0 and is told the bitrate alone', () => {
  const rung = {
    name: 'v',
    width: 1280,
    height: 720,
    bitrateBps: 2_500_000,
    codec: 'av1',
  } as const;
  const text = videoEncoderArguments(x264, rung, { fps: 30, segmentMs: 2000 }).join(' ');
  expect(text).toMatch(
    /^-c:v libsvtav1 -preset 12 -g 60 -svtav1-params pred-struct=1:lookahead=0:scd=0:irefresh-type=2:lp=1 -b:v 2500000 -force_key_frames/,
  );
});

test.each([
  [1, 'ultrafast'],
  [2, 'ultrafast'],
  [4, 'superfast'],
  [8, 'veryfast'],
  [64, 'veryfast'],
])('%i cores carry %s', (cores, preset) => {
  expect(x264PresetFor(cores).preset).toBe(preset);
});

test('the reason says what ruled GPUs out, which preset, and why', () => {
  expect(x264.reason).toBe(
    'no NVENC: no libcuda; ultrafast fits 2 cores (about 0.4 of a core per broadcast)',
  );
  expect(x264Choice({ x264Preset: 'fast' }, 'libx264 is configured', 2).reason).toBe(
    'libx264 is configured; fast is configured',
  );
});
