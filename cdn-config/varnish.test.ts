import { expect, test } from 'vitest';
import { renderVarnish } from './index.ts';

test('golden: an edge before an origin that holds up to 6 s', () => {
  expect(renderVarnish({ originHost: '127.0.0.1', originPort: 8080, holdMs: 6000 }))
    .toMatchInlineSnapshot(`
    "vcl 4.1;

    backend origin {
      .host = "127.0.0.1";
      .port = "8080";
      .connect_timeout = 2s;
      .first_byte_timeout = 12s;
      .between_bytes_timeout = 12s;
    }

    sub vcl_recv {
      if (req.method == "OPTIONS") { return (synth(204)); }
      if (req.method != "GET" && req.method != "HEAD") { return (synth(405)); }
      unset req.http.Cookie;
      unset req.http.Authorization;
      if (req.url ~ "^/time(\\?|$)") { return (pass); }
      set req.http.X-Query = regsub(req.url, "^[^?]*\\??", "");
      set req.http.X-Key = "";
      if (req.url ~ "\\.m3u8\\?" && req.http.X-Query ~ "(^|&)_HLS_msn=") {
        set req.http.X-Key = req.http.X-Key + "&_HLS_msn=" + regsub(req.http.X-Query, "^(.*?&)??_HLS_msn=([^&]*).*$", "\\2");
      }
      if (req.url ~ "\\.m3u8\\?" && req.http.X-Query ~ "(^|&)_HLS_part=") {
        set req.http.X-Key = req.http.X-Key + "&_HLS_part=" + regsub(req.http.X-Query, "^(.*?&)??_HLS_part=([^&]*).*$", "\\2");
      }
      if (req.url ~ "\\.m3u8\\?" && req.http.X-Query ~ "(^|&)_HLS_skip=") {
        set req.http.X-Key = req.http.X-Key + "&_HLS_skip=" + regsub(req.http.X-Query, "^(.*?&)??_HLS_skip=([^&]*).*$", "\\2");
      }
      set req.url = regsub(req.url, "\\?.*$", "") + regsub(req.http.X-Key, "^&", "?");
      unset req.http.X-Query;
      unset req.http.X-Key;
      return (hash);
    }

    sub vcl_hash {
      hash_data(req.url);
      return (lookup);
    }

    sub vcl_backend_response {
      set beresp.do_stream = true;
      set beresp.grace = 0s;
      set beresp.keep = 0s;
      if (beresp.status >= 400) { set beresp.ttl = 1s; }
      return (deliver);
    }

    sub vcl_backend_error {
      set beresp.status = 503;
      set beresp.http.Retry-After = "1";
      set beresp.http.Access-Control-Allow-Origin = "*";
      set beresp.http.Access-Control-Expose-Headers = "Age, Date, Content-Length, Content-Range, CMSD-Static, CMSD-Dynamic";
      set beresp.ttl = 1s;
      return (deliver);
    }

    sub vcl_synth {
      set resp.http.Access-Control-Allow-Origin = "*";
      set resp.http.Access-Control-Expose-Headers = "Age, Date, Content-Length, Content-Range, CMSD-Static, CMSD-Dynamic";
      set resp.http.Access-Control-Allow-Methods = "GET, HEAD, OPTIONS";
      set resp.http.Access-Control-Allow-Headers = "Range, If-None-Match, If-Modified-Since, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session";
      set resp.http.Access-Control-Max-Age = "86400";
      set resp.http.Allow = "GET, HEAD, OPTIONS";
      return (deliver);
    }
    "
  `);
});

test('a host cannot break out of its quotes', () => {
  expect(() => renderVarnish({ originHost: '"; }', originPort: 1, holdMs: 1 })).toThrow(RangeError);
});
