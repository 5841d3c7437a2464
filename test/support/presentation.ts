/**
 * A made-up broadcast for tests of playlists: what an origin would hold after it was given every
 * frame of a video and an audio track on the grid, with the holes and init changes that are asked
 * for. Owns no bytes.
 */
import type {
  PartEntry,
  Presentation,
  SegmentEntry,
  TrackDescription,
  TrackWindow,
} from '../../packager/playlists/model.ts';
import { type Grid, gridStart, partsPerSegment } from '../../infra/kernel/grid.ts';
import { type Ticks, ticks } from '../../infra/kernel/time.ts';

/** The grid of architecture §2. */
export const DEFAULT_GRID: Grid = { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 };

/** 720p rung of the default ladder. */
export const V720: TrackDescription = {
  name: 'v720',
  kind: 'video',
  codecs: 'avc1.4D401F',
  timescale: 90_000,
  bitrateBps: 2_500_000,
  width: 1280,
  height: 720,
  fps: 30,
};

/** 360p rung of the default ladder. */
export const V360: TrackDescription = {
  ...V720,
  name: 'v360',
  codecs: 'avc1.4D401E',
  bitrateBps: 700_000,
  width: 640,
  height: 360,
};

/** Audio rung of the default ladder. */
export const A128: TrackDescription = {
  name: 'a128',
  kind: 'audio',
  codecs: 'mp4a.40.2',
  timescale: 48_000,
  bitrateBps: 128_000,
  channels: 2,
  sampleRate: 48_000,
};

/** What is to be made. Segment numbers are Media Sequence Numbers. */
export type PresentationPlan = {
  readonly firstMsn: number;
  /** Closed segments. */
  readonly segments: number;
  /** Parts of the open segment, at most a whole one; undefined: there is no open segment. */
  readonly openParts?: number;
  readonly tracks?: readonly TrackDescription[];
  readonly grid?: Grid;
  /** Segments of which nothing exists. */
  readonly gaps?: readonly number[];
  /** Segment cut short: from this part on nothing exists. */
  readonly cut?: { readonly msn: number; readonly part: number };
  /** Era of the first segment. */
  readonly firstEra?: number;
  /** Segments that begin a new era. */
  readonly eraStarts?: readonly number[];
};

/** Presentation as `plan` says; audio holds whole AAC frames by the floor rule. */
export function makePresentation(plan: PresentationPlan): Presentation {
  const grid = plan.grid ?? DEFAULT_GRID;
  const { firstMsn, segments, eraStarts = [] } = plan;
  const openMsn = firstMsn + segments;
  const lastMsn = plan.openParts === undefined ? openMsn - 1 : openMsn;
  const eras = [firstMsn, ...eraStarts.filter((msn) => msn > firstMsn && msn <= lastMsn)].map(
    (msn) => ({ era: eraOf(plan, msn), firstMsn: msn }),
  );
  const windows = (plan.tracks ?? [V720, V360, A128]).map((track): TrackWindow => {
    const closed = Array.from({ length: segments }, (_, index) =>
      makeSegment(plan, grid, track, firstMsn + index, partsPerSegment(grid)),
    );
    const openParts =
      plan.openParts === undefined ? undefined : Math.min(plan.openParts, partsPerSegment(grid));
    return {
      track,
      segments: closed,
      open:
        openParts === undefined ? undefined : makeSegment(plan, grid, track, openMsn, openParts),
      initUris: new Map(eras.map(({ era }) => [era, `init-${track.name}e${era}.mp4`])),
    };
  });
  return { broadcastId: 'demo', grid, windows, eras };
}

function eraOf({ eraStarts = [], firstEra = 0 }: PresentationPlan, msn: number): number {
  return firstEra + eraStarts.filter((start) => start <= msn).length;
}

function makeSegment(
  plan: PresentationPlan,
  grid: Grid,
  track: TrackDescription,
  msn: number,
  parts: number,
): SegmentEntry {
  const isGap = plan.gaps?.includes(msn) ?? false;
  const edges = Array.from({ length: partsPerSegment(grid) + 1 }, (_, part) =>
    frameFrom(track, gridStart(grid, msn, track.timescale, part)),
  );
  const entries = Array.from({ length: parts }, (_, index): PartEntry => {
    const isCut = plan.cut !== undefined && plan.cut.msn === msn && index >= plan.cut.part;
    return {
      index,
      duration: ticks(edges[index + 1]! - edges[index]!),
      isIndependent: track.kind === 'audio' || index === 0,
      isGap: isGap || isCut,
    };
  });
  return {
    msn,
    start: edges[0]!,
    duration: ticks(edges[parts]! - edges[0]!),
    isGap,
    parts: entries,
    era: eraOf(plan, msn),
  };
}

/** First frame that begins at or after `from`: video frames lie on the grid, AAC frames do not. */
function frameFrom(track: TrackDescription, from: Ticks): Ticks {
  const frame = track.kind === 'audio' ? 1024 : 1;
  return ticks(Math.ceil(from / frame) * frame);
}
