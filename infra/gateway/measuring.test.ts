import { describe, expect, it } from 'vitest';
import { heightOf, isMeasured, Measuring } from './measuring.ts';
import { DEMO_BROADCAST } from './fixtures.ts';
import { type Broadcast } from '../kernel/wire.ts';

const DEMO = DEMO_BROADCAST;
const NOBODY = new Map<string, { epoch: string }>();

/** Asks each half second; what is answered, and when. */
function watch(
  measuring: Measuring,
  broadcast: Broadcast,
  heights: readonly (number | undefined)[],
): [atMs: number, height: number][] {
  return heights.flatMap((height, index): [number, number][] => {
    const measured = measuring.judge(broadcast, height, NOBODY, index * 500);
    return measured === undefined ? [] : [[index * 500, measured]];
  });
}

const held = (height: number, times: number): number[] => Array<number>(times).fill(height);

describe('a source that nobody has declared', () => {
  it('is known at once where no rung is above it', () => {
    expect(watch(new Measuring(), DEMO, [undefined, 720])).toEqual([[500, 720]]);
    expect(watch(new Measuring(), DEMO, [1080])).toEqual([[0, 1080]]);
  });

  it('is known once it has held its height for two seconds', () => {
    expect(watch(new Measuring(), DEMO, held(360, 5))).toEqual([[2000, 360]]);
    expect(watch(new Measuring(), DEMO, [180, 270, ...held(360, 5)])).toEqual([[3000, 360]]);
    expect(watch(new Measuring(), DEMO, [...held(360, 4), undefined, ...held(360, 4)])).toEqual([]);
  });

  it('that does not settle is begun with the highest of its pictures', () => {
    const restless = Array.from({ length: 13 }, (_, index) => [360, 540, 270][index % 3]);
    expect(watch(new Measuring(), DEMO, restless)).toEqual([[6000, 540]]);
  });

  it('whose picture comes and goes is begun too, with a slate if need be', () => {
    const blinking = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? 360 : undefined));
    expect(watch(new Measuring(), DEMO, blinking)[0]).toEqual([6000, 360]);
    const brief = [360, 540, ...Array<undefined>(20).fill(undefined)];
    expect(watch(new Measuring(), DEMO, brief)[0]).toEqual([6000, 540]);
    expect(watch(new Measuring(), DEMO, Array<undefined>(20).fill(undefined))).toEqual([]);
  });

  it('only grows, and only to where there are rungs', () => {
    const small = { ...DEMO, measuredHeight: 360 };
    expect(watch(new Measuring(), small, held(180, 9))).toEqual([]);
    expect(watch(new Measuring(), small, held(400, 9))).toEqual([]);
    expect(watch(new Measuring(), small, held(480, 5))).toEqual([[2000, 480]]);
    // A peak is no growth.
    expect(watch(new Measuring(), small, [480, 480, 360, 480, 480, 480])).toEqual([]);
  });

  it('keeps what is encoded where Redis has lost how high it is, but not of a run before', () => {
    const encoders = (timestamp: number) => new Map([['demo.main.0', { epoch: `${timestamp}.1` }]]);
    expect(new Measuring().judge(DEMO, 360, encoders(1000), 0)).toBe(720);
    expect(new Measuring().judge(DEMO, 360, encoders(999), 0)).toBeUndefined();
  });
});

it('nothing is measured where it is declared, somebody else encodes, or there is one height', () => {
  const single = { ...DEMO.ladder, video: DEMO.ladder.video.slice(0, 1) };
  const known: Broadcast[] = [
    { ...DEMO, sourceHeight: 480 },
    { ...DEMO, source: { kind: 'publish' } },
    { ...DEMO, ladder: single },
  ];
  for (const broadcast of known) {
    expect(isMeasured(broadcast)).toBe(true);
    expect(watch(new Measuring(), broadcast, held(360, 20))).toEqual([]);
  }
  expect(isMeasured(DEMO)).toBe(false);
  expect(isMeasured({ ...DEMO, measuredHeight: 180 })).toBe(true);
});

it.each([
  ['16:9', 1280, 720, 720],
  ['an ultra-wide window: 720p is fitted in by its width', 1280, 534, 720],
  ['a portrait', 480, 854, 854],
  ['less than the lowest rung', 320, 180, 180],
  ['of unknown width', undefined, 360, 360],
  ['unknown', undefined, undefined, undefined],
])('no rung is above a source that it only shrinks: %s', (_what, width, height, counts) => {
  expect(heightOf(DEMO, { width, height })).toBe(counts);
});
