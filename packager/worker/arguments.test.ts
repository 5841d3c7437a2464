import { expect, test } from 'vitest';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { ffmpegArguments } from './arguments.ts';
import { x264Choice } from './probe.ts';
import { startPoint } from './startPoint.ts';

test('the command line of a ladder', () => {
  const grid = gridSchema.parse({});
  const args = ffmpegArguments({
    encoder: x264Choice({ x264Preset: 'auto' }, 'test', 2),
    ladder: {
      video: DEFAULT_LADDER.video.slice(1),
      audio: [...DEFAULT_LADDER.audio, { name: 'a64', bitrateBps: 64_000 }],
    },
    grid,
    start: startPoint(unixMs(1_795_196_401_900), grid, { leadMs: 700 }),
    targetOf: (track) => `unix:/tmp/x/${track}`,
  });
  const lines = [
    args.input.join(' '),
    ...args.filter.split(';'),
    ...args.outputs.map(({ track, options, target }) => [track, ...options, target].join(' ')),
  ];
  const encode =
    '-c:v libx264 -preset ultrafast -tune zerolatency -threads 1 -sc_threshold 0 -flags +cgop -profile:v main ' +
    '-bf 0 -g 100000 -forced-idr 1';
  const grids =
    '-force_key_frames expr:if(isnan(prev_forced_t),1,gt(floor(t/2+0.001),floor(prev_forced_t/2+0.001))) ' +
    '-fps_mode passthrough -enc_time_base 1/30 ' +
    '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv -video_track_timescale 90000';
  const container =
    '-map_metadata -1 -flush_packets 1 -muxdelay 0 -muxpreload 0 ' +
    '-f mp4 -movflags cmaf+frag_every_frame+frag_discont+skip_trailer';
  const scale = (width: number, height: number): string =>
    `scale=w=${width}:h=${height}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear:out_range=tv,` +
    `pad=w=${width}:h=${height}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame,setsar=1,format=yuv420p`;
  expect(lines).toEqual([
    '-hide_banner -nostats -nostdin -loglevel level+warning -filter_complex_threads 1 -copyts ' +
      '-flags low_delay -threads 1 -reinit_filter 0 ' +
      '-analyzeduration 0 -probesize 32 -fpsprobesize 0 -f matroska',
    '[0:v]fps=30:start_time=1795196404.000000,split=2[s_v480][s_v360]',
    `[s_v480]${scale(854, 480)}[v480]`,
    `[s_v360]${scale(640, 360)}[v360]`,
    '[0:a]aresample=48000:async=480:flags=res:first_pts=86169427392512,aformat=sample_fmts=fltp:channel_layouts=stereo[a128]',
    '[0:a]aresample=48000:async=480:flags=res:first_pts=86169427392512,aformat=sample_fmts=fltp:channel_layouts=stereo[a64]',
    `v480 -map [v480] ${encode} -b:v 1200000 -maxrate 1200000 -bufsize 1200000 ${grids} ${container} unix:/tmp/x/v480`,
    `v360 -map [v360] ${encode} -b:v 700000 -maxrate 700000 -bufsize 700000 ${grids} ${container} unix:/tmp/x/v360`,
    `a128 -map [a128] -c:a aac -b:a 128000 ${container} unix:/tmp/x/a128`,
    `a64 -map [a64] -c:a aac -b:a 64000 ${container} unix:/tmp/x/a64`,
  ]);
  // fluent-ffmpeg splits an option at its only space.
  expect(args.outputs.flatMap(({ options }) => options).filter((o) => o.includes(' '))).toEqual([]);
});

test('a GPU is opened before the feed, decodes it, and gives the picture back', () => {
  const grid = gridSchema.parse({});
  const { input } = ffmpegArguments({
    encoder: {
      class: 'qsv',
      name: 'h264_qsv',
      reason: '',
      device: '/dev/dri/renderD129',
      isGpuScaled: true,
    },
    ladder: DEFAULT_LADDER,
    grid,
    start: startPoint(unixMs(1_795_196_401_900), grid, { leadMs: 700 }),
    targetOf: (track) => track,
  });
  expect(input.join(' ')).toContain(
    '-copyts -init_hw_device vaapi=va:/dev/dri/renderD129 -init_hw_device qsv=gpu@va ' +
      '-filter_hw_device gpu -hwaccel vaapi -hwaccel_device va -flags low_delay',
  );
});
