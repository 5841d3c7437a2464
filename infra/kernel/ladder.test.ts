import fc from 'fast-check';
import { expect, it } from 'vitest';
import { gridFault, gridSchema } from './grid.ts';
import {
  fitLadder,
  LADDER_PRESETS,
  ladderPreset,
  ladderWishSchema,
  newLadderSchema,
  resolveLadder,
} from './ladder.ts';

const rung = { name: 'v720', width: 1280, height: 720, bitrateBps: 2_500_000 };
const audio = [{ name: 'a128', bitrateBps: 128_000 }];

it.each(LADDER_PRESETS)(
  'preset %s is a ladder that may be asked for, on a grid that fits',
  (name) => {
    const { ladder, grid } = resolveLadder(
      name,
      gridSchema.parse({ segmentMs: 1500, partMs: 300 }),
    );
    expect(newLadderSchema.safeParse(ladder).error).toBeUndefined();
    expect(gridFault(grid)).toBeUndefined();
    expect(grid).toMatchObject({ segmentMs: 1500, fps: name.endsWith('60') ? 60 : 30 });
    expect(ladderWishSchema.parse(name)).toBe(name);
  },
);

it('a preset whose rate does not fit the durations takes those that do', () => {
  const grid = gridSchema.parse({ segmentMs: 2000, partMs: 400, chunkMs: 80, fps: 25 });
  expect(resolveLadder('1080p60', grid).grid).toEqual({
    ...{ segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 60 },
  });
});

it.each([
  [
    'as they are',
    [rung, { ...rung, name: 'v720-2' }, { ...rung, name: 'v720-hevc', codec: 'hevc' }],
    undefined,
  ],
  [
    'of another height',
    [{ ...rung, name: 'v480' }],
    'rung v480 must be named v720, or v720-2 and so on',
  ],
  [
    'of another codec',
    [{ ...rung, codec: 'av1' }],
    'rung v720 must be named v720-av1, or v720-av1-2 and so on',
  ],
  ['twice', [rung, rung], 'rung names must be distinct'],
])('names of rungs %s', (_title, video, fault) => {
  const result = newLadderSchema.safeParse({ video, audio });
  expect(result.error?.issues[0]?.message).toBe(fault);
});

const a64 = { name: 'a64', bitrateBps: 64_000 };

it.each([
  ['as they are', [...audio, a64, { ...a64, name: 'a64-2' }], undefined],
  [
    'of another bitrate',
    [{ ...a64, name: 'a96' }],
    'rung a96 must be named a64, or a64-2 and so on',
  ],
  ['twice', [a64, a64], 'rung names must be distinct'],
  ['none', [], 'Too small: expected array to have >=1 items'],
  [
    'five',
    Array.from({ length: 5 }, (_, n) => ({ ...a64, name: `a64-${n}` })),
    'Too big: expected array to have <=4 items',
  ],
])('audio rungs, %s', (_title, sound, fault) => {
  const result = newLadderSchema.safeParse({ video: [rung], audio: sound });
  expect(result.error?.issues[0]?.message).toBe(fault);
});

it.each([
  ['odd', { width: 1281 }],
  ['no codec of ours', { codec: 'vp9' }],
  ['no bitrate', { bitrateBps: 0 }],
])('a rung that is %s is refused', (_title, fault) => {
  expect(newLadderSchema.safeParse({ video: [{ ...rung, ...fault }], audio }).success).toBe(false);
});

it('4K keeps two more rungs than 1080p60', () => {
  expect(ladderPreset('2160p60').ladder.video.slice(2)).toEqual(
    ladderPreset('1080p60').ladder.video,
  );
});

it('an unknown preset is told which there are', () => {
  expect(ladderWishSchema.safeParse('8k').error?.issues.map(({ message }) => message)).toEqual([
    'is one of 720p, 1080p, 1080p60, 2160p60, or has video and audio rungs',
  ]);
});

const heightsArbitrary = fc.array(fc.integer({ min: 8, max: 2160 }), {
  minLength: 1,
  maxLength: 8,
});

it('what is left of a ladder is never empty nor above the source, save the lowest, and only grows', () => {
  fc.assert(
    fc.property(
      heightsArbitrary,
      fc.integer({ min: 16, max: 4320 }),
      fc.integer({ min: 0, max: 4320 }),
      (heights, sourceHeight, growth) => {
        const video = heights.map((half, index) => ({
          ...{ ...rung, name: `v${half * 2}-${index + 1}`, height: half * 2 },
        }));
        const lowest = Math.min(...video.map(({ height }) => height));
        const fitted = fitLadder({ video, audio }, sourceHeight);
        expect(fitted.audio).toEqual(audio);
        expect(fitted.video.length).toBeGreaterThan(0);
        for (const { height } of fitted.video) {
          expect(height <= sourceHeight || height === lowest).toBe(true);
        }
        // In the order of the ladder, everything that fits.
        expect(fitted.video).toEqual(video.filter((one) => fitted.video.includes(one)));
        const fits = video.filter(({ height }) => height <= sourceHeight);
        expect(fitted.video).toEqual(expect.arrayContaining(fits));
        const grown = fitLadder({ video, audio }, sourceHeight + growth);
        expect(grown.video).toEqual(expect.arrayContaining([...fitted.video]));
        expect(fitLadder({ video, audio }, undefined).video).toEqual(video);
      },
    ),
  );
});
