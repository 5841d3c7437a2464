import { describe, expect, it } from 'vitest';
import { ReceptionStatistics } from './receptionStatistics.ts';

describe('ReceptionStatistics', () => {
  it('tells the loss since the last block and in all, across the sequence wrap', () => {
    const source = new ReceptionStatistics(7, 90_000);
    expect(source.block(0)).toBeUndefined();
    for (const sequence of [65_533, 65_534, 65_535, 1]) {
      source.arrived(sequence, 0, 0); // 0 is lost
    }
    expect(source.block(0)).toMatchObject({
      ssrc: 7,
      fractionLost: Math.floor(256 / 5),
      cumulativeLost: 1,
      highestSequence: 0x10001,
    });
    for (const sequence of [2, 3, 4, 4]) {
      source.arrived(sequence, 0, 0);
    }
    // A duplicate makes up for the loss in the sum, never below zero in the fraction.
    expect(source.block(0)).toMatchObject({ fractionLost: 0, cumulativeLost: 0 });
  });

  it('measures jitter in RTP time, over the timestamp wrap', () => {
    const source = new ReceptionStatistics(7, 90_000);
    let timestamp = 2 ** 32 - 3000;
    for (let index = 0; index < 400; index += 1) {
      source.arrived(index, timestamp, index * 40 + (index % 2) * 10); // 10 ms to and fro
      timestamp = (timestamp + 3600) % 2 ** 32;
    }
    expect(source.block(0)?.jitter).toBe(899); // 10 ms
  });

  it('says which sender report came last, and when', () => {
    const source = new ReceptionStatistics(7, 90_000);
    source.arrived(1, 0, 0);
    expect(source.block(0)).toMatchObject({ lastReport: 0, delaySinceLastReport: 0 });
    source.senderReport(0x1234_5678, 0x9abc_def0, 1000);
    expect(source.block(1500)).toMatchObject({
      lastReport: 0x5678_9abc,
      delaySinceLastReport: 32_768,
    });
  });
});
