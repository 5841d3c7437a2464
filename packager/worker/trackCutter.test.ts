import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, fragmentsOf, steadySamples, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { concatBytes } from '../cmaf/index.ts';
import { type Fragment, TrackCutter } from './trackCutter.ts';

const grid = gridSchema.parse({});
const T0 = 1_795_196_404;
const VIDEO_START = T0 * 90_000;
const K = Math.ceil((T0 * 48_000) / 1024) * 1024;

function videoCutter(): TrackCutter {
  const startTicks = ticks(VIDEO_START);
  return new TrackCutter({ track: 'v180', grid, timescale: 90_000, startTicks });
}

function audioCutter(): TrackCutter {
  return new TrackCutter({ track: 'a128', grid, timescale: 48_000, startTicks: ticks(K) });
}

function video(start: number, count: number): Uint8Array[] {
  return fragmentsOf(steadySamples({ start, count, duration: 3000, syncEvery: 60 }));
}

function fragmentsFrom(cutter: TrackCutter, slices: readonly Uint8Array[]): Fragment[] {
  return slices
    .flatMap((slice) => cutter.push(slice))
    .flatMap((event) => (event.kind === 'fragment' ? [event.fragment] : []));
}

test('the same header and fragments come out however the bytes are sliced', () => {
  const fragments = video(VIDEO_START, 61);
  const bytes = concatBytes([VIDEO_HEADER, ...fragments]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 }), (cuts) => {
      const cutter = videoCutter();
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const events = places.slice(1).flatMap((end, i) => cutter.push(bytes.slice(places[i], end)));
      expect(events[0]).toEqual({ kind: 'init', bytes: VIDEO_HEADER });
      const got = events.flatMap((event) => (event.kind === 'fragment' ? [event.fragment] : []));
      expect(got.map((fragment) => fragment.bytes)).toEqual(fragments);
      expect(got.flatMap((f, index) => (f.startsSegment ? [index] : []))).toEqual([0, 60]);
      expect(got[1]).toMatchObject({ dts: VIDEO_START + 3000, endTicks: VIDEO_START + 6000 });
      expect(cutter.holes).toBe(0);
    }),
    { numRuns: 25 },
  );
});

test("AAC's priming frame before K is dropped", () => {
  const samples = steadySamples({ start: K - 1024, count: 96, duration: 1024 });
  const got = fragmentsFrom(audioCutter(), [AUDIO_HEADER, ...fragmentsOf(samples)]);
  expect(got).toHaveLength(95);
  expect(got[0]).toMatchObject({ dts: K, startsSegment: true });
  // Frames of segment n: those that start in it.
  expect(got.findIndex((fragment, index) => index > 0 && fragment.startsSegment)).toBe(
    Math.ceil(((T0 + 2) * 48_000 - K) / 1024),
  );
});

test.each([
  ['starts late', video(VIDEO_START + 3000, 1), 'first sample at'],
  ['starts off the beat', video(VIDEO_START + 1, 1), 'first sample at'],
  [
    'has no keyframe where a segment starts',
    fragmentsOf(
      steadySamples({ start: VIDEO_START, count: 61, duration: 3000 }).map((sample, index) => ({
        ...sample,
        isSync: index === 0,
      })),
    ),
    'starts without a keyframe',
  ],
  ['repeats a sample', [...video(VIDEO_START, 2), ...video(VIDEO_START + 3000, 1)], 'overlaps'],
])('a run that %s is off the grid', (_name, fragments, message) => {
  const run = (): unknown => fragmentsFrom(videoCutter(), [VIDEO_HEADER, ...fragments]);
  expect(run).toThrow(expect.objectContaining({ code: 'off_grid' }));
  expect(run).toThrow(message);
});

test('a track of another timescale is off the grid', () => {
  expect(() => videoCutter().push(AUDIO_HEADER)).toThrow('timescale 48000, not 90000');
});

test('a hole is let through and counted', () => {
  const cutter = videoCutter();
  fragmentsFrom(cutter, [
    VIDEO_HEADER,
    ...video(VIDEO_START, 2),
    ...video(VIDEO_START + 12_000, 1),
  ]);
  expect(cutter.holes).toBe(1);
});
