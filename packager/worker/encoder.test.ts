import { expect, test } from 'vitest';
import { type EncoderChoice, videoEncoderArguments, x264PresetFor } from './encoder.ts';
import { x264Choice } from './probe.ts';

const rung = { name: 'v720', width: 1280, height: 720, bitrateBps: 2_500_000 };
const timing = { fps: 30, segmentMs: 2000 };
const nvenc: EncoderChoice = { name: 'h264_nvenc', class: 'nvenc', reason: '' };

test('NVENC: low latency, constant bitrate, keyframes only where they are forced', () => {
  expect(videoEncoderArguments(nvenc, rung, timing).join(' ')).toBe(
    '-c:v h264_nvenc -preset p4 -tune ull -rc cbr -zerolatency 1 -delay 0 -rc-lookahead 0 ' +
      '-no-scenecut 1 -b_ref_mode disabled -a53cc 0 -profile:v main ' +
      '-b:v 2500000 -maxrate 2500000 -bufsize 1250000 -bf 0 -g 100000 -forced-idr 1 ' +
      '-force_key_frames expr:if(isnan(prev_forced_t),1,gt(floor(t/2+0.001),floor(prev_forced_t/2+0.001))) ' +
      '-fps_mode passthrough -enc_time_base 1/30 ' +
      '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv',
  );
});

test('libx264: the same stream shape', () => {
  const x264 = x264Choice({ x264Preset: 'auto' }, 'no NVENC here', 2);
  expect(videoEncoderArguments(x264, rung, { fps: 24, segmentMs: 1500 }).join(' ')).toBe(
    '-c:v libx264 -preset ultrafast -tune zerolatency -threads 1 -sc_threshold 0 -flags +cgop ' +
      '-profile:v main -b:v 2500000 -maxrate 2500000 -bufsize 1250000 -bf 0 -g 100000 -forced-idr 1 ' +
      '-force_key_frames expr:if(isnan(prev_forced_t),1,gt(floor(t/1.5+0.001),floor(prev_forced_t/1.5+0.001))) ' +
      '-fps_mode passthrough -enc_time_base 1/24 ' +
      '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv',
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

test('the reason says what ruled NVENC out, which preset, and why', () => {
  expect(x264Choice({ x264Preset: 'auto' }, 'no NVENC here: no libcuda', 2).reason).toBe(
    'no NVENC here: no libcuda; ultrafast fits 2 cores (about 0.4 of a core per broadcast)',
  );
  expect(x264Choice({ x264Preset: 'fast' }, 'libx264 is configured', 2).reason).toBe(
    'libx264 is configured; fast is configured',
  );
});
