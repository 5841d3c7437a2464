/**
 * Renders a Varnish 7 configuration for an edge before the origin, from the kernel's one cache
 * policy. Lifetimes are the origin's own Cache-Control, which Varnish obeys; rendered here is what
 * it would not do by itself: the cache key, the lifetime of refusals, preflights and time limits.
 */
import {
  CACHE_KEY_QUERY,
  CACHE_POLICY,
  CORS_HEADERS,
  CORS_PREFLIGHT_HEADERS,
} from '../infra/kernel/cachePolicy.ts';

/** Where the origin is, and how long it may hold a request. */
export type VarnishOptions = {
  readonly originHost: string;
  readonly originPort: number;
  /** Longest hold of a blocking reload in ms: 3 target durations (delivery.md, decision 3). */
  readonly holdMs: number;
};

/** Beyond the longest hold the edge waits this long for a first byte (ms). */
const HOLD_MARGIN_MS = 6000;

/** VCL 4.1 text. Throws RangeError for a host that would break out of its quotes. */
export function renderVarnish(options: VarnishOptions): string {
  const blocks = [
    `vcl 4.1;\n\n${backend(options)}`,
    subroutine('vcl_recv', [
      'if (req.method == "OPTIONS") { return (synth(204)); }',
      'if (req.method != "GET" && req.method != "HEAD") { return (synth(405)); }',
      // Viewer tokens are checked before this edge: neither they nor cookies reach the key.
      'unset req.http.Cookie;',
      'unset req.http.Authorization;',
      'if (req.url ~ "^/time(\\?|$)") { return (pass); }',
      ...cacheKey(),
      'return (hash);',
    ]),
    subroutine('vcl_hash', ['hash_data(req.url);', 'return (lookup);']),
    subroutine('vcl_backend_response', [
      // Everybody who waits for a growing segment is given its bytes as they come.
      'set beresp.do_stream = true;',
      'set beresp.grace = 0s;',
      'set beresp.keep = 0s;',
      // Refusals are kept for a moment, never passed one by one: that would end the collapsing.
      `if (beresp.status >= 400) { set beresp.ttl = ${maxAgeSeconds(CACHE_POLICY.error)}s; }`,
      'return (deliver);',
    ]),
    subroutine('vcl_backend_error', [
      'set beresp.status = 503;',
      'set beresp.http.Retry-After = "1";',
      // Without them a browser's player is told of a network fault, and of no status.
      ...headers('beresp', CORS_HEADERS),
      `set beresp.ttl = ${maxAgeSeconds(CACHE_POLICY.error)}s;`,
      'return (deliver);',
    ]),
    subroutine('vcl_synth', [
      ...headers('resp', {
        ...CORS_HEADERS,
        ...CORS_PREFLIGHT_HEADERS,
        Allow: 'GET, HEAD, OPTIONS',
      }),
      'return (deliver);',
    ]),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function backend({ originHost, originPort, holdMs }: VarnishOptions): string {
  if (!/^[A-Za-z0-9.:-]+$/.test(originHost)) {
    throw new RangeError(`origin host is a name or an address (got ${originHost})`);
  }
  return [
    'backend origin {',
    `  .host = "${originHost}";`,
    `  .port = "${originPort}";`,
    '  .connect_timeout = 2s;',
    `  .first_byte_timeout = ${(holdMs + HOLD_MARGIN_MS) / 1000}s;`,
    `  .between_bytes_timeout = ${(holdMs + HOLD_MARGIN_MS) / 1000}s;`,
    '}',
  ].join('\n');
}

/**
 * Path and the HLS directives in one order, nothing else of the query (CMCD, tokens): values go on
 * as they are, so that the origin answers 400 to what is not a number. Of a repeated directive the
 * first counts.
 */
function cacheKey(): string[] {
  return [
    'set req.http.X-Query = regsub(req.url, "^[^?]*\\??", "");',
    'set req.http.X-Key = "";',
    ...CACHE_KEY_QUERY.flatMap((name) => [
      `if (req.url ~ "\\.m3u8\\?" && req.http.X-Query ~ "(^|&)${name}=") {`,
      `  set req.http.X-Key = req.http.X-Key + "&${name}=" + regsub(req.http.X-Query, "^(.*?&)??${name}=([^&]*).*$", "\\2");`,
      '}',
    ]),
    'set req.url = regsub(req.url, "\\?.*$", "") + regsub(req.http.X-Key, "^&", "?");',
    'unset req.http.X-Query;',
    'unset req.http.X-Key;',
  ];
}

function headers(object: 'resp' | 'beresp', values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `set ${object}.http.${name} = "${value}";`);
}

function subroutine(name: string, lines: readonly string[]): string {
  return `sub ${name} {\n${lines.map((line) => `  ${line}`).join('\n')}\n}`;
}

function maxAgeSeconds({ cacheControl }: { readonly cacheControl: string }): number {
  return Number(/max-age=(\d+)/.exec(cacheControl)?.[1] ?? 0);
}
