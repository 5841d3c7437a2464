/**
 * Playlist Delta Updates (rfc8216bis §6.2.5.1): what a playlist leaves out when it is asked to.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { attributeTag, integer, quoted } from './attributeList.ts';
import { recentlyRemoved } from './dateRange.ts';
import { canSkipUntilMs } from './durations.ts';
import { isFinal, type Presentation, type TrackWindow } from './model.ts';

/** How a playlist is asked for. */
export type PlaylistOptions = {
  /** `_HLS_skip`: a delta update, with `v2` also of EXT-X-DATERANGE. Absent: the full playlist. */
  readonly skip?: 'YES' | 'v2';
};

/** A delta update that skips at least one segment. */
export type DeltaUpdate = { readonly kind: 'YES' | 'v2'; readonly skippedSegments: number };

/**
 * The delta update that `options` ask for; undefined where the full playlist is the answer: nothing
 * was asked, the broadcast has ended (§6.2.5.1), or nothing lies beyond the Skip Boundary.
 */
export function deltaUpdate(
  presentation: Presentation,
  window: TrackWindow,
  { skip }: PlaylistOptions,
): DeltaUpdate | undefined {
  if (skip === undefined || isFinal(presentation)) {
    return undefined;
  }
  const skippedSegments = segmentsBeyondBoundary(presentation.grid, window);
  return skippedSegments === 0 ? undefined : { kind: skip, skippedSegments };
}

/**
 * EXT-X-SKIP (rfc8216bis §4.4.5.2). EXT-X-MAP and EXT-X-PROGRAM-DATE-TIME of skipped segments go
 * with them; `v2` names the date ranges that went, also when there are none.
 */
export function skipTag(presentation: Presentation, delta: DeltaUpdate): string {
  return attributeTag('EXT-X-SKIP', {
    'SKIPPED-SEGMENTS': integer(delta.skippedSegments),
    'RECENTLY-REMOVED-DATERANGES':
      delta.kind === 'v2' ? quoted(recentlyRemoved(presentation).join('\t')) : undefined,
  });
}

/** Segments that end farther from the end of the last closed one than the Skip Boundary. */
function segmentsBeyondBoundary(grid: Grid, { track, segments }: TrackWindow): number {
  const boundary = (canSkipUntilMs(grid) * track.timescale) / 1000;
  let kept = 0;
  let index = segments.length;
  while (index > 0 && kept < boundary) {
    index -= 1;
    kept += segments[index]?.duration ?? 0;
  }
  return index;
}
