import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Ordered, ReorderBuffer } from './reorderBuffer.ts';
import type { StreamPacket } from './rtpPacket.ts';

const packet = (sequence: number, arrivedMs = 0): StreamPacket => ({
  sequence,
  rtpTime: sequence * 3000,
  marker: false,
  payload: Uint8Array.of(1),
  arrivedMs,
});
const names = (ordered: readonly Ordered[]): (number | string)[] =>
  ordered.map((item) => (item.kind === 'packet' ? item.packet.sequence : `lost ${item.count}`));

describe('ReorderBuffer', () => {
  it('gives any shuffled, duplicated run back in order, once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 70_000 }),
        fc.shuffledSubarray(
          Array.from({ length: 30 }, (_, index) => index + 1),
          { minLength: 30 },
        ),
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 10 }),
        (start, order, duplicates) => {
          const buffer = new ReorderBuffer({ deadlineMs: 200 });
          const out = [0, ...order, ...duplicates].flatMap((offset) =>
            buffer.push(packet(start + offset), 0),
          );
          expect(names(out)).toEqual(Array.from({ length: 31 }, (_, index) => start + index));
          expect(buffer.dropped).toBe(duplicates.length);
        },
      ),
    );
  });

  it('waits for a gap until its deadline, then reports the loss', () => {
    const buffer = new ReorderBuffer({ deadlineMs: 200 });
    expect(names(buffer.push(packet(10), 0))).toEqual([10]);
    expect(names(buffer.push(packet(13, 5), 5))).toEqual([]);
    expect(names(buffer.push(packet(12, 50), 50))).toEqual([]);
    expect(names(buffer.poll(204))).toEqual([]);
    expect(names(buffer.poll(205))).toEqual(['lost 1', 12, 13]);
    expect(names(buffer.push(packet(11), 206))).toEqual([]);
    expect(buffer.dropped).toBe(1);
  });

  it('gives a second gap its own deadline, from when it could be seen', () => {
    const buffer = new ReorderBuffer({ deadlineMs: 200 });
    buffer.push(packet(1, 0), 0);
    buffer.push(packet(3, 0), 0);
    buffer.push(packet(5, 150), 150);
    expect(names(buffer.poll(200))).toEqual(['lost 1', 3]);
    expect(names(buffer.poll(349))).toEqual([]);
    expect(names(buffer.poll(350))).toEqual(['lost 1', 5]);
  });

  it('does not wait across a jump that is larger than the buffer', () => {
    const buffer = new ReorderBuffer({ deadlineMs: 200, maxPackets: 100 });
    buffer.push(packet(1), 0);
    expect(names(buffer.push(packet(5000), 0))).toEqual(['lost 4998', 5000]);
  });
});
