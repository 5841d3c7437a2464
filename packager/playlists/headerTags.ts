/**
 * Tags at the head of a media playlist and of an I-frame playlist: the same in all playlists of a
 * broadcast (rfc8216bis §6.2.4), so they are written in one place.
 */
import { type Grid, partTargetMs } from '../../infra/kernel/grid.ts';
import { attributeTag, decimal, flag } from './attributeList.ts';
import {
  canSkipUntilMs,
  formatMsAsSeconds,
  holdBackMs,
  partHoldBackMs,
  targetDurationSeconds,
} from './durations.ts';
import type { DeltaUpdate } from './deltaUpdate.ts';
import type { Presentation, SegmentEntry } from './model.ts';

/**
 * EXT-X-VERSION (rfc8216bis §4.4.1.2, §8): EXT-X-MAP needs 6; a delta update 9, so every answer
 * under a URL that has them says 9; one that may skip EXT-X-DATERANGE 10.
 */
export function version({ view }: Presentation, delta: DeltaUpdate | undefined): string {
  if (view === 'vod') {
    return '#EXT-X-VERSION:6';
  }
  return delta?.kind === 'v2' ? '#EXT-X-VERSION:10' : '#EXT-X-VERSION:9';
}

/** EXT-X-TARGETDURATION (rfc8216bis §4.4.3.1): the same for all tracks, for life. */
export function targetDuration(grid: Grid): string {
  return `#EXT-X-TARGETDURATION:${targetDurationSeconds(grid)}`;
}

/** EXT-X-SERVER-CONTROL (rfc8216bis §4.4.3.8): the same in all playlists; none in a recording. */
export function serverControl({ grid, view }: Presentation): string[] {
  return view === 'vod'
    ? []
    : [
        attributeTag('EXT-X-SERVER-CONTROL', {
          'CAN-BLOCK-RELOAD': flag(true),
          'CAN-SKIP-UNTIL': decimal(formatMsAsSeconds(canSkipUntilMs(grid))),
          'CAN-SKIP-DATERANGES': flag(true),
          'PART-HOLD-BACK': decimal(formatMsAsSeconds(partHoldBackMs(grid))),
          'HOLD-BACK': decimal(formatMsAsSeconds(holdBackMs(grid))),
        }),
      ];
}

/** EXT-X-PART-INF (rfc8216bis §4.4.3.7); a recording lists no parts. */
export function partInf({ grid, view }: Presentation): string[] {
  return view === 'vod'
    ? []
    : [
        attributeTag('EXT-X-PART-INF', {
          'PART-TARGET': decimal(formatMsAsSeconds(partTargetMs(grid))),
        }),
      ];
}

/** EXT-X-PLAYLIST-TYPE (rfc8216bis §4.4.3.5): only what never slides may say one (§6.2.2). */
export function playlistType({ view }: Presentation): string[] {
  return view === 'vod' ? ['#EXT-X-PLAYLIST-TYPE:VOD'] : [];
}

/**
 * EXT-X-MEDIA-SEQUENCE (rfc8216bis §4.4.3.2): floor(UTC / D) of the first segment.
 * EXT-X-DISCONTINUITY-SEQUENCE (§4.4.3.3): the era of the first segment counts them. A delta update
 * changes neither (§4.4.5.2).
 */
export function sequences(first: SegmentEntry): string[] {
  return [`#EXT-X-MEDIA-SEQUENCE:${first.msn}`, `#EXT-X-DISCONTINUITY-SEQUENCE:${first.era}`];
}
