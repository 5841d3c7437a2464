/** Draws the timecode strip of timecodeLayout.ts into planes. Pure. */
import { fillRect, type Planes, yuvOf } from './planes.ts';
import { TIMECODE_BLOCKS, timecodeBits, timecodeRows } from './timecodeLayout.ts';

const WHITE = yuvOf(255, 255, 255);
const BLACK = yuvOf(0, 0, 0);

/** Draws the strip for `unixMs` (fractions cut off) over the bottom rows of the whole width. */
export function drawTimecode(target: Planes, unixMs: number): void {
  const { top, rows } = timecodeRows(target.height);
  timecodeBits(unixMs).forEach((bit, block) => {
    const x = Math.round((block * target.width) / TIMECODE_BLOCKS);
    const right = Math.round(((block + 1) * target.width) / TIMECODE_BLOCKS);
    fillRect(target, { x, y: top, width: right - x, height: rows + 1 }, bit === 1 ? WHITE : BLACK);
  });
}
