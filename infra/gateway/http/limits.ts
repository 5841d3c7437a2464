/** What one client, or all of them, may hold of a listener. The schema is the configuration's `http`. */
import { z } from 'zod';

/** Keys of `http.limits`. */
export const httpLimitsSchema = z.strictObject({
  maxConnections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(16_000)
    .describe('Connections of each listener at once; more are answered 503 and closed.'),
  maxHeaderBytes: z
    .int()
    .min(2048)
    .max(65_536)
    .default(16_384)
    .describe('Request line and headers of one request at most (bytes); more are answered 431.'),
  headersTimeoutMs: z
    .int()
    .min(1000)
    .max(60_000)
    .default(10_000)
    .describe('TLS handshake, and then the headers of a request, must be there by then (ms).'),
  keepAliveMs: z
    .int()
    .min(1000)
    .max(600_000)
    .default(75_000)
    .describe('A connection without a request is kept this long (ms).'),
  maxStreams: z
    .int()
    .min(100)
    .max(10_000)
    .default(250)
    .describe('HTTP/2 requests at once on one connection.'),
  maxSessionMb: z
    .int()
    .min(1)
    .max(1000)
    .default(16)
    .describe('Memory of one HTTP/2 connection (MB); past it, new requests on it are refused.'),
});

/** Limits of a listener. */
export type HttpLimits = Readonly<z.output<typeof httpLimitsSchema>>;
