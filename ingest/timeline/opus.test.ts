import { expect, it } from 'vitest';
import { OPUS_SILENCE, OPUS_SILENCE_TICKS, opusDurationTicks } from './opus.ts';

it.each([
  ['the silence packet', [...OPUS_SILENCE], OPUS_SILENCE_TICKS],
  ['CELT 20 ms, one frame', [0xfc], 960],
  ['CELT 2.5 ms, one frame', [0xe0], 120],
  ['CELT 10 ms, two frames', [0xf1], 960],
  ['hybrid 20 ms, one frame', [0x68], 960],
  ['SILK 60 ms, one frame', [0x18], 2880],
  ['SILK 20 ms, three frames', [0x0b, 0x03], 2880],
  ['more than 120 ms, which is invalid', [0x1b, 0x3f], 960],
  ['no frames, which is invalid', [0x0b, 0x00], 960],
  ['nothing', [], 960],
])('tells the duration of %s', (_name, bytes, expected) => {
  expect(opusDurationTicks(Uint8Array.from(bytes))).toBe(expected);
});
