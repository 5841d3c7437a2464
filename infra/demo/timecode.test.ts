import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPlanes, type Planes } from './planes.ts';
import { drawTimecode } from './timecode.ts';
import {
  decodeLuma,
  decodeTimecode,
  decodeTimecodeRows,
  type RgbaImage,
  timecodeBits,
  timecodeRows,
} from './timecodeLayout.ts';

const TIME = 1_795_200_000_033;

/** The luma plane as grey RGBA, scaled by area average, with noise of up to `noise` either way. */
function pictureOf(
  planes: Planes,
  size: { width: number; height: number },
  noise = 0,
  seed = 1,
): RgbaImage {
  const data = new Uint8ClampedArray(size.width * size.height * 4);
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const [left, right] = [x, x + 1].map((at) => (at * planes.width) / size.width);
      const [top, bottom] = [y, y + 1].map((at) => (at * planes.height) / size.height);
      let [sum, count] = [0, 0];
      for (let py = Math.floor(top!); py < Math.ceil(bottom!); py++) {
        for (let px = Math.floor(left!); px < Math.ceil(right!); px++) {
          sum += planes.bytes[py * planes.width + px]!;
          count += 1;
        }
      }
      const grey = sum / count + (random() * 2 - 1) * noise;
      data.fill(grey, (y * size.width + x) * 4, (y * size.width + x) * 4 + 3);
      data[(y * size.width + x) * 4 + 3] = 255;
    }
  }
  return { ...size, data };
}

function drawn(width: number, height: number, time: number): Planes {
  const planes = createPlanes(width, height);
  drawTimecode(planes, time);
  return planes;
}

describe('timecode strip', () => {
  it('has a stable layout: sync, 48 bits, CRC, sync', () => {
    expect(timecodeBits(TIME).join('')).toBe(
      '1010' + TIME.toString(2).padStart(48, '0') + '10010001' + '0110',
    );
  });

  it.each([
    [1280, 720],
    [854, 480],
    [640, 360],
    [320, 180],
    [1920, 1080],
  ])('is read back from a 720p picture scaled to %i x %i with noise', (width, height) => {
    const image = pictureOf(drawn(1280, 720, TIME), { width, height }, 50);
    expect(decodeTimecode(image)).toBe(TIME);
  });

  it('is read from the strip alone, as a page copies it out of a video', () => {
    const { data, width, height } = pictureOf(drawn(640, 360, TIME), { width: 640, height: 360 });
    const { top, rows } = timecodeRows(height);
    const strip = { width, height: rows, data: data as Uint8ClampedArray };
    strip.data = strip.data.slice(top * width * 4);
    expect(decodeTimecodeRows(strip)).toBe(TIME);
  });

  it('round-trips every time through planes of any even size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        fc.integer({ min: 160, max: 1000 }),
        (time, half) => {
          const planes = drawn(half * 2, 360, time);
          const { top } = timecodeRows(360);
          const luma = (x: number, y: number): number => planes.bytes[y * planes.width + x]!;
          expect(decodeLuma(luma, planes.width, top, 360)).toBe(time);
        },
      ),
    );
  });

  it('refuses what is not a strip: flat, cropped, damaged, washed out', () => {
    const size = { width: 1280, height: 720 };
    const good = drawn(1280, 720, TIME);
    expect(decodeTimecode(pictureOf(createPlanes(1280, 720), size))).toBeUndefined();
    const { data } = pictureOf(good, size);
    expect(decodeTimecode({ ...size, height: 700, data })).toBeUndefined();
    const shifted = { ...size, data: Array.from(data).slice(40 * 4) };
    expect(decodeTimecode(shifted)).toBeUndefined();
    const grey = { ...size, data: Array.from(data, (value) => 100 + value / 8) };
    expect(decodeTimecode(grey)).toBeUndefined();
    for (let bit = 4; bit < 60; bit++) {
      const planes = drawn(1280, 720, TIME);
      for (let y = 700; y < 720; y++) {
        for (let x = bit * 20; x < bit * 20 + 20; x++) {
          planes.bytes[y * 1280 + x] = 255 - planes.bytes[y * 1280 + x]!;
        }
      }
      const luma = (x: number, y: number): number => planes.bytes[y * 1280 + x]!;
      expect(decodeLuma(luma, 1280, 704, 720)).toBeUndefined();
    }
  });
});
