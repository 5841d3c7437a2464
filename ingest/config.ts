/** Configuration of the ingest role. Every field is optional in the file; defaults are here. */
import { z } from 'zod';
import { VIDEO_CODECS } from '../infra/kernel/media.ts';
import { Secret } from '../infra/kernel/secret.ts';

const secretSchema = z
  .union([z.string().min(1), z.instanceof(Secret)])
  .transform((secret) => (typeof secret === 'string' ? new Secret(secret) : secret));

const iceUrlSchema = z
  .string()
  .max(256)
  .regex(/^(?:stun|turns?):\S+$/i, 'must begin with stun:, turn: or turns:');

/** An `RTCIceServer`, or `secret` in place of the login. */
const iceServerSchema = z
  .strictObject({
    urls: z
      .union([iceUrlSchema, z.array(iceUrlSchema).min(1).max(8)])
      .transform((urls) => (typeof urls === 'string' ? [urls] : urls)),
    username: z.string().min(1).optional(),
    credential: secretSchema.optional(),
    /** coturn's static-auth-secret: each peer gets credentials for `ttlSeconds`. */
    secret: secretSchema.optional(),
    ttlSeconds: z.int().min(60).max(604_800).default(86_400),
  })
  .refine(
    ({ username, credential, secret }) =>
      (username === undefined) === (credential === undefined) &&
      (username === undefined || secret === undefined),
    { message: 'wants username and credential, or secret, or neither' },
  );

/** Schema of the `ingest` section. */
export const ingestConfigSchema = z.strictObject({
  codecs: z
    .array(z.enum(VIDEO_CODECS))
    .min(1)
    .refine((codecs) => new Set(codecs).size === codecs.length, {
      message: 'a codec stands here twice',
    })
    .default([...VIDEO_CODECS])
    .describe(
      'Video codecs that are taken, the preferred first: the first of them that the streamer offers is agreed on.',
    ),
  feedback: z
    .enum(['transport-cc', 'remb', 'none'])
    .default('transport-cc')
    .describe(
      'Congestion feedback to the streamer: transport-cc (its own estimate), remb (maxBitrateBps is granted outright), none (it ramps up by 8 % a second). Measured until 80 % of the maximum: at the first picture, 0.3 s, more than 4 s.',
    ),
  startBitrateBps: z
    .int()
    .min(0)
    .default(4_000_000)
    .describe(
      'Bitrate at which the streamer is asked to start (bit/s); 0 leaves it to the streamer.',
    ),
  minBitrateBps: z
    .int()
    .min(0)
    .default(0)
    .describe('Floor that the streamer is asked to keep (bit/s); 0 for none.'),
  maxBitrateBps: z
    .int()
    .min(100_000)
    .default(20_000_000)
    .describe('Most that the streamer is asked to send (bit/s).'),
  reorderMinMs: z
    .int()
    .min(20)
    .max(1000)
    .default(200)
    .describe(
      'Least time that a lost video packet is waited for before its picture is given up (ms); the round trip decides: six retransmissions.',
    ),
  reorderMaxMs: z
    .int()
    .min(20)
    .max(2000)
    .default(400)
    .describe('Most time that a lost video packet is waited for (ms).'),
  keyframeThrottleMs: z
    .int()
    .min(100)
    .max(10_000)
    .default(300)
    .describe('Least time between keyframe requests (ms); 1000 is kinder to Pixel Streaming 1.'),
  keyframePeriodMs: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'Time without a keyframe after which one is asked for (ms); 0 for never: in Pixel Streaming 1 every viewer shares the encoder.',
    ),
  mediaTimeoutMs: z
    .int()
    .min(1000)
    .default(2000)
    .describe('Silence of the picture after which the ingest subscribes anew (ms).'),
  connectTimeoutMs: z
    .int()
    .min(1000)
    .default(10_000)
    .describe('Time from subscribing to the first picture before the ingest tries anew (ms).'),
  hostAddresses: z
    .array(z.union([z.ipv4(), z.ipv6()]))
    .max(16)
    .default(['127.0.0.1'])
    .describe('Addresses offered to the streamer besides those of the network interfaces.'),
  udpPortRange: z
    .tuple([z.int().min(1024).max(65_535), z.int().min(1024).max(65_535)])
    .refine(([low, high]) => low < high, { message: 'the first port must be below the second' })
    .optional()
    .describe('UDP ports for WebRTC, lowest and highest; any free port when left out.'),
  iceServers: z
    .array(iceServerSchema)
    .max(8)
    .default([])
    .describe(
      "STUN and TURN servers of the ingest, before those that signalling announces: urls with username and credential, or with secret (coturn's static-auth-secret). One STUN and one TURN server are used, the first.",
    ),
  iceTransportPolicy: z
    .enum(['all', 'relay'])
    .default('all')
    .describe('relay: media goes by TURN only, also where signalling says so.'),
  receiveBufferBytes: z
    .int()
    .min(65_536)
    .default(4 * 1024 * 1024)
    .describe('UDP receive buffer (bytes); the kernel limits it to net.core.rmem_max.'),
  slate: z
    .strictObject({
      image: z
        .string()
        .min(1)
        .optional()
        .describe('PNG or JPEG that is shown while there is no picture; a card where left out.'),
      afterMs: z
        .int()
        .min(300)
        .max(10_000)
        .default(800)
        .describe('Without a picture for this long the slate takes its place (ms).'),
      maxMs: z
        .int()
        .min(0)
        .default(600_000)
        .describe('Without a picture for this long the media stops (ms); 0: no slate at all.'),
    })
    .prefault({}),
});

/** Configuration of the ingest role. */
export type IngestConfig = Readonly<z.output<typeof ingestConfigSchema>>;
