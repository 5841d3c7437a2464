/** Headers of every kind of resource, from the one policy table, as flat rows that are made once. */
import {
  CACHE_POLICY,
  CORS_HEADERS,
  CORS_PREFLIGHT_HEADERS,
  type CachePolicy,
  type ResourceKind,
} from '../../infra/kernel/cachePolicy.ts';

/** Methods that media understands. */
export const ALLOWED_METHODS = 'GET, HEAD, OPTIONS';

const CORS = Object.entries(CORS_HEADERS).flat();

const ROWS = Object.fromEntries(
  Object.entries(CACHE_POLICY).map(([kind, policy]) => [kind, rowOf(policy)]),
) as Readonly<Record<ResourceKind, readonly string[]>>;

/** Headers of the answer to a CORS preflight. */
export const PREFLIGHT_ROW: readonly string[] = [
  ...CORS,
  ...Object.entries(CORS_PREFLIGHT_HEADERS).flat(),
  'Allow',
  ALLOWED_METHODS,
];

/** Headers of every answer of this kind, whatever its status: names and values in turn. */
export function headersOf(kind: ResourceKind): readonly string[] {
  return ROWS[kind];
}

function rowOf({ cacheControl, contentType, isCompressed }: CachePolicy): readonly string[] {
  return [
    ...CORS,
    'Cache-Control',
    cacheControl,
    ...(contentType === undefined ? [] : ['Content-Type', contentType]),
    // Playlists know no ranges; media says so where it does.
    ...(isCompressed ? ['Vary', 'Accept-Encoding', 'Accept-Ranges', 'none'] : []),
    'X-Content-Type-Options',
    'nosniff',
  ];
}
