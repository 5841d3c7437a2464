/** Configuration of the origin: how much it keeps, and how many it lets wait. */
import { z } from 'zod';

/** What of a broadcast is kept and listed, and the bounds on what one viewer or all may hold. */
export const originConfigSchema = z.strictObject({
  windowMs: z
    .int()
    .min(12_000)
    .max(600_000)
    .default(60_000)
    .describe('Live window that playlists list (ms).'),
  ringMs: z
    .int()
    .min(18_000)
    .max(900_000)
    .default(90_000)
    .describe(
      'Media kept in memory (ms): the window, and what a player that just read it may ask.',
    ),
  maxBroadcasts: z
    .int()
    .min(1)
    .max(1000)
    .default(64)
    .describe('Broadcasts held at once; a publish of one more is refused.'),
  maxHeldRequests: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Requests that wait for media at once; one more is answered 503.'),
  maxReaderBacklogBytes: z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(4_194_304)
    .describe('Bytes that may wait in one connection before its slow reader is dropped.'),
  maxBoxBytes: z
    .int()
    .min(65_536)
    .max(268_435_456)
    .default(16_777_216)
    .describe('Largest box that a publish may send (bytes).'),
});

/** Parsed configuration of the origin. */
export type OriginConfig = Readonly<z.output<typeof originConfigSchema>>;
