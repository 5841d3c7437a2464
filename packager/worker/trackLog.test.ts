import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ticks } from '../../infra/kernel/time.ts';
import type { Fragment } from './trackCutter.ts';
import { TrackLog } from './trackLog.ts';

/** `perSegment` fragments of 10 ticks each; a segment starts at each multiple of 10·perSegment. */
function fragmentAt(index: number, perSegment = 4, bytes = 1): Fragment {
  return {
    dts: ticks(index * 10),
    endTicks: index * 10 + 10,
    startsSegment: index % perSegment === 0,
    bytes: new Uint8Array(bytes),
  };
}

function filled(count: number, maxBytes = 1000): TrackLog {
  const log = new TrackLog(maxBytes);
  log.beginRun();
  for (let index = 0; index < count; index += 1) {
    log.append(fragmentAt(index));
  }
  return log;
}

test.each([
  [3, 0],
  [19, 0],
  [20, 0],
  [21, 4],
  [24, 4],
  [25, 8],
])('of %i fragments those from %i on are kept: four segments and the open one', (count, first) => {
  const log = filled(count);
  expect([log.firstIndex, log.nextIndex, log.bytes]).toEqual([first, count, count - first]);
  expect(log.at(first)?.fragment.dts).toBe(first * 10);
  expect(log.at(first - 1)).toBeUndefined();
  expect(log.at(count)).toBeUndefined();
});

test.each([
  ['an origin that has nothing starts at a segment', null, 4],
  ['goes on at the very next fragment', 150, 15],
  ['starts over at a segment where the next one is not kept', 20, 4],
  ['starts over at a segment where it has half of one', 145, 16],
  ['waits where it has everything', 220, undefined],
])('resume: %s', (_name, nextTicks, index) => {
  expect(filled(22).resumeIndex(nextTicks)).toBe(index);
});

test('never holds more than its bytes, but always the newest fragment', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      (sizes, perSegment) => {
        const log = new TrackLog(100);
        log.beginRun();
        sizes.forEach((size, index) => {
          log.append(fragmentAt(index, perSegment, size));
          expect(log.bytes).toBeLessThanOrEqual(100);
          expect(log.at(log.nextIndex - 1)?.fragment.dts).toBe(index * 10);
          let bytes = 0;
          for (let at = log.firstIndex; at < log.nextIndex; at += 1) {
            bytes += log.at(at)?.fragment.bytes.length ?? 0;
          }
          expect(log.bytes).toBe(bytes);
        });
      },
    ),
  );
});

test('a header that differs from the first is not accepted', () => {
  const log = new TrackLog(1000);
  expect(log.acceptInit(Uint8Array.of(1, 2))).toBe(true);
  expect(log.acceptInit(Uint8Array.of(1, 2))).toBe(true);
  expect(log.acceptInit(Uint8Array.of(1, 3))).toBe(false);
  expect(log.init).toEqual(Uint8Array.of(1, 2));
});

test('a run has ended when it is told so, when the next begins, and when the log closes', () => {
  const log = filled(1);
  expect(log.hasEnded(1)).toBe(false);
  log.endRun();
  expect(log.hasEnded(1)).toBe(true);
  log.beginRun();
  expect([log.hasEnded(1), log.hasEnded(2)]).toEqual([true, false]);
  log.close();
  expect(log.hasEnded(2)).toBe(true);
});
