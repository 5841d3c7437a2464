import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StampedUnit } from '../../infra/kernel/media.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { elementHead, uintElement } from './ebml.ts';
import { JoinCache } from './joinCache.ts';
import { ClusterWriter, feedHeader, type FeedChunk } from './matroska.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** 2026-11-20T19:00:00Z. */
const EPOCH_S = 1_795_201_200;

function unit(kind: 'video' | 'audio', offsetMs: number, isKeyframe = true): StampedUnit {
  const rate = kind === 'video' ? 90 : 48;
  const time = ticks(EPOCH_S * 1000 * rate + offsetMs * rate);
  return { kind, time, data: Uint8Array.of(1, 2), isKeyframe };
}

describe('EBML', () => {
  it.each([
    [0, '80'],
    [126, 'fe'],
    [127, '1000007f'],
    [70_000, '10011170'],
    [300_000_000, '0100000011e1a300'],
  ])('writes the size %d', (size, expected) => {
    expect(hex(elementHead(0xa3, size))).toBe(`a3${expected}`);
  });

  it('writes integers beyond 32 bits', () => {
    expect(hex(uintElement(0xe7, EPOCH_S * 10_000))).toBe('e7861053c74c5b00');
  });
});

describe('the feed header', () => {
  it('is what RFC 9559 says, byte for byte', () => {
    const decoderConfiguration = Uint8Array.of(1, 0x42, 0xc0, 0x1f);
    const header = feedHeader({ codec: 'h264', width: 1280, height: 720, decoderConfiguration });
    expect(hex(header)).toMatchInlineSnapshot(
      `"1a45dfa3a34286810142f7810142f2810442f381084282886d6174726f736b6142878104428581021853806701ffffffffffffff1549a966a12ad7b1830186a04d808a6772616e647374616e6457418a6772616e647374616e641654ae6bf5aeafd7810173c581018381019c8100868f565f4d504547342f49534f2f41564363a2840142c01fe088b0820500ba8202d0aec2d7810273c581028381029c81008686415f4f50555363a2934f707573486561640102000080bb000000000056aa810056bb8100e18db58840e77000000000009f8102"`,
    );
  });
});

describe('clusters', () => {
  it('begin at each video keyframe and after 2 s, and hold blocks of both tracks', () => {
    const writer = new ClusterWriter();
    const written = [
      unit('audio', -10),
      unit('video', 0),
      unit('audio', -5),
      unit('video', 33, false),
      unit('audio', 1999),
      unit('video', 2000, false),
      unit('video', 2040),
    ].map((each) => writer.write(each));
    expect(written.map(({ bytes }) => hex(bytes))).toMatchInlineSnapshot(`
      [
        "1f43b67501ffffffffffffffe7861053c74c5a9ca386820000800102",
        "1f43b67501ffffffffffffffe7861053c74c5b00a386810000800102",
        "a38682ffce800102",
        "a38681014a000102",
        "a386824e16800102",
        "1f43b67501ffffffffffffffe7861053c74ca920a386810000000102",
        "1f43b67501ffffffffffffffe7861053c74caab0a386810000800102",
      ]
    `);
    expect(written.map(({ isJoinPoint }) => isJoinPoint)).toEqual([
      ...[false, true, false, false, false, false, true],
    ]);
  });
});

describe('the join cache', () => {
  const chunk = (time: number, isJoinPoint: boolean, length = 1): FeedChunk => ({
    ...{ bytes: new Uint8Array(length), isJoinPoint, kind: 'video', time },
  });

  it('is empty before the first keyframe and past 4 s', () => {
    const cache = new JoinCache();
    cache.push(chunk(0, false));
    expect(cache.chunks()).toBeUndefined();
    cache.push(chunk(1000, true));
    cache.push(chunk(41_000, false));
    expect(cache.chunks()).toHaveLength(2);
    cache.push(chunk(41_001, false));
    expect(cache.chunks()).toBeUndefined();
  });

  it('always begins with the newest join point and stays within its bounds', () => {
    const input = fc.record({
      stepMs: fc.integer({ min: 0, max: 900 }),
      isJoinPoint: fc.boolean(),
      length: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(input), (inputs) => {
        const cache = new JoinCache({ maxMs: 4000, maxBytes: 1000 });
        let time = 0;
        let newest: Uint8Array | undefined;
        for (const { stepMs, isJoinPoint, length } of inputs) {
          time += stepMs * 10;
          const next = chunk(time, isJoinPoint, length);
          newest = isJoinPoint ? next.bytes : newest;
          cache.push(next);
          const held = cache.chunks();
          if (held !== undefined) {
            expect(held[0]).toBe(newest);
            expect(held.at(-1)).toBe(next.bytes);
            expect(held.reduce((sum, bytes) => sum + bytes.length, 0)).toBeLessThanOrEqual(1000);
          }
        }
      }),
    );
  });
});
