/**
 * The grid: which segment, part and chunk an instant belongs to (architecture §2). Stateless
 * integer arithmetic, so any worker and any origin, started at any time, agree.
 */
import { z } from 'zod';
import { type Ticks, ticks } from './time.ts';

/** Durations of the nested grid, in ms, and the constant output frame rate that fits it. */
export const gridSchema = z
  .strictObject({
    segmentMs: z.int().min(1000).max(3000).default(2000).describe('Segment duration D (ms).'),
    partMs: z.int().min(100).default(500).describe('HLS part duration P (ms); divides D.'),
    chunkMs: z.int().min(20).default(100).describe('CMAF chunk duration C (ms); divides P.'),
    fps: z.int().min(1).max(120).default(30).describe('Output frame rate (frames per second).'),
  })
  .superRefine((grid, context) => {
    const fault = gridFault(grid);
    if (fault !== undefined) {
      context.addIssue({ code: 'custom', message: fault });
    }
  });

/** Durations of segment, part and chunk (ms) and the output frame rate. */
export type Grid = Readonly<z.output<typeof gridSchema>>;

/** Where an instant lies on the grid. `part` and `chunk` count from 0 inside the segment. */
export type GridPosition = { readonly msn: number; readonly part: number; readonly chunk: number };

/** Text of the first rule that `grid` breaks with the nearest triple that fits, or undefined. */
export function gridFault(grid: {
  segmentMs: number;
  partMs: number;
  chunkMs: number;
  fps: number;
}): string | undefined {
  const { segmentMs, partMs, chunkMs, fps } = grid;
  const wholeFrames = (ms: number): boolean => (ms * fps) % 1000 === 0;
  if (
    segmentMs % partMs === 0 &&
    partMs % chunkMs === 0 &&
    [segmentMs, partMs, chunkMs].every(wholeFrames)
  ) {
    return undefined;
  }
  const fit = nearestGrid(fps);
  return (
    `chunk ${chunkMs} ms | part ${partMs} ms | segment ${segmentMs} ms must divide each other and each be ` +
    `a whole number of frames at ${fps} fps; for ${fps} fps use ${fit.chunkMs}/${fit.partMs}/${fit.segmentMs}`
  );
}

/** A triple that fits `fps`: 2 s segments where a whole number of frames allows it. */
export function nearestGrid(fps: number): Grid {
  const frames = (ms: number): boolean => (ms * fps) % 1000 === 0;
  const segmentMs = 2000;
  for (const partMs of [500, 400, 1000]) {
    for (const chunkMs of [100, 125, 80, 200, 250, 500, 1000]) {
      if (partMs % chunkMs === 0 && segmentMs % partMs === 0 && frames(partMs) && frames(chunkMs)) {
        return { segmentMs, partMs, chunkMs, fps };
      }
    }
  }
  return { segmentMs, partMs: 1000, chunkMs: 1000, fps };
}

/** Position of the sample whose decode time is `dts`: floor(dts / (D·timescale)) and so on. */
export function gridPosition(grid: Grid, dts: Ticks, timescale: number): GridPosition {
  const segment = gridTicks(grid.segmentMs, timescale);
  const msn = Math.floor(dts / segment);
  const rest = dts - msn * segment;
  return {
    msn,
    part: Math.floor(rest / gridTicks(grid.partMs, timescale)),
    chunk: Math.floor(rest / gridTicks(grid.chunkMs, timescale)),
  };
}

/** First tick of segment `msn`, optionally of part `part` inside it. */
export function gridStart(grid: Grid, msn: number, timescale: number, part = 0): Ticks {
  return ticks(
    msn * gridTicks(grid.segmentMs, timescale) + part * gridTicks(grid.partMs, timescale),
  );
}

/** Number of parts in a full segment. */
export function partsPerSegment(grid: Grid): number {
  return grid.segmentMs / grid.partMs;
}

/** Ticks of a grid duration; throws RangeError where `ms` is not a whole number of ticks. */
export function gridTicks(ms: number, timescale: number): number {
  return ticks((ms * timescale) / 1000);
}

/**
 * PART-TARGET of every playlist in ms: the longest part of any track, whole AAC frames of 1024
 * samples included, rounded up to a millisecond (architecture §2: 512 at the defaults).
 */
export function partTargetMs(grid: Grid): number {
  const frameMs = (1024 * 1000) / 48_000;
  return Math.max(grid.partMs, Math.ceil(Math.ceil(grid.partMs / frameMs) * frameMs));
}
