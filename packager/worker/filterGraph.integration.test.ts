import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { ffmpegArguments } from './arguments.ts';
import { x264Choice } from './probe.ts';
import { startPoint } from './startPoint.ts';

const grid = gridSchema.parse({});

it.each([15, -2])(
  'keeps sound on the grid of AAC when it moves by %d ms on the way',
  async (ms) => {
    const start = startPoint(unixMs(0), grid, { leadMs: 0 });
    const { filter } = ffmpegArguments({
      encoder: x264Choice({ x264Preset: 'auto' }, 'test', 2),
      ladder: DEFAULT_LADDER,
      grid,
      start,
      targetOf: (track) => track,
    });
    const sound = filter.split(';').find((chain) => chain.startsWith('[0:a]')) ?? '';
    const moved = `sine=r=48000:d=20,asetnsamples=960,asetpts=PTS+gte(T\\,5)*${ms / 1000}/TB`;
    const { stdout } = await promisify(execFile)('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', moved, '-filter_complex', sound],
      ...['-map', `[${DEFAULT_LADDER.audio[0]!.name}]`, '-c:a', 'aac', '-f', 'framecrc', '-'],
    ]);
    const times = stdout
      .split('\n')
      .filter((line) => line.startsWith('0,'))
      .map((line) => Number(line.split(',')[1]));
    expect(times.length).toBeGreaterThan(900);
    // The encoder pads the last frame.
    const steps = times.slice(1, -1).map((time, index) => time - times[index]!);
    expect(new Set(steps)).toEqual(new Set([1024]));
  },
);
