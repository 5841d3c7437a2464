/**
 * EXT-X-DATERANGE (rfc8216bis §4.4.5.1): the tag, and which ranges a playlist lists. Instants are
 * compared on the grid, so that all playlists of a broadcast list the same set (§6.2.4).
 */
import { formatIsoMs, ticks } from '../../infra/kernel/time.ts';
import {
  attributeTag,
  type AttributeValue,
  decimal,
  enumerated,
  flag,
  quoted,
} from './attributeList.ts';
import { canSkipUntilMs, formatMsAsSeconds } from './durations.ts';
import type { DateRange, Presentation } from './model.ts';

/**
 * Tags of the ranges that map to a listed segment or lie ahead; `skipsOld` (a `v2` delta update)
 * leaves out those that were listed longer ago than the Skip Boundary (§6.2.5.1). Throws RangeError
 * for ranges that §4.4.5.1 forbids: who lets them in checks them.
 */
export function dateRangeTags(presentation: Presentation, skipsOld: boolean): string[] {
  const { dateRanges = [], grid } = presentation;
  if (new Set(dateRanges.map(({ id }) => id)).size !== dateRanges.length) {
    throw new RangeError('a date range keeps its ID for itself');
  }
  const { fromMs, toMs } = listedMs(presentation);
  const skipBeforeMs = skipsOld ? toMs - canSkipUntilMs(grid) : -Infinity;
  return dateRanges
    .filter((range) => endMs(range, dateRanges) >= fromMs)
    .filter((range) => (range.listedMs ?? range.startMs) >= skipBeforeMs)
    .map(dateRangeTag);
}

/** IDs of the ranges that left the playlist within the Skip Boundary (§6.2.5.1). */
export function recentlyRemoved(presentation: Presentation): string[] {
  const { dateRanges = [], grid } = presentation;
  const { fromMs } = listedMs(presentation);
  return dateRanges
    .filter((range) => {
      const end = endMs(range, dateRanges);
      return end < fromMs && end >= fromMs - canSkipUntilMs(grid);
    })
    .map(({ id }) => id);
}

/** Grid instants between which any track lists segments. */
function listedMs({ grid, windows }: Presentation): {
  readonly fromMs: number;
  readonly toMs: number;
} {
  const first = windows.flatMap(({ segments }) => segments[0]?.msn ?? []);
  const last = windows.flatMap(({ segments, open }) => open?.msn ?? segments.at(-1)?.msn ?? []);
  return {
    fromMs: Math.min(...first) * grid.segmentMs,
    toMs: (Math.max(...last) + 1) * grid.segmentMs,
  };
}

/** End in ms; END-ON-NEXT: the next start of the class; Infinity while it is not known. */
function endMs(range: DateRange, all: readonly DateRange[]): number {
  if (range.isEndOnNext !== true) {
    return range.endMs ?? Infinity;
  }
  const later = all.filter((other) => other.class === range.class && other.startMs > range.startMs);
  return Math.min(Infinity, ...later.map(({ startMs }) => startMs));
}

/** EXT-X-DATERANGE (rfc8216bis §4.4.5.1); an end is told as DURATION. */
function dateRangeTag(range: DateRange): string {
  const { id, startMs, plannedDurationMs, isEndOnNext = false } = range;
  if (isEndOnNext && (range.class === undefined || range.endMs !== undefined)) {
    throw new RangeError(`date range ${id}: END-ON-NEXT needs a CLASS and allows no end`);
  }
  return attributeTag('EXT-X-DATERANGE', {
    ID: quoted(id),
    CLASS: range.class === undefined ? undefined : quoted(range.class),
    'START-DATE': quoted(formatIsoMs(ticks(startMs), 1000)),
    DURATION: range.endMs === undefined ? undefined : seconds(range.endMs - startMs),
    'PLANNED-DURATION': plannedDurationMs === undefined ? undefined : seconds(plannedDurationMs),
    ...Object.fromEntries(Object.entries(range.attributes ?? {}).map(clientAttribute)),
    'END-ON-NEXT': flag(isEndOnNext),
  });
}

/** Throws RangeError below 0 (§4.4.5.1). */
function seconds(ms: number): AttributeValue {
  return decimal(formatMsAsSeconds(ms));
}

/** `X-` attributes of any type; SCTE35 is a hexadecimal-sequence (§4.4.5.1.1). */
function clientAttribute([name, value]: [string, string | number | Uint8Array]): [
  string,
  AttributeValue,
] {
  const isScte35 = /^SCTE35-(CMD|OUT|IN)$/.test(name);
  if (!(isScte35 ? value instanceof Uint8Array : /^X-[A-Z0-9-]+$/.test(name))) {
    throw new RangeError(`a date range has no attribute ${name} of this type`);
  }
  if (typeof value === 'string') {
    return [name, quoted(value)];
  }
  return [
    name,
    typeof value === 'number'
      ? decimal(String(value))
      : enumerated(`0x${Buffer.from(value).toString('hex').toUpperCase()}`),
  ];
}
