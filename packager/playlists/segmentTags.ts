/**
 * Lines of one segment in a playlist. What an entry's lines are never changes, so they are made once
 * per entry: one more part of a window of two hours costs the lines of the new entries only.
 */
import { formatIsoMs, formatSeconds } from '../../infra/kernel/time.ts';
import { attributeTag, decimal, flag, quoted } from './attributeList.ts';
import type { PartEntry, SegmentEntry, TrackWindow } from './model.ts';

/** Lines of an entry, each ending in a line break. */
type SegmentLines = {
  readonly timescale: number;
  /** EXT-X-GAP and EXT-X-PROGRAM-DATE-TIME. */
  readonly head: string;
  /** EXTINF and the URI. */
  readonly tail: string;
  /** Both, in one piece: what most of a long window is. */
  readonly whole: string;
  /** EXT-X-PART; made when first listed. */
  parts?: string;
};

/** Lines by entry. Only remembers: entries are immutable, and go with their lines. */
const linesByEntry = new WeakMap<SegmentEntry, SegmentLines>();

/** What of a segment is listed. */
export type Listing = { readonly hasParts: boolean; readonly isClosed: boolean };

/**
 * Lines of a segment, each ending in a line break. DISCONTINUITY and MAP stand before the first part
 * of their parent, never between parts (rfc8216bis §4.4.4.9).
 */
export function segmentLines(
  window: TrackWindow,
  segment: SegmentEntry,
  previous: SegmentEntry | undefined,
  { hasParts, isClosed }: Listing,
): string {
  const lines = linesOf(segment, window.track.timescale);
  if (isClosed && !hasParts && previous?.era === segment.era) {
    return lines.whole;
  }
  const parts = hasParts ? partsOf(segment, lines) : '';
  return eraLines(window, segment, previous) + lines.head + parts + (isClosed ? lines.tail : '');
}

/** EXT-X-DISCONTINUITY (§4.4.4.3) and EXT-X-MAP (§4.4.4.5) where an era, or the playlist, begins. */
export function eraLines(
  window: TrackWindow,
  segment: SegmentEntry,
  previous: SegmentEntry | undefined,
): string {
  if (previous?.era === segment.era) {
    return '';
  }
  const map = attributeTag('EXT-X-MAP', { URI: quoted(initUri(window, segment.era)) });
  return previous === undefined ? `${map}\n` : `#EXT-X-DISCONTINUITY\n${map}\n`;
}

/**
 * EXT-X-GAP (§4.4.4.7) where nothing exists, and EXT-X-PROGRAM-DATE-TIME (§4.4.4.6): media time is
 * UTC, so it is the start itself.
 */
export function headLines(segment: SegmentEntry, timescale: number): string {
  const gap = segment.isGap ? '#EXT-X-GAP\n' : '';
  return `${gap}#EXT-X-PROGRAM-DATE-TIME:${formatIsoMs(segment.start, timescale)}\n`;
}

/** EXTINF (rfc8216bis §4.4.4.1). */
export function extinf(segment: SegmentEntry, timescale: number): string {
  return `#EXTINF:${formatSeconds(segment.duration, timescale)},`;
}

/** `{msn}.m4s`, relative to the playlist. */
export function segmentUri(msn: number): string {
  return `${msn}.m4s`;
}

/** `{msn}.{part}.m4s`, relative to the playlist. */
export function partUri(msn: number, index: number): string {
  return `${msn}.${index}.m4s`;
}

/** Init segment of an era. Throws RangeError where the window has none. */
export function initUri(window: TrackWindow, era: number): string {
  const uri = window.initUris.get(era);
  if (uri === undefined) {
    throw new RangeError(`track ${window.track.name} has no init segment for era ${era}`);
  }
  return uri;
}

function linesOf(segment: SegmentEntry, timescale: number): SegmentLines {
  const known = linesByEntry.get(segment);
  if (known?.timescale === timescale) {
    return known;
  }
  const head = headLines(segment, timescale);
  const tail = `${extinf(segment, timescale)}\n${segmentUri(segment.msn)}\n`;
  const lines = { timescale, head, tail, whole: [head, tail].join('') };
  linesByEntry.set(segment, lines);
  return lines;
}

function partsOf(segment: SegmentEntry, lines: SegmentLines): string {
  lines.parts ??= segment.parts
    .map((entry) => `${partTag(segment, entry, lines.timescale)}\n`)
    .join('');
  return lines.parts;
}

/** EXT-X-PART (rfc8216bis §4.4.4.9). */
function partTag(segment: SegmentEntry, entry: PartEntry, timescale: number): string {
  const isGap = entry.isGap || segment.isGap;
  return attributeTag('EXT-X-PART', {
    DURATION: decimal(formatSeconds(entry.duration, timescale)),
    URI: quoted(partUri(segment.msn, entry.index)),
    INDEPENDENT: flag(entry.isIndependent && !isGap),
    GAP: flag(isGap),
  });
}
