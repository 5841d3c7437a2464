/**
 * Pictures as planes of YUV 4:2:0 (BT.709, limited range) and the few things that the scene does
 * with them: fill, copy, blend. Pure arithmetic on bytes that the caller owns. Positions and sizes
 * are even, so that chroma lies on whole samples; everything is clipped to the picture.
 */

/** One picture: Y, then U, then V in one buffer, as ffmpeg's rawvideo yuv420p has them. */
export type Planes = {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
};

/** A picture with coverage: 0 is background, 255 is picture. */
export type Sprite = Planes & {
  /** One byte for each luma sample. */
  readonly alpha: Uint8Array;
};

/** A rectangle in luma samples. */
export type Rect = {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
};

/** Bytes of a picture of that size. */
export function planesSize(width: number, height: number): number {
  return (width * height * 3) / 2;
}

/** A new black picture. */
export function createPlanes(width: number, height: number): Planes {
  const bytes = new Uint8Array(planesSize(width, height));
  bytes.fill(16, 0, width * height);
  bytes.fill(128, width * height);
  return { width, height, bytes };
}

/** Y, U and V of a colour given as 0 to 255 (BT.709 limited range). */
export function yuvOf(red: number, green: number, blue: number): readonly [number, number, number] {
  const y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return [
    Math.round(16 + (y * 219) / 255),
    Math.round(128 + ((blue - y) / 1.8556) * (224 / 255)),
    Math.round(128 + ((red - y) / 1.5748) * (224 / 255)),
  ];
}

/** Converts RGBA rows; the alpha goes to the sprite's coverage, the colour is taken unmultiplied. */
export function spriteFromRgba(
  data: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
): Sprite {
  const planes = createPlanes(width, height);
  const alpha = new Uint8Array(width * height);
  const chromaWidth = width / 2;
  const uAt = width * height;
  const vAt = uAt + (chromaWidth * height) / 2;
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      let [uSum, vSum, weight] = [0, 0, 0];
      for (let corner = 0; corner < 4; corner++) {
        const at = (y + (corner >> 1)) * width + x + (corner & 1);
        const cover = data[at * 4 + 3] ?? 0;
        const [luma, u, v] = yuvOf(data[at * 4] ?? 0, data[at * 4 + 1] ?? 0, data[at * 4 + 2] ?? 0);
        planes.bytes[at] = luma;
        alpha[at] = cover;
        uSum += u * cover;
        vSum += v * cover;
        weight += cover;
      }
      const chroma = (y / 2) * chromaWidth + x / 2;
      planes.bytes[uAt + chroma] = weight === 0 ? 128 : Math.round(uSum / weight);
      planes.bytes[vAt + chroma] = weight === 0 ? 128 : Math.round(vSum / weight);
    }
  }
  return { ...planes, alpha };
}

/** The part of `rect` that lies on the picture, on even samples. */
export function clip(target: Planes, rect: Rect): Rect {
  const x = even(Math.max(0, rect.x));
  const y = even(Math.max(0, rect.y));
  const right = Math.min(target.width, even(rect.x + rect.width));
  const bottom = Math.min(target.height, even(rect.y + rect.height));
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

/** Fills a rectangle with one colour. */
export function fillRect(
  target: Planes,
  rect: Rect,
  [y, u, v]: readonly [number, number, number],
): void {
  const part = clip(target, rect);
  eachRow(target, part, (plane, at, length) => {
    target.bytes.fill(plane === 0 ? y : plane === 1 ? u : v, at, at + length);
  });
}

/** Copies a rectangle from a picture of the same size (or `source` at an offset of its own). */
export function copyRect(
  target: Planes,
  source: Planes,
  rect: Rect,
  from: { readonly x: number; readonly y: number } = rect,
): void {
  const part = clip(target, rect);
  const dx = even(from.x) - even(rect.x);
  const dy = even(from.y) - even(rect.y);
  eachRow(target, part, (plane, at, length, x, y) => {
    const half = plane === 0 ? 1 : 2;
    const start = planeAt(source, plane) + (y + dy / half) * (source.width / half) + x + dx / half;
    target.bytes.set(source.bytes.subarray(start, start + length), at);
  });
}

/**
 * Blends a sprite over the picture.
 *
 * @param opacity 0 to 1, on top of the sprite's own coverage
 */
export function blend(target: Planes, sprite: Sprite, x: number, y: number, opacity = 1): Rect {
  const left = even(x);
  const top = even(y);
  const part = clip(target, { x: left, y: top, width: sprite.width, height: sprite.height });
  const scale = Math.round(opacity * 256);
  const { bytes, alpha } = sprite;
  eachRow(target, part, (plane, at, length, px, py) => {
    const half = plane === 0 ? 1 : 2;
    const stride = sprite.width / half;
    const row = py - top / half;
    const from = planeAt(sprite, plane) + row * stride + px - left / half;
    const alphaAt = row * half * sprite.width + (px - left / half) * half;
    for (let index = 0; index < length; index++) {
      const cover = ((alpha[alphaAt + index * half] ?? 0) * scale) >> 8;
      if (cover !== 0) {
        const under = target.bytes[at + index] ?? 0;
        const over = bytes[from + index] ?? 0;
        target.bytes[at + index] = under + (((over - under) * (cover + (cover >> 7))) >> 8);
      }
    }
  });
  return part;
}

/** Calls `row` for each row of each plane of a clipped rectangle. */
function eachRow(
  target: Planes,
  part: Rect,
  row: (plane: 0 | 1 | 2, at: number, length: number, x: number, y: number) => void,
): void {
  for (const plane of [0, 1, 2] as const) {
    const half = plane === 0 ? 1 : 2;
    const stride = target.width / half;
    const start = planeAt(target, plane);
    const x = part.x / half;
    const length = part.width / half;
    for (let y = part.y / half; y < (part.y + part.height) / half; y++) {
      row(plane, start + y * stride + x, length, x, y);
    }
  }
}

function planeAt(planes: Planes, plane: 0 | 1 | 2): number {
  const luma = planes.width * planes.height;
  return plane === 0 ? 0 : plane === 1 ? luma : luma + luma / 4;
}

function even(value: number): number {
  return Math.floor(value / 2) * 2;
}
