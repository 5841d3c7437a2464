/** Configuration of the ingest role. Every field is optional in the file; defaults are here. */
import { z } from 'zod';
import { VIDEO_CODECS } from '../infra/kernel/media.ts';

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
      'Congestion feedback to the streamer: transport-cc (its own estimate), remb (maxBitrateBps is granted outright), none (it ramps up by 8 % a second).',
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
    .default(60)
    .describe(
      'Least time that a lost video packet is waited for before its picture is given up (ms); the round trip decides: four retransmissions.',
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
