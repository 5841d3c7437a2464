/**
 * The machine-readable UTC strip along the bottom edge of the demo's picture: where it lies, what
 * its blocks say, and how to read it back from pixels. Browser-safe: no imports. Drawing into the
 * demo's planes is timecode.ts; what is done with the time is the reader's.
 *
 * 64 blocks of equal width, black or white: 4 sync (1010), 48 bits of Unix milliseconds (most
 * significant first), 8 bits CRC-8 of these six bytes, 4 sync (0110). The sync blocks also give the
 * two levels that the others are judged by.
 */

/** Blocks across the full width of the picture; 20 pixels each at 1280. */
export const TIMECODE_BLOCKS = 64;

/** Height of the strip as a part of the picture's height; 16 pixels at 720. */
export const TIMECODE_HEIGHT_RATIO = 1 / 45;

const HEAD = [1, 0, 1, 0] as const;
const TAIL = [0, 1, 1, 0] as const;
const DATA_BITS = 48;
const CRC_BITS = 8;
/** Least difference of the two levels, of 255, for a strip to be one. */
const MIN_CONTRAST = 60;
/** Part of the contrast around its middle in which a block is neither black nor white. */
const DEAD_ZONE = 0.12;

/**
 * A square inside the panel that is bright for three frames from each UTC second, as parts of the
 * picture's width and height: for measuring sound against picture. Above half luma means flash.
 */
export const FLASH_PANEL = {
  left: 942 / 1280,
  top: 236 / 720,
  width: 140 / 1280,
  height: 140 / 720,
} as const;

/** Pixels as `CanvasRenderingContext2D.getImageData` gives them. */
export type RgbaImage = {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
};

/** First row and height of the strip in a picture of `height` rows. */
export function timecodeRows(height: number): { readonly top: number; readonly rows: number } {
  const rows = Math.max(2, Math.round(height * TIMECODE_HEIGHT_RATIO));
  return { top: height - rows, rows };
}

/** The 64 blocks for a time, left to right; 1 is white. Fractions of a millisecond are cut off. */
export function timecodeBits(unixMs: number): number[] {
  const value = Math.floor(unixMs);
  const bytes: number[] = [];
  for (let shift = 5; shift >= 0; shift--) {
    bytes.push(Math.floor(value / 256 ** shift) % 256);
  }
  const bits = [...bytes, crc8(bytes)].flatMap((byte) =>
    Array.from({ length: 8 }, (_, index) => (byte >> (7 - index)) & 1),
  );
  return [...HEAD, ...bits, ...TAIL];
}

/**
 * Reads the strip from a whole picture.
 *
 * @returns Unix ms, or undefined where there is no strip that can be trusted
 */
export function decodeTimecode(image: RgbaImage): number | undefined {
  const { top } = timecodeRows(image.height);
  return decodeTimecodeRows(image, top, image.height);
}

/**
 * Reads the strip from the rows `top` (included) to `bottom` (not included) of an image that holds
 * little more than the strip: a page need only copy these rows out of a video.
 *
 * @returns Unix ms, or undefined where there is no strip that can be trusted
 */
export function decodeTimecodeRows(
  image: RgbaImage,
  top = 0,
  bottom = image.height,
): number | undefined {
  const { width, data } = image;
  return decodeLuma(
    (x, y) => {
      const at = (y * width + x) * 4;
      // BT.709 weights; the strip is grey, so any weights would do.
      return 0.2126 * (data[at] ?? 0) + 0.7152 * (data[at + 1] ?? 0) + 0.0722 * (data[at + 2] ?? 0);
    },
    width,
    top,
    bottom,
  );
}

/** Reads the strip through a luma sampler (0 to 255): for planes instead of RGBA. */
export function decodeLuma(
  luma: (x: number, y: number) => number,
  width: number,
  top: number,
  bottom: number,
): number | undefined {
  if (width < TIMECODE_BLOCKS * 2 || bottom <= top) {
    return undefined;
  }
  const levels = Array.from({ length: TIMECODE_BLOCKS }, (_, block) =>
    blockLevel(luma, width, top, bottom, block),
  );
  const bits = bitsOf(levels);
  return bits === undefined ? undefined : timeOf(bits);
}

function blockLevel(
  luma: (x: number, y: number) => number,
  width: number,
  top: number,
  bottom: number,
  block: number,
): number {
  const blockWidth = width / TIMECODE_BLOCKS;
  const rows = bottom - top;
  // The middle half each way: edges are blurred by scaling and coding.
  const left = Math.floor((block + 0.25) * blockWidth);
  const right = Math.max(left + 1, Math.ceil((block + 0.75) * blockWidth));
  const first = top + Math.floor(rows * 0.25);
  const last = Math.max(first + 1, top + Math.ceil(rows * 0.75));
  let sum = 0;
  for (let y = first; y < last; y++) {
    for (let x = left; x < right; x++) {
      sum += luma(x, y);
    }
  }
  return sum / ((right - left) * (last - first));
}

function bitsOf(levels: readonly number[]): number[] | undefined {
  const sync = [
    ...HEAD.map((bit, index) => ({ bit, level: levels[index] ?? 0 })),
    ...TAIL.map((bit, index) => ({
      bit,
      level: levels[TIMECODE_BLOCKS - TAIL.length + index] ?? 0,
    })),
  ];
  const mean = (wanted: number): number => {
    const chosen = sync.filter(({ bit }) => bit === wanted);
    return chosen.reduce((sum, { level }) => sum + level, 0) / chosen.length;
  };
  const black = mean(0);
  const contrast = mean(1) - black;
  if (contrast < MIN_CONTRAST) {
    return undefined;
  }
  const bits: number[] = [];
  for (const level of levels) {
    const position = (level - black) / contrast;
    if (Math.abs(position - 0.5) < DEAD_ZONE) {
      return undefined;
    }
    bits.push(position > 0.5 ? 1 : 0);
  }
  return bits;
}

function timeOf(bits: readonly number[]): number | undefined {
  const matches = (pattern: readonly number[], from: number): boolean =>
    pattern.every((bit, index) => bits[from + index] === bit);
  if (!matches(HEAD, 0) || !matches(TAIL, TIMECODE_BLOCKS - TAIL.length)) {
    return undefined;
  }
  const bytes: number[] = [];
  for (let from = HEAD.length; from < HEAD.length + DATA_BITS + CRC_BITS; from += 8) {
    bytes.push(bits.slice(from, from + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  }
  const crc = bytes.pop();
  return crc === crc8(bytes) ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : undefined;
}

/** CRC-8, polynomial 0x07, initial value 0xff: all-black and all-white data do not pass. */
function crc8(bytes: readonly number[]): number {
  let crc = 0xff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x80) === 0 ? (crc << 1) & 0xff : ((crc << 1) ^ 0x07) & 0xff;
    }
  }
  return crc;
}
