/** Paths under /live, /vod and /time (architecture §5). Pure; nothing is decoded, so nothing can climb. */

/** How much of a broadcast: what is live, the whole rewind window, or a finished recording. */
export type View = 'live' | 'dvr' | 'vod';

/** Where a resource belongs: a broadcast, or one recording of it. */
type Place = {
  readonly broadcast: string;
  /** Of `/vod` alone: `20261120t220409z`. */
  readonly recording?: string;
  readonly view: View;
};

type OfTrack = Place & { readonly track: string };

/** What a path asks for. */
export type Route =
  | { readonly kind: 'time' }
  | (Place & { readonly kind: 'multivariant' | 'mpd' })
  | (OfTrack & { readonly kind: 'playlist' | 'iframes' })
  | (OfTrack & { readonly kind: 'init'; readonly file: string })
  | (OfTrack & { readonly kind: 'segment'; readonly msn: number })
  | (OfTrack & { readonly kind: 'part'; readonly msn: number; readonly part: number });

const BROADCAST = /^[a-z][a-z0-9_-]{0,63}$/;
const RECORDING = /^\d{8}t\d{6}z$/;
const TRACK = /^[va][a-z0-9-]{1,20}$/;
const MEDIA = /^(0|[1-9]\d{0,14})(?:\.(0|[1-9]\d{0,3}))?\.m4s$/;
const INIT = /^init-[0-9a-f]{16}\.mp4$/;
const PLACE_END = { live: 3, vod: 4 } as const;

/** Whether a path is the media handler's at all. */
export function isMediaPath(path: string): boolean {
  return (
    path.startsWith('/live/') ||
    path.startsWith('/vod/') ||
    path === '/time' ||
    path === '/live' ||
    path === '/vod'
  );
}

/** The route of a path without its query, or undefined where there is nothing. */
export function parseRoute(path: string): Route | undefined {
  if (path === '/time') {
    return { kind: 'time' };
  }
  const names = path.split('/', 7);
  const [, root, broadcast = '', recording = ''] = names;
  if ((root !== 'live' && root !== 'vod') || !BROADCAST.test(broadcast)) {
    return undefined;
  }
  const at = PLACE_END[root];
  if (root === 'vod' && !RECORDING.test(recording)) {
    return undefined;
  }
  const place: Place =
    root === 'live' ? { broadcast, view: 'live' } : { broadcast, recording, view: 'vod' };
  const [first = '', second = ''] = [names[at], names[at + 1]];
  if (names.length === at + 1) {
    return manifestRoute(place, first);
  }
  return names.length === at + 2 && TRACK.test(first)
    ? trackRoute({ ...place, track: first }, second)
    : undefined;
}

function manifestRoute(place: Place, file: string): Route | undefined {
  switch (file) {
    case 'main.m3u8':
      return { ...place, kind: 'multivariant' };
    case 'manifest.mpd':
      return { ...place, kind: 'mpd' };
    case 'dvr.m3u8':
      return place.view === 'live' ? { ...place, view: 'dvr', kind: 'multivariant' } : undefined;
    case 'dvr.mpd':
      return place.view === 'live' ? { ...place, view: 'dvr', kind: 'mpd' } : undefined;
    default:
      return undefined;
  }
}

function trackRoute(place: OfTrack, file: string): Route | undefined {
  switch (file) {
    case 'media.m3u8':
      return { ...place, kind: 'playlist' };
    case 'iframes.m3u8':
      return { ...place, kind: 'iframes' };
    case 'dvr.m3u8':
      return place.view === 'live' ? { ...place, view: 'dvr', kind: 'playlist' } : undefined;
    default:
      return mediaRoute(place, file);
  }
}

function mediaRoute(place: OfTrack, file: string): Route | undefined {
  const [, msn, part] = MEDIA.exec(file) ?? [];
  if (msn === undefined) {
    return INIT.test(file) ? { ...place, kind: 'init', file } : undefined;
  }
  if (part === undefined) {
    return { ...place, kind: 'segment', msn: Number(msn) };
  }
  // A recording lists whole segments only.
  return place.view === 'vod'
    ? undefined
    : { ...place, kind: 'part', msn: Number(msn), part: Number(part) };
}
