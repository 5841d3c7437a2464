/** What a publisher has to keep to, at every output rate that a grid may have. */
import { describe, expect, it } from 'vitest';
import { nearestGrid, partsPerSegment } from '../../infra/kernel/grid.ts';
import { ticks, unixMs } from '../../infra/kernel/time.ts';
import { VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { chunk, type Sample } from '../cmaf/index.ts';
import { BROADCAST } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import { PublishSession } from './publishSession.ts';

const NOW_MS = 1_795_197_604_000;
const TIMESCALE = 90_000;

type Rig = { readonly live: LiveBroadcast; readonly send: (samples: readonly Sample[]) => void };

function rig(fps: number): Rig {
  const broadcast = { ...BROADCAST, grid: nearestGrid(fps) };
  const live = new LiveBroadcast(
    broadcast,
    { windowSegments: 30, ringSegments: 45 },
    () => undefined,
  );
  const target = {
    ...{ broadcast: 'demo', track: 'v180', slot: 0 },
    epoch: { timestamp: 1, attempt: 1 },
  };
  const session = new PublishSession(live, target, {
    clock: { nowMs: () => unixMs(NOW_MS + 4000) },
    maxBoxBytes: 1_000_000,
  });
  session.push(VIDEO_HEADER);
  return {
    live,
    send(samples) {
      for (const sample of samples) {
        session.push(chunk([sample], { trackId: 1, sequenceNumber: 1 }));
      }
    },
  };
}

/** Pictures of `seconds` from `NOW_MS` on, where a 90 kHz muxer puts them: to the nearest tick. */
function pictures(fps: number, seconds: number, lateTicks = 0): Sample[] {
  const { segmentMs } = nearestGrid(fps);
  const perSegment = (segmentMs * fps) / 1000;
  const first = Math.round((NOW_MS * fps) / 1000);
  const at = (index: number): number => Math.round((index * TIMESCALE) / fps) + lateTicks;
  return Array.from({ length: fps * seconds }, (_, index) => ({
    dts: ticks(at(first + index)),
    duration: at(first + index + 1) - at(first + index),
    compositionOffset: 0,
    isSync: (first + index) % perSegment === 0,
    data: new Uint8Array(10),
  }));
}

describe.each([[1], [7], [12], [24], [25], [30], [48], [50], [60], [64], [96], [120]])(
  'at %d pictures a second',
  (fps) => {
    it('takes what is on the grid: whole parts of whole chunks, nothing missing', () => {
      const { live, send } = rig(fps);
      send(pictures(fps, 8));
      const { grid } = live.broadcast;
      const closed = live.track('v180')!.ring.segments.filter(({ isClosed }) => isClosed);
      expect(closed.length).toBeGreaterThanOrEqual(3);
      for (const { parts, chunks, duration, isGap } of closed) {
        expect(isGap || parts.some((part) => part.isGap)).toBe(false);
        expect(parts).toHaveLength(partsPerSegment(grid));
        expect(chunks).toHaveLength(grid.segmentMs / grid.chunkMs);
        expect(duration).toBe((grid.segmentMs * TIMESCALE) / 1000);
      }
    });

    it('refuses pictures between the places of the grid', () => {
      expect(() => {
        rig(fps).send(pictures(fps, 1, 200));
      }).toThrow(expect.objectContaining({ code: 'off_grid' }));
    });

    it('refuses another rate', () => {
      const other = fps === 120 ? 40 : fps === 1 ? 2 : Math.ceil(fps / 2) + 1;
      expect(() => {
        rig(fps).send(pictures(other, 12));
      }).toThrow(expect.objectContaining({ code: 'off_grid' }));
    });
  },
);
