import { expect, test } from 'vitest';
import { DEFAULT_LADDER, type VideoRung } from '../../infra/kernel/wire.ts';
import type { EncoderChoice } from './encoder.ts';
import { videoGraph } from './filterGraph.ts';

const gpu = (one: 'nvenc' | 'qsv' | 'vaapi', isGpuScaled: boolean): EncoderChoice => ({
  ...{ class: one, name: '', reason: '', isGpuScaled },
});
const fit = (width: number, height: number): string =>
  `scale=w=${width}:h=${height}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear:out_range=tv,` +
  `pad=w=${width}:h=${height}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame,setsar=1`;
const graph = (encoder: EncoderChoice, video: readonly VideoRung[]): string[] =>
  videoGraph({ encoder, ladder: { video: [...video], audio: [] } }).split(';');

test.each([
  ['nvenc', 'format=nv12,hwupload', 'scale_cuda'],
  ['qsv', 'format=nv12,hwupload=extra_hw_frames=16', 'scale_qsv'],
  ['vaapi', 'format=nv12,hwupload', 'scale_vaapi'],
] as const)('%s: fitted once, taken up once, the rest is made there', (one, upload, scale) => {
  expect(graph(gpu(one, true), DEFAULT_LADDER.video)).toEqual([
    'split=1[u_v720]',
    `[u_v720]${fit(1280, 720)},${upload},split=3[v720][s_v480][s_v360]`,
    `[s_v480]${scale}=w=854:h=480[v480]`,
    `[s_v360]${scale}=w=640:h=360[v360]`,
  ]);
});

test('rungs of another shape have a picture of their own: a letterbox cannot be scaled into one', () => {
  const square = { name: 'v360-2', width: 360, height: 360, bitrateBps: 500_000 };
  expect(graph(gpu('nvenc', true), [...DEFAULT_LADDER.video.slice(1), square])).toEqual([
    'split=2[u_v480][u_v360_2]',
    `[u_v480]${fit(854, 480)},format=nv12,hwupload,split=2[v480][s_v360]`,
    '[s_v360]scale_cuda=w=640:h=360[v360]',
    `[u_v360_2]${fit(360, 360)},format=nv12,hwupload,split=1[v360_2]`,
  ]);
});

test.each([
  ['nvenc', 'format=nv12'],
  ['vaapi', 'format=nv12,hwupload'],
] as const)('%s without a scaler of its own: every rung comes from the processor', (one, end) => {
  expect(graph(gpu(one, false), DEFAULT_LADDER.video.slice(1))).toEqual([
    'split=2[s_v480][s_v360]',
    `[s_v480]${fit(854, 480)},${end}[v480]`,
    `[s_v360]${fit(640, 360)},${end}[v360]`,
  ]);
});
