/**
 * The LL-HLS media playlist of one track (rfc8216bis): what is listed and in which order. Pure
 * text; the origin decides what is in the window, holds blocking reloads and sets the headers.
 * URIs are relative to the playlist: `{msn}.m4s`, `{msn}.{part}.m4s`, `init-{hash}.mp4`.
 */
import { type Grid, partsPerSegment } from '../../infra/kernel/grid.ts';
import { attributeTag, enumerated, integer, quoted } from './attributeList.ts';
import { dateRangeTags } from './dateRange.ts';
import { deltaUpdate, type PlaylistOptions, skipTag } from './deltaUpdate.ts';
import { targetDurationSeconds } from './durations.ts';
import {
  partInf,
  playlistType,
  sequences,
  serverControl,
  targetDuration,
  version,
} from './headerTags.ts';
import {
  isFinal,
  lastPartOf,
  listedWindow,
  type Presentation,
  type SegmentEntry,
  type TrackWindow,
} from './model.ts';
import { initUri, partUri, segmentLines } from './segmentTags.ts';

/**
 * Media playlist of `trackName`, or a delta update of it where `options` ask for one and there is
 * something to skip.
 *
 * The caller answers only once the track has a closed segment (hls.js 1.7 counts a playlist without
 * one as a fault) and every other track has a part, so that each rendition report can say LAST-MSN
 * (rfc8216bis §4.4.5.4); it keeps eras of neighbouring segments consecutive, and closes what is open
 * before the broadcast is ended: an ended playlist lists closed segments only. Throws RangeError for
 * an unknown track, for one without a closed segment and for an era without an init segment: those
 * are the caller's mistakes.
 */
export function renderMediaPlaylist(
  presentation: Presentation,
  trackName: string,
  options: PlaylistOptions = {},
): string {
  const { window, first } = listedWindow(presentation, trackName);
  const delta = deltaUpdate(presentation, window, options);
  const header = [
    '#EXTM3U',
    version(presentation, delta),
    targetDuration(presentation.grid),
    ...playlistType(presentation),
    ...serverControl(presentation),
    ...partInf(presentation),
    ...sequences(first),
    ...(delta === undefined ? [] : [skipTag(presentation, delta)]),
    ...dateRangeTags(presentation, delta?.kind === 'v2'),
  ];
  const footer = isFinal(presentation)
    ? [...renditionReports(presentation, window), '#EXT-X-ENDLIST']
    : [...hints(presentation.grid, window, first.era), ...renditionReports(presentation, window)];
  return `${header.join('\n')}\n${body(presentation, window, delta?.skippedSegments ?? 0)}${footer.join('\n')}\n`;
}

/** Lines of all segments from the one at `from`, each ending in a line break. */
function body(presentation: Presentation, window: TrackWindow, from: number): string {
  const { segments, open } = window;
  const firstWithParts = presentation.view === 'vod' ? Infinity : nearTheEnd(presentation, window);
  const lines = segments.slice(from).map((segment, index) =>
    segmentLines(window, segment, segments[from + index - 1], {
      hasParts: segment.msn > firstWithParts,
      isClosed: true,
    }),
  );
  if (open !== undefined && open.parts.length > 0 && !isFinal(presentation)) {
    lines.push(segmentLines(window, open, segments.at(-1), { hasParts: true, isClosed: false }));
  }
  return lines.join('');
}

/**
 * Newest segment that lies more than three target durations from the end: its parts are dropped
 * (rfc8216bis §6.2.2). Counted in segments, so that all tracks drop them at the same number.
 */
function nearTheEnd({ grid }: Presentation, { segments }: TrackWindow): number {
  const lastMsn = segments.at(-1)?.msn ?? 0;
  return lastMsn - Math.ceil((3000 * targetDurationSeconds(grid)) / grid.segmentMs);
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

/**
 * EXT-X-RENDITION-REPORT (rfc8216bis §4.4.5.4) of every other track, of its playlist in the same
 * view; none while it has no part, none in a recording, which is never reloaded.
 */
function renditionReports(presentation: Presentation, window: TrackWindow): string[] {
  const { view, windows } = presentation;
  return view === 'vod'
    ? []
    : windows
        .filter((other) => other !== window)
        .flatMap((other) => renditionReport(other, mediaPlaylistName(presentation)));
}

function renditionReport(other: TrackWindow, playlistName: string): string[] {
  const last = lastPartOf(other);
  const newest: SegmentEntry | undefined = other.open ?? other.segments.at(-1);
  return last === undefined
    ? []
    : [
        attributeTag('EXT-X-RENDITION-REPORT', {
          URI: quoted(`../${other.track.name}/${playlistName}`),
          'LAST-MSN': integer(last.msn),
          // An entry that is read back from disk may have lost its parts.
          'LAST-PART':
            newest?.parts.length === 0 && other.open === undefined ? undefined : integer(last.part),
        }),
      ];
}

/** File name of a track's media playlist in the view of `presentation`. */
export function mediaPlaylistName({ view }: Presentation): 'media.m3u8' | 'dvr.m3u8' {
  return view === 'dvr' ? 'dvr.m3u8' : 'media.m3u8';
}
