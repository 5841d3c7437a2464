/**
 * Where a viewer who asks for an instant of the broadcast is taken: to the live edge, back within
 * the live window, or to the whole window. Pure; session.ts goes there.
 *
 * Two sources, not one: the live window stays a playlist of a minute, which hls.js loads again with
 * every part, and only who rewinds beyond it loads the long one, once per segment.
 */
import type { Span } from './engine.ts';

/** What can be reached now. */
export type Reach = {
  /** The instant that is live (Unix ms). */
  readonly liveMs: number;
  /** Latency of a player at the live edge (ms). */
  readonly targetMs: number;
  /** What the live window holds. */
  readonly live: Span | undefined;
  /** Oldest instant of the whole window (Unix ms); undefined where there is none to rewind to. */
  readonly windowFromMs: number | undefined;
};

/** Where to play. `atMs` is undefined at the live edge. */
export type Place =
  | { readonly source: 'live'; readonly isFollowing: true; readonly atMs: undefined }
  | {
      readonly source: 'live' | 'window';
      readonly isFollowing: false;
      readonly atMs: number;
    };

/** Asked for less than this behind the target, the viewer means live (ms). */
const SNAP_MS = 1500;
/** The oldest segments slide off while they are being asked for (ms). */
export const SLIDE_MARGIN_MS = 6000;
/** Behind live by this the whole window, whose newest segment is complete, has the media (ms). */
const WINDOW_LAG_MS = 12_000;

/** The live edge. */
export const AT_LIVE: Place = { source: 'live', isFollowing: true, atMs: undefined };

/** The place for `wantedMs` (Unix ms). */
export function placeFor(wantedMs: number, reach: Reach): Place {
  const { liveMs, targetMs, live, windowFromMs } = reach;
  if (wantedMs > liveMs - targetMs - SNAP_MS) {
    return AT_LIVE;
  }
  const liveFromMs = (live?.fromMs ?? liveMs - WINDOW_LAG_MS - SLIDE_MARGIN_MS) + SLIDE_MARGIN_MS;
  if (wantedMs >= liveFromMs) {
    return { source: 'live', isFollowing: false, atMs: wantedMs };
  }
  if (windowFromMs === undefined || windowFromMs + SLIDE_MARGIN_MS >= liveFromMs) {
    return { source: 'live', isFollowing: false, atMs: liveFromMs };
  }
  const atMs = Math.max(wantedMs, windowFromMs + SLIDE_MARGIN_MS);
  return { source: 'window', isFollowing: false, atMs };
}
