/**
 * One table: content type, cache lifetime, CORS and compression of every resource kind that the
 * origin serves. The origin sends these headers; cdn-config renders them for each CDN
 * (delivery.md, decision 5).
 */

/** How one kind of resource is served and cached. */
export type CachePolicy = {
  readonly contentType: string | undefined;
  readonly cacheControl: string;
  readonly isCompressed: boolean;
};

const HLS = 'application/vnd.apple.mpegurl';
const DASH = 'application/dash+xml';
const FOR_EVER = 'public, max-age=31536000, immutable';
/** A broadcast that has ended may be started again under the same URL. */
const ENDED = 'public, max-age=6';
/** A recording does not change; it may be removed when its retention ends. */
const RECORDED = 'public, max-age=3600';

/** Policies by resource kind. Errors are cached for 1 s and never `no-store`: an edge collapses them. */
export const CACHE_POLICY = {
  multivariantPlaylist: policy(HLS, 'public, max-age=1', true),
  mediaPlaylist: policy(HLS, 'public, max-age=1', true),
  dvrPlaylist: policy(HLS, 'public, max-age=1', true),
  iframePlaylist: policy(HLS, 'public, max-age=1', true),
  /** A satisfied blocking playlist: its URL is unique, so it may be kept. */
  blockingPlaylist: policy(HLS, 'public, max-age=6', true),
  /** Any playlist under /live behind ENDLIST. */
  endedPlaylist: policy(HLS, ENDED, true),
  vodPlaylist: policy(HLS, RECORDED, true),
  mpd: policy(DASH, 'public, max-age=1', true),
  endedMpd: policy(DASH, ENDED, true),
  vodMpd: policy(DASH, RECORDED, true),
  videoInit: policy('video/mp4', FOR_EVER, false),
  audioInit: policy('audio/mp4', FOR_EVER, false),
  videoMedia: policy('video/mp4', FOR_EVER, false),
  audioMedia: policy('audio/mp4', FOR_EVER, false),
  time: policy('text/plain; charset=utf-8', 'no-store', false),
  error: policy('text/plain; charset=utf-8', 'public, max-age=1', false),
} as const satisfies Record<string, CachePolicy>;

/** Every kind of resource under /live, /vod and /time. */
export type ResourceKind = keyof typeof CACHE_POLICY;

/** Query keys that belong to the cache key; every other query key is ignored. */
export const CACHE_KEY_QUERY = ['_HLS_msn', '_HLS_part', '_HLS_skip'] as const;

/** CORS headers of every answer under /live, /vod and /time; CMSD is what edges add. */
export const CORS_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers':
    'Age, Date, Content-Length, Content-Range, CMSD-Static, CMSD-Dynamic',
} as const;

/** Further CORS headers of the answer to a preflight. */
export const CORS_PREFLIGHT_HEADERS = {
  'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS',
  'Access-Control-Allow-Headers':
    'Range, If-None-Match, If-Modified-Since, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session',
  'Access-Control-Max-Age': '86400',
} as const;

function policy(contentType: string, cacheControl: string, isCompressed: boolean): CachePolicy {
  return { contentType, cacheControl, isCompressed };
}
