/**
 * Delivery directives of a media playlist request (rfc8216bis §6.2.5): parsed strictly, and judged
 * against what is listed. Pure.
 */
import { type Grid, partsPerSegment, partTargetMs } from '../../infra/kernel/grid.ts';
import type { TrackWindow } from '../playlists/model.ts';

/** What a request asks to wait for; `msn` without `part` is a whole segment. */
export type Directives = { readonly msn?: number; readonly part?: number };

const NUMBER = /^\d{1,15}$/;
const MAX_MSN_AHEAD = 2;

/**
 * Directives of a query string, or the reason why they are refused. Unknown keys are ignored; a
 * directive that is given twice is refused. `_HLS_skip` is ignored while no playlist says
 * CAN-SKIP-UNTIL (§6.2.5.1).
 */
export function parseDirectives(query: string): Directives | string {
  const values = new URLSearchParams(query);
  const msn = values.getAll('_HLS_msn');
  const part = values.getAll('_HLS_part');
  const faulty = [...msn, ...part].find((text) => !NUMBER.test(text));
  if (faulty !== undefined) {
    return 'a directive is a decimal number of at most 15 digits';
  }
  if (msn.length > 1 || part.length > 1) {
    return 'a directive may stand only once';
  }
  if (part.length > 0 && msn.length === 0) {
    return '_HLS_part needs _HLS_msn';
  }
  return {
    ...(msn[0] === undefined ? {} : { msn: Number(msn[0]) }),
    ...(part[0] === undefined ? {} : { part: Number(part[0]) }),
  };
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
