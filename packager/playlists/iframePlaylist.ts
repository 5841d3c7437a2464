/**
 * The I-frame playlist of one video track (rfc8216bis §4.4.3.6): the picture that each segment
 * begins with, as a byte range of the segment, for scrubbing and fast forward.
 */
import { dateRangeTags } from './dateRange.ts';
import { deltaUpdate, type PlaylistOptions, skipTag } from './deltaUpdate.ts';
import { playlistType, sequences, serverControl, targetDuration, version } from './headerTags.ts';
import {
  isFinal,
  listedWindow,
  type Presentation,
  type SegmentEntry,
  type TrackWindow,
} from './model.ts';
import { eraLines, extinf, headLines, segmentUri } from './segmentTags.ts';

/** Lines by entry; see segmentTags.ts. */
const linesByEntry = new WeakMap<SegmentEntry, { readonly timescale: number; text: string }>();

/**
 * I-frame playlist of the video track `trackName`, or a delta update of it. Closed segments only and
 * no parts (§4.4.4.9), numbered like the media playlist, so the same blocking reload by
 * `_HLS_msn` holds for it. A segment whose picture is not known is a gap here. Throws RangeError
 * where renderMediaPlaylist does.
 */
export function renderIframePlaylist(
  presentation: Presentation,
  trackName: string,
  options: PlaylistOptions = {},
): string {
  const { window, first } = listedWindow(presentation, trackName);
  const delta = deltaUpdate(presentation, window, options);
  const from = delta?.skippedSegments ?? 0;
  const { segments } = window;
  const header = [
    '#EXTM3U',
    version(presentation, delta),
    targetDuration(presentation.grid),
    ...playlistType(presentation),
    ...serverControl(presentation),
    ...sequences(first),
    '#EXT-X-I-FRAMES-ONLY',
    ...(delta === undefined ? [] : [skipTag(presentation, delta)]),
    ...dateRangeTags(presentation, delta?.kind === 'v2'),
  ];
  const body = segments.slice(from).map((segment, index) => {
    const previous = segments[from + index - 1];
    return eraLines(window, segment, previous) + pictureLines(window, segment);
  });
  return `${header.join('\n')}\n${body.join('')}${isFinal(presentation) ? '#EXT-X-ENDLIST\n' : ''}`;
}

/** Whether a window has pictures to list. */
export function hasIframes({ segments }: TrackWindow): boolean {
  return segments.some(({ iframe }) => iframe !== undefined);
}

/**
 * Lines of one picture, each ending in a line break. EXTINF is the time to the next picture
 * (§4.4.3.6): one per segment, so the segment's own duration.
 */
function pictureLines({ track }: TrackWindow, segment: SegmentEntry): string {
  const { timescale } = track;
  const known = linesByEntry.get(segment);
  if (known?.timescale === timescale) {
    return known.text;
  }
  const { iframe } = segment;
  const isGap = segment.isGap || iframe === undefined;
  const text = [
    headLines({ ...segment, isGap }, timescale),
    `${extinf(segment, timescale)}\n`,
    // EXT-X-BYTERANGE (§4.4.4.2).
    isGap ? '' : `#EXT-X-BYTERANGE:${iframe.length}@${iframe.offset}\n`,
    `${segmentUri(segment.msn)}\n`,
  ].join('');
  linesByEntry.set(segment, { timescale, text });
  return text;
}
