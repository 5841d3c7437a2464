/** Configuration of signalling: listeners, rules, and every bound. */
import { z } from 'zod';
import { Secret } from '../infra/kernel/secret.ts';

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

const secretSchema = z
  .union([z.string().min(1), z.instanceof(Secret)])
  .transform((secret) => (typeof secret === 'string' ? new Secret(secret) : secret));

/** What the gateway mounts under `signalling` today. */
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

/** All that signalling can be told; what `signallingConfigSchema` lacks has defaults. */
export const fullSignallingConfigSchema = signallingConfigSchema
  .extend({
    sfu: z
      .strictObject({
        host: z
          .string()
          .min(1)
          .default('127.0.0.1')
          .describe("Address that Epic's SFU connects to; anyone who reaches it can be one."),
        port: z.int().min(0).max(65_535).default(8889).describe('TCP port of SFUs.'),
      })
      .optional()
      .describe("Listener of Epic's SFU, off where left out; needs mode open."),
    streamerIdCollision: z
      .enum(['probe', 'suffix', 'replace', 'reject'])
      .default('probe')
      .describe(
        'Two streamers want one id. probe: ping the first, which has probeTimeoutMs to answer; replaced if silent, else the second gets a suffix. suffix, replace, reject: that at once.',
      ),
    probeTimeoutMs: z
      .int()
      .min(1)
      .max(60_000)
      .default(1000)
      .describe('How long a pinged streamer has to answer (ms).'),
    seatGraceMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(15_000)
      .describe('How long the seat waits for a known presenter that was disconnected (ms).'),
    legacyStreamers: z
      .boolean()
      .default(false)
      .describe(
        'Every streamer is UE 4.26 or 4.27: no identify, no playerConnected, numeric ids. One alone: ?legacy=4.27 in its URL.',
      ),
    legacyPlayerAutoSubscribeMs: z
      .int()
      .min(5000)
      .optional()
      .describe(
        'A player that has said nothing by then is given the only streamer (UE 5.0 and 5.1); off where left out (ms).',
      ),
    turn: z
      .strictObject({
        urls: z
          .array(z.string().regex(/^turns?:/, 'must begin with turn: or turns:'))
          .default([])
          .describe('TURN servers that everyone is told.'),
        secret: secretSchema
          .optional()
          .describe("coturn's static-auth-secret (use-auth-secret): each peer gets credentials."),
        ttlSeconds: z
          .int()
          .min(60)
          .max(604_800)
          .default(86_400)
          .describe('How long those credentials are good (s).'),
        relayOnly: z
          .enum(['nobody', 'players', 'all'])
          .default('nobody')
          .describe('Whose media must go by TURN (iceTransportPolicy relay).'),
      })
      .prefault({}),
    allowedOrigins: z
      .array(z.string())
      .default([])
      .describe('Origin headers that players may have; any where empty. Programs send none.'),
    proxies: z
      .int()
      .min(0)
      .max(16)
      .default(0)
      .describe('Reverse proxies in front of us that append to X-Forwarded-For.'),
    connectionRate: rateSchema(20, 100, 'Connections by one address'),
    messageRate: rateSchema(500, 5000, 'Messages by all players of one address'),
    maxFrameBytes: z
      .int()
      .min(65_536)
      .max(16 * 1024 * 1024)
      .default(1024 * 1024)
      .describe('Largest message; a larger one closes its connection with 1009 (bytes).'),
    admissionTimeoutMs: z
      .int()
      .min(10)
      .max(60_000)
      .default(5000)
      .describe('How long an admission plugin may take; then the answer is no (ms).'),
    leaseMs: z
      .int()
      .min(100)
      .max(60_000)
      .default(6000)
      .describe('A replica that says nothing for so long is dead to the others (ms).'),
  })
  .refine(({ sfu, mode }) => sfu === undefined || mode === 'open', {
    path: ['sfu'],
    message: 'needs mode open: every player of an SFU controls the application',
  });

/** What `startSignalling` takes. */
export type SignallingConfigInput = z.input<typeof fullSignallingConfigSchema>;
/** All of it, with its defaults. */
export type FullSignallingConfig = z.output<typeof fullSignallingConfigSchema>;

function rateSchema(perSecond: number, burst: number, what: string) {
  return z
    .strictObject({
      perSecond: z
        .number()
        .min(0)
        .default(perSecond)
        .describe(`${what} in the long run (1/s); 0 for any number.`),
      burst: z.int().min(1).default(burst).describe(`${what} at once, after a rest.`),
    })
    .prefault({});
}

function withUrlList(server: unknown): unknown {
  if (typeof server !== 'object' || server === null || !('urls' in server)) {
    return server;
  }
  return typeof server.urls === 'string' ? { ...server, urls: [server.urls] } : server;
}
