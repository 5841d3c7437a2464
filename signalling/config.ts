/** Configuration of signalling: listener of the streamers, rules, and every bound. */
import { z } from 'zod';

/** `RTCConfiguration` of every peer. Epic's frontend iterates `urls`: a single text becomes a list. */
const peerConnectionOptionsSchema = z
  .record(z.string(), z.unknown())
  .transform((options) => {
    const servers = options['iceServers'];
    return Array.isArray(servers)
      ? { ...options, iceServers: servers.map((server: unknown) => withUrlList(server)) }
      : options;
  })
  .prefault({});

/** The schema; the gateway mounts it under `signalling`. */
export const signallingConfigSchema = z.strictObject({
  streamers: z
    .strictObject({
      host: z
        .string()
        .min(1)
        .default('127.0.0.1')
        .describe(
          'Address that streamers (Unreal) connect to; anyone who reaches it can be a streamer.',
        ),
      port: z
        .int()
        .min(0)
        .max(65_535)
        .default(8888)
        .describe('TCP port of the streamers; 0 takes a free one.'),
    })
    .prefault({}),
  mode: z
    .enum(['open', 'presenter'])
    .default('presenter')
    .describe('presenter: one player per streamer may control it; open: any player, as Wilbur.'),
  peerConnectionOptions: peerConnectionOptionsSchema.describe(
    'RTCConfiguration sent to streamers and players (iceServers); every player can read it.',
  ),
  maxPlayers: z
    .int()
    .min(0)
    .default(0)
    .describe('Players per streamer in mode open; 0 for any number. The ingest does not count.'),
  maxStreamers: z
    .int()
    .min(1)
    .max(10_000)
    .default(64)
    .describe('Streamer connections at once; more are answered 503.'),
  maxConnections: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Player connections at once; more are answered 503.'),
  identifyTimeoutMs: z
    .int()
    .min(1)
    .max(60_000)
    .default(5000)
    .describe('A streamer that has not named itself by then is listed under a made-up id (ms).'),
  pingTimeoutMs: z
    .int()
    .min(300)
    .max(600_000)
    .default(30_000)
    .describe('A connection that is silent for about as long, pings included, is dropped (ms).'),
  maxBufferedBytes: z
    .int()
    .min(65_536)
    .default(4 * 1024 * 1024)
    .describe('A peer that lets more than this wait to be sent is dropped (bytes).'),
});

/** Parsed configuration of signalling. */
export type SignallingConfig = z.output<typeof signallingConfigSchema>;

function withUrlList(server: unknown): unknown {
  if (typeof server !== 'object' || server === null || !('urls' in server)) {
    return server;
  }
  return typeof server.urls === 'string' ? { ...server, urls: [server.urls] } : server;
}
