/** Paths under /live and /time (architecture §5). Pure; nothing is decoded, so nothing can climb. */

/** What a path asks for. */
export type Route =
  | { readonly kind: 'time' }
  | { readonly kind: 'multivariant'; readonly broadcast: string }
  | { readonly kind: 'mpd'; readonly broadcast: string }
  | { readonly kind: 'playlist'; readonly broadcast: string; readonly track: string }
  | {
      readonly kind: 'init';
      readonly broadcast: string;
      readonly track: string;
      readonly file: string;
    }
  | {
      readonly kind: 'segment';
      readonly broadcast: string;
      readonly track: string;
      readonly msn: number;
    }
  | {
      readonly kind: 'part';
      readonly broadcast: string;
      readonly track: string;
      readonly msn: number;
      readonly part: number;
    };

const PATH =
  /^\/live\/([a-z][a-z0-9_-]{0,63})\/(?:(main\.m3u8|manifest\.mpd)|([va][a-z0-9-]{1,20})\/([a-z0-9.-]{1,64}))$/;
const MEDIA = /^(0|[1-9]\d{0,14})(?:\.(0|[1-9]\d{0,3}))?\.m4s$/;
const INIT = /^init-[0-9a-f]{16}\.mp4$/;

/** Whether a path is the media handler's at all. */
export function isMediaPath(path: string): boolean {
  return path === '/time' || path === '/live' || path.startsWith('/live/');
}

/** The route of a path without its query, or undefined where there is nothing. */
export function parseRoute(path: string): Route | undefined {
  if (path === '/time') {
    return { kind: 'time' };
  }
  const match = PATH.exec(path);
  const [, broadcast, manifest, track, file] = match ?? [];
  if (broadcast === undefined) {
    return undefined;
  }
  if (track === undefined || file === undefined) {
    return { kind: manifest === 'main.m3u8' ? 'multivariant' : 'mpd', broadcast };
  }
  if (file === 'media.m3u8') {
    return { kind: 'playlist', broadcast, track };
  }
  if (INIT.test(file)) {
    return { kind: 'init', broadcast, track, file };
  }
  const [, msn, part] = MEDIA.exec(file) ?? [];
  if (msn === undefined) {
    return undefined;
  }
  return part === undefined
    ? { kind: 'segment', broadcast, track, msn: Number(msn) }
    : { kind: 'part', broadcast, track, msn: Number(msn), part: Number(part) };
}
