import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  gridFault,
  gridPosition,
  gridSchema,
  gridStart,
  gridTicks,
  nearestGrid,
  partTargetMs,
} from './grid.ts';
import { ticks } from './time.ts';

const GRID = gridSchema.parse({});

describe('the grid', () => {
  it.each([
    [24, 500, 125],
    [25, 400, 80],
    [30, 500, 100],
    [50, 500, 100],
    [60, 500, 100],
  ])('fits %d fps with parts of %d and chunks of %d ms', (fps, partMs, chunkMs) => {
    expect(nearestGrid(fps)).toEqual({ segmentMs: 2000, partMs, chunkMs, fps });
  });

  it('names the nearest triple for one that does not fit', () => {
    expect(gridFault({ segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 25 })).toContain(
      'use 80/400/2000',
    );
    expect(gridSchema.safeParse({ fps: 24 }).success).toBe(false);
  });

  it('makes PART-TARGET the longest part of any track', () => {
    expect(partTargetMs(GRID)).toBe(512);
  });

  it('gives audio 93 or 94 whole AAC frames a segment by the floor rule', () => {
    const counts = new Map<number, number>();
    const first = gridPosition(GRID, ticks(86_169_427_392_000), 48_000).msn;
    const start = Math.ceil(gridStart(GRID, first, 48_000) / 1024) * 1024;
    for (let frame = 0; frame < 94 * 8; frame += 1) {
      const { msn } = gridPosition(GRID, ticks(start + frame * 1024), 48_000);
      counts.set(msn, (counts.get(msn) ?? 0) + 1);
    }
    const whole = [...counts.values()].slice(0, -1);
    expect(new Set(whole)).toEqual(new Set([93, 94]));
  });

  it('places every tick inside the segment, part and chunk it starts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200_000_000_000_000 }), (value) => {
        const { msn, part, chunk } = gridPosition(GRID, ticks(value), 90_000);
        const start = gridStart(GRID, msn, 90_000, part);
        expect(value).toBeGreaterThanOrEqual(start);
        expect(value).toBeLessThan(start + gridTicks(GRID.partMs, 90_000));
        expect(part).toBe(Math.floor((chunk * GRID.chunkMs) / GRID.partMs));
      }),
    );
  });
});
