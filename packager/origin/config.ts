/** Configuration of the origin: how much it keeps, and how many it lets wait. */
import { z } from 'zod';
import type { Grid } from '../../infra/kernel/grid.ts';
import type { Depth } from './liveBroadcast.ts';

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
  maxHeldRequestsPerBroadcast: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(15_000)
    .describe('The same for one broadcast, so that a crowd at one leaves room for the others.'),
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
  dvr: z
    .strictObject({
      isEnabled: z
        .boolean()
        .default(true)
        .describe('Keeps media on disk: rewind, recordings, and a restart without a hole.'),
      windowMs: z
        .int()
        .min(60_000)
        .max(86_400_000)
        .default(7_200_000)
        .describe('How far back viewers may rewind (ms), while maxBytes allows it.'),
      maxBytes: z
        .int()
        .min(10_485_760)
        .default(21_474_836_480)
        .describe('Media kept on disk, of all broadcasts together (bytes); the oldest goes first.'),
      retentionMs: z
        .int()
        .min(60_000)
        .default(86_400_000)
        .describe('How long media is kept (ms): recordings from the end of their broadcast on.'),
    })
    .prefault({}),
});

/** Parsed configuration of the origin. */
export type OriginConfig = Readonly<z.output<typeof originConfigSchema>>;

/** Least that a live playlist lists (Apple authoring specification 8.11). */
const MIN_LISTED_SEGMENTS = 6;

/**
 * Segments kept beyond those listed: the open one, the segment's own duration (rfc8216bis §6.2.2,
 * and the same for timeShiftBufferDepth), and the 6 s that an edge may keep a blocking playlist.
 */
const MIN_KEPT_BEYOND_WINDOW = 8;

/** What the configuration means in segments of `grid`. */
export function depthOf(
  { windowMs, ringMs }: Pick<OriginConfig, 'windowMs' | 'ringMs'>,
  { segmentMs }: Pick<Grid, 'segmentMs'>,
): Depth {
  const windowSegments = Math.max(MIN_LISTED_SEGMENTS, Math.ceil(windowMs / segmentMs));
  return {
    windowSegments,
    ringSegments: Math.max(Math.ceil(ringMs / segmentMs), windowSegments + MIN_KEPT_BEYOND_WINDOW),
  };
}
