import { expect, test } from 'vitest';
import { ladderPreset } from '../../infra/kernel/ladder.ts';
import { gpuCapacity, softwareCapacity } from './capacity.ts';
import { type PresetMeasure, presetVerdict } from './presetVerdict.ts';

const { fps, ladder } = ladderPreset('1080p60');
const preset = { fps, video: ladder.video };
const software = { ...preset, capacity: softwareCapacity(undefined, 4) };
const gpu = (sessions: number) => ({
  ...{ ...preset, sessions, capacity: gpuCapacity(undefined, sessions, ladder.video.length) },
});
const at = (speed: number): { measured: PresetMeasure } => ({ measured: { speed } });

test.each([
  [
    { ...software, ...at(1.4) },
    'carried: 2 jobs at once (half of 4 cores), one alone encodes at 1.40 times real time (4 rungs, 218 Mpixel/s)',
  ],
  [
    { ...gpu(8), ...at(5.23) },
    'carried: 2 jobs at once (8 sessions for ladders of 4), one alone encodes at 5.23 times real time (4 rungs, 218 Mpixel/s)',
  ],
  // Real time is not enough: the feed is still to be decoded.
  [
    { ...software, ...at(1.39) },
    'not carried: encodes at 1.39 times real time (4 rungs, 218 Mpixel/s)',
  ],
  [{ ...gpu(3), ...at(9) }, 'not carried: 3 sessions for 4 rungs'],
  [gpu(4), 'not carried: not tried'],
  [{ ...gpu(4), measured: { fault: 'no such level' } }, 'not carried: no such level'],
])('what is said of 1080p60 %#', (facts, detail) => {
  expect(presetVerdict(facts)).toEqual({ isCarried: detail.startsWith('carried'), detail });
});
