import { describe, expect, it } from 'vitest';
import {
  formatBitrate,
  formatClock,
  formatHeight,
  formatLatency,
  formatMs,
  formatSpan,
  UNKNOWN,
} from './format.ts';

describe('format', () => {
  it.each([
    [formatLatency(1239), '1.24 s'],
    [formatLatency(undefined), UNKNOWN],
    [formatMs(22.6), '23 ms'],
    [formatMs(0.42), '0.4 ms'],
    [formatClock(7400), '0:07'],
    [formatClock(750_000), '12:30'],
    [formatClock(7_445_000), '2:04:05'],
    [formatClock(-5), '0:00'],
    [formatMs(9.96), '10 ms'],
    [formatBitrate(2_500_000), '2.5 Mbit/s'],
    [formatBitrate(700_000), '700 kbit/s'],
    [formatBitrate(undefined), UNKNOWN],
    [formatSpan(-5), '0 s'],
    [formatSpan(59_999), '59 s'],
    [formatSpan(200_000), '3 min 20 s'],
    [formatSpan(7_500_000), '2 h 5 min'],
    [formatSpan(100 * 3_600_000), '4 d 4 h'],
    [formatHeight(720), '720p'],
  ])('%s is %s', (got, wanted) => {
    expect(got).toBe(wanted);
  });
});
