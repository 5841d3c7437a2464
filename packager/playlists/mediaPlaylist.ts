/**
 * The LL-HLS media playlist of one track (rfc8216bis): what is listed and in which order. Pure
 * text; the origin decides what is in the window, holds blocking reloads and sets the headers.
 * URIs are relative to the playlist: `{msn}.m4s`, `{msn}.{part}.m4s`, `init-{hash}.mp4`.
 */
import { type Grid, partsPerSegment, partTargetMs } from '../../infra/kernel/grid.ts';
import { formatIsoMs, formatSeconds } from '../../infra/kernel/time.ts';
import { attributeTag, decimal, enumerated, flag, integer, quoted } from './attributeList.ts';
import {
  formatMsAsSeconds,
  holdBackMs,
  partHoldBackMs,
  targetDurationSeconds,
} from './durations.ts';
import {
  lastPartOf,
  type PartEntry,
  type Presentation,
  type SegmentEntry,
  type TrackWindow,
} from './model.ts';

/**
 * Full media playlist of `trackName`.
 *
 * The caller answers only once the track has a closed segment (hls.js 1.7 counts a playlist without
 * one as a fault) and every other track has a part, so that each rendition report can say LAST-MSN
 * (rfc8216bis §4.4.5.4); it keeps eras of neighbouring segments consecutive. Throws RangeError for
 * an unknown track, for one without a closed segment and for an era without an init segment: those
 * are the caller's mistakes.
 */
export function renderMediaPlaylist(presentation: Presentation, trackName: string): string {
  const window = presentation.windows.find(({ track }) => track.name === trackName);
  const [first] = window?.segments ?? [];
  if (window === undefined || first === undefined) {
    throw new RangeError(`track ${trackName} has no closed segment to list`);
  }
  const { grid } = presentation;
  const open = window.open !== undefined && window.open.parts.length > 0 ? [window.open] : [];
  const listed = [...window.segments, ...open];
  const lines = [
    '#EXTM3U',
    version(),
    targetDuration(grid),
    serverControl(grid),
    partInf(grid),
    mediaSequence(first.msn),
    discontinuitySequence(first.era),
    ...listed.flatMap((segment, index) => [
      ...segmentHead(window, segment, listed[index - 1]),
      ...(isNearTheEnd(grid, window, segment) ? segment.parts.map(part(window, segment)) : []),
      ...(segment === window.open ? [] : segmentTail(window, segment)),
    ]),
    ...hints(grid, window, first.era),
    ...presentation.windows
      .filter((other) => other !== window)
      .flatMap((other) => renditionReport(other)),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * EXT-X-VERSION (rfc8216bis §4.4.1.2, §8): EXT-X-MAP needs 6, and a delta update of this playlist
 * needs 9, so every answer under this URL says 9.
 */
function version(): string {
  return '#EXT-X-VERSION:9';
}

/** EXT-X-TARGETDURATION (rfc8216bis §4.4.3.1): the same for all tracks, for life. */
function targetDuration(grid: Grid): string {
  return `#EXT-X-TARGETDURATION:${targetDurationSeconds(grid)}`;
}

/**
 * EXT-X-SERVER-CONTROL (rfc8216bis §4.4.3.8): the same in all playlists (§6.2.4). CAN-SKIP-UNTIL
 * is left out: the origin answers no delta updates.
 */
function serverControl(grid: Grid): string {
  return attributeTag('EXT-X-SERVER-CONTROL', {
    'CAN-BLOCK-RELOAD': flag(true),
    'PART-HOLD-BACK': decimal(formatMsAsSeconds(partHoldBackMs(grid))),
    'HOLD-BACK': decimal(formatMsAsSeconds(holdBackMs(grid))),
  });
}

/** EXT-X-PART-INF (rfc8216bis §4.4.3.7). */
function partInf(grid: Grid): string {
  return attributeTag('EXT-X-PART-INF', {
    'PART-TARGET': decimal(formatMsAsSeconds(partTargetMs(grid))),
  });
}

/** EXT-X-MEDIA-SEQUENCE (rfc8216bis §4.4.3.2): floor(UTC / D) of the first segment. */
function mediaSequence(msn: number): string {
  return `#EXT-X-MEDIA-SEQUENCE:${msn}`;
}

/** EXT-X-DISCONTINUITY-SEQUENCE (rfc8216bis §4.4.3.3): the era of the first segment counts them. */
function discontinuitySequence(era: number): string {
  return `#EXT-X-DISCONTINUITY-SEQUENCE:${era}`;
}

/** Tags that stand before the first part of their parent, never between parts (§4.4.4.9). */
function segmentHead(
  window: TrackWindow,
  segment: SegmentEntry,
  previous: SegmentEntry | undefined,
): string[] {
  const isNewEra = previous !== undefined && previous.era !== segment.era;
  return [
    ...(isNewEra ? ['#EXT-X-DISCONTINUITY'] : []),
    ...(isNewEra || previous === undefined ? [map(initUri(window, segment.era))] : []),
    ...(segment.isGap ? ['#EXT-X-GAP'] : []),
    programDateTime(window, segment),
  ];
}

/** EXT-X-MAP (rfc8216bis §4.4.4.5): the init segment of all that follows. */
function map(uri: string): string {
  return attributeTag('EXT-X-MAP', { URI: quoted(uri) });
}

/** EXT-X-PROGRAM-DATE-TIME (rfc8216bis §4.4.4.6): media time is UTC, so it is the start itself. */
function programDateTime(window: TrackWindow, segment: SegmentEntry): string {
  return `#EXT-X-PROGRAM-DATE-TIME:${formatIsoMs(segment.start, window.track.timescale)}`;
}

/** EXTINF (rfc8216bis §4.4.4.1) with its URI; EXT-X-GAP stands in the head (§4.4.4.7). */
function segmentTail(window: TrackWindow, segment: SegmentEntry): string[] {
  const seconds = formatSeconds(segment.duration, window.track.timescale);
  return [`#EXTINF:${seconds},`, segmentUri(segment.msn)];
}

/** EXT-X-PART (rfc8216bis §4.4.4.9). */
function part(window: TrackWindow, segment: SegmentEntry): (entry: PartEntry) => string {
  return (entry) =>
    attributeTag('EXT-X-PART', {
      DURATION: decimal(formatSeconds(entry.duration, window.track.timescale)),
      URI: quoted(partUri(segment.msn, entry.index)),
      INDEPENDENT: flag(entry.isIndependent && !entry.isGap),
      GAP: flag(entry.isGap || segment.isGap),
    });
}

/**
 * Parts are dropped once their segment lies more than three target durations from the end
 * (rfc8216bis §6.2.2). Counted in segments, so that all tracks drop them at the same number.
 */
function isNearTheEnd(grid: Grid, window: TrackWindow, segment: SegmentEntry): boolean {
  const lastMsn = window.segments.at(-1)?.msn ?? segment.msn;
  return (lastMsn - segment.msn) * grid.segmentMs < 3000 * targetDurationSeconds(grid);
}

/**
 * EXT-X-PRELOAD-HINT (rfc8216bis §4.4.5.3): the next part, and the next init segment before it
 * where the open segment begins an era and has no part yet.
 */
function hints(grid: Grid, window: TrackWindow, firstEra: number): string[] {
  const last = lastPartOf(window);
  const { open } = window;
  const listedEra = window.segments.at(-1)?.era ?? firstEra;
  const changesInit = open !== undefined && open.parts.length === 0 && open.era !== listedEra;
  return [
    ...(changesInit ? [preloadHint('MAP', initUri(window, open.era))] : []),
    ...(last === undefined ? [] : [preloadHint('PART', nextPartUri(grid, window, last))]),
  ];
}

/** Part after the newest: the next of the open segment, or part 0 of the one that follows. */
function nextPartUri(
  grid: Grid,
  window: TrackWindow,
  last: { readonly msn: number; readonly part: number },
): string {
  const isOpen = window.open?.msn === last.msn;
  return isOpen && last.part + 1 < partsPerSegment(grid)
    ? partUri(last.msn, last.part + 1)
    : partUri(last.msn + 1, 0);
}

/** EXT-X-PRELOAD-HINT (rfc8216bis §4.4.5.3), the whole resource. */
function preloadHint(type: 'PART' | 'MAP', uri: string): string {
  return attributeTag('EXT-X-PRELOAD-HINT', { TYPE: enumerated(type), URI: quoted(uri) });
}

/** EXT-X-RENDITION-REPORT (rfc8216bis §4.4.5.4) of another track; none while it has no part. */
function renditionReport(window: TrackWindow): string[] {
  const last = lastPartOf(window);
  return last === undefined
    ? []
    : [
        attributeTag('EXT-X-RENDITION-REPORT', {
          URI: quoted(`../${window.track.name}/media.m3u8`),
          'LAST-MSN': integer(last.msn),
          'LAST-PART': integer(last.part),
        }),
      ];
}

function segmentUri(msn: number): string {
  return `${msn}.m4s`;
}

function partUri(msn: number, index: number): string {
  return `${msn}.${index}.m4s`;
}

function initUri(window: TrackWindow, era: number): string {
  const uri = window.initUris.get(era);
  if (uri === undefined) {
    throw new RangeError(`track ${window.track.name} has no init segment for era ${era}`);
  }
  return uri;
}
