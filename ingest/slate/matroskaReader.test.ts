import fc from 'fast-check';
import { expect, it } from 'vitest';
import { concatBytes, element, unknownSizeElement } from '../feed/ebml.ts';
import { readMatroskaVideo } from './matroskaReader.ts';

const block = (flags: number, ...data: number[]): Uint8Array =>
  element(0xa3, Uint8Array.of(0x81, 0, 0, flags, ...data));

it('reads private data and frames, through elements of unknown size and ones it does not know', () => {
  const file = concatBytes([
    element(0x1a45dfa3, Uint8Array.of(1, 2, 3)),
    unknownSizeElement(0x18538067),
    element(0x1654ae6b, element(0xae, element(0x63a2, Uint8Array.of(9, 8)))),
    element(0x1f43b675, block(0x80, 1, 2), block(0, 3)),
    element(
      0x1f43b675,
      element(
        0xa0,
        element(0xa1, Uint8Array.of(0x81, 0, 0, 0, 4)),
        element(0xfb, Uint8Array.of(1)),
      ),
      block(0x80, 5),
    ),
  ]);
  const { codecPrivate, frames } = readMatroskaVideo(file);
  expect([...codecPrivate]).toEqual([9, 8]);
  expect(frames.map(({ data, isKeyframe }) => [[...data], isKeyframe])).toEqual([
    [[1, 2], true],
    [[3], false],
    [[4], false],
    [[5], true],
  ]);
});

it('ends on any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(readMatroskaVideo(bytes).frames.length).toBeLessThanOrEqual(300);
    }),
  );
});
