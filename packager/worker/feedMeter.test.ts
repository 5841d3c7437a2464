import { expect, test } from 'vitest';
import { FeedMeter } from './feedMeter.ts';

const HALF_A_SLOT = { earlierMs: 20, laterMs: 20 };

test('a fragment is as late as the unit that it was made of is old', () => {
  const meter = new FeedMeter();
  for (let index = 0; index < 4; index += 1) {
    // 25 fps, half a slot beside the grid, each 30 ms on its way.
    meter.arrived({ kind: 'video', stampMs: 1000 + index * 40 - 19 }, 1000 + index * 40 + 11);
  }
  expect(meter.framesIn).toBe(4);
  expect(meter.published('video', 1000, HALF_A_SLOT, 1100)).toBe(89);
  expect(meter.published('video', 1040, HALF_A_SLOT, 1140)).toBe(89);
  expect(meter.published('video', 1080, HALF_A_SLOT, 1200)).toBe(109);
  // A slot that the source left out is filled: nothing was late.
  expect(meter.published('video', 1160, HALF_A_SLOT, 1300)).toBeUndefined();
  expect(meter.published('audio', 1000, { earlierMs: 60, laterMs: 0 }, 1100)).toBeUndefined();
  expect(meter.takeDelays('video')).toEqual({ p50Ms: 89, p95Ms: 109 });
  expect(meter.takeDelays('video')).toBeUndefined();
});

test('sound is counted from the packet that its first sample is in, and not as pictures', () => {
  const meter = new FeedMeter();
  meter.arrived({ kind: 'audio', stampMs: 1000 }, 1030);
  meter.arrived({ kind: 'audio', stampMs: 1020 }, 1050);
  expect(meter.published('audio', 1019, { earlierMs: 60, laterMs: 0 }, 1130)).toBe(100);
  expect(meter.framesIn).toBe(0);
});

test('what it keeps is bounded', () => {
  const meter = new FeedMeter();
  for (let index = 0; index < 5000; index += 1) {
    meter.arrived({ kind: 'video', stampMs: index }, index);
    meter.published('video', index, HALF_A_SLOT, index + 1);
  }
  expect(meter.published('video', 100, HALF_A_SLOT, 6000)).toBeUndefined();
  expect(meter.takeDelays('video')).toEqual({ p50Ms: 1, p95Ms: 1 });
});
