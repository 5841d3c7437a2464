/**
 * Delivery directives of a media playlist request (rfc8216bis §6.2.5): parsed strictly, and judged
 * against what is listed. Pure.
 */
import { CACHE_KEY_QUERY } from '../../infra/kernel/cachePolicy.ts';
import { type Grid, partsPerSegment, partTargetMs } from '../../infra/kernel/grid.ts';
import type { TrackWindow } from '../playlists/model.ts';

/** What a request asks to wait for (`msn` without `part` is a whole segment) and to leave out. */
export type Directives = {
  readonly msn?: number;
  readonly part?: number;
  readonly skip?: 'YES' | 'v2';
};

const NUMBER = /^\d{1,15}$/;
const MAX_MSN_AHEAD = 2;
const NONE: Directives = {};

/**
 * Directives of a query string as it stands (nothing is decoded: what is no digit is refused), or
 * the reason why they are refused. Unknown keys are ignored, and so is an unknown value of
 * `_HLS_skip` (§6.2.5.1); a directive that is given twice is refused.
 */
export function parseDirectives(query: string): Directives | string {
  if (!query.includes('_HLS_')) {
    return NONE;
  }
  const values = valuesOf(query);
  if (values === undefined) {
    return 'a directive may stand only once';
  }
  const msn = values.get('_HLS_msn');
  const part = values.get('_HLS_part');
  const skip = values.get('_HLS_skip');
  if (!NUMBER.test(msn ?? '0') || !NUMBER.test(part ?? '0')) {
    return 'a directive is a decimal number of at most 15 digits';
  }
  if (part !== undefined && msn === undefined) {
    return '_HLS_part needs _HLS_msn';
  }
  return {
    ...(msn === undefined ? {} : { msn: Number(msn) }),
    ...(part === undefined ? {} : { part: Number(part) }),
    ...(skip === 'YES' || skip === 'v2' ? { skip } : {}),
  };
}

/** Values of the directives alone; undefined where one is given twice. */
function valuesOf(query: string): Map<string, string> | undefined {
  const values = new Map<string, string>();
  for (const pair of query.split('&')) {
    const at = pair.indexOf('=');
    const key = at < 0 ? pair : pair.slice(0, at);
    if (!CACHE_KEY_QUERY.some((name) => name === key)) {
      continue;
    }
    if (values.has(key)) {
      return undefined;
    }
    values.set(key, at < 0 ? '' : pair.slice(at + 1));
  }
  return values;
}

/** `now` answer, `wait` for more, or `refuse` as too far ahead. */
export type Judgement = 'now' | 'wait' | 'refuse';

/** Judges directives against what a track lists at this moment. */
export function judge(directives: Directives, window: TrackWindow, grid: Grid): Judgement {
  const { msn, part } = directives;
  if (msn === undefined) {
    return 'now';
  }
  const edge = edgeOf(window);
  if (part === undefined) {
    return msn < edge.openMsn ? 'now' : isTooFar(msn, edge) ? 'refuse' : 'wait';
  }
  const wanted = pastTheEnd(window, msn, part);
  if (wanted.msn < edge.openMsn || (wanted.msn === edge.openMsn && wanted.part < edge.openParts)) {
    return 'now';
  }
  const lastPart = wanted.msn === edge.openMsn ? edge.openParts - 1 : partsPerSegment(grid) - 1;
  const isPartTooFar = wanted.part > lastPart + advancePartLimit(grid);
  return isPartTooFar || isTooFar(wanted.msn, edge) ? 'refuse' : 'wait';
}

/**
 * A name for what directives wait for, the same for all that come to the same (any index past the end
 * of a segment is part 0 of the next), so that there are few of them whatever is asked.
 */
export function awaitedName({ msn, part, skip }: Directives, window: TrackWindow): string {
  const wanted =
    msn === undefined || part === undefined ? { msn, part } : pastTheEnd(window, msn, part);
  return `${wanted.msn ?? ''}.${wanted.part ?? ''} ${skip ?? ''}`;
}

/** The segment that grows, or will next, and the parts it lists. */
type Edge = { readonly openMsn: number; readonly openParts: number };

function edgeOf(window: TrackWindow): Edge {
  return {
    openMsn: window.open?.msn ?? (window.segments.at(-1)?.msn ?? -1) + 1,
    openParts: window.open?.parts.length ?? 0,
  };
}

/** How far past the last part a request may reach (§6.2.5.2). */
function advancePartLimit(grid: Grid): number {
  const targetMs = partTargetMs(grid);
  return targetMs < 1000 ? Math.ceil(3000 / targetMs) : 3;
}

/** A part index past the end of a closed segment is part 0 of the next (§6.2.5.2). */
function pastTheEnd(
  window: TrackWindow,
  msn: number,
  part: number,
): { readonly msn: number; readonly part: number } {
  const newest = window.segments.at(-1);
  if (newest === undefined || msn > newest.msn) {
    return { msn, part };
  }
  const parts = window.segments.find((segment) => segment.msn === msn)?.parts.length ?? 0;
  // Older segments and gap segments have nothing that is still to come.
  return msn === newest.msn && part >= Math.max(parts, 1)
    ? { msn: msn + 1, part: 0 }
    : { msn, part: 0 };
}

function isTooFar(msn: number, edge: Edge): boolean {
  const newestListed = edge.openParts > 0 ? edge.openMsn : edge.openMsn - 1;
  return msn > newestListed + MAX_MSN_AHEAD;
}
