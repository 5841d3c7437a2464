/**
 * The types that cross from one folder to another through Redis, BullMQ or HTTP, each with the
 * schema that parses it at the edge. Folders never import each other; they meet in these.
 */
import { z } from 'zod';
import { VIDEO_CODECS } from './encoders.ts';
import { gridSchema } from './grid.ts';

/** Broadcast ids: `[a-z][a-z0-9_-]{0,63}`. */
export const broadcastIdSchema = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/);

/** Track names: video `v720`, `v720-hevc`, `v720-2`; audio `a128`. */
export const trackNameSchema = z.string().regex(/^[va]\d{1,5}(-[a-z][a-z0-9]{0,7})?(-\d{1,2})?$/);

/** Makes a broadcast id of a streamer id: as it is where valid, else a slug behind `s-`. */
export function broadcastIdOf(streamerId: string): string {
  if (broadcastIdSchema.safeParse(streamerId).success) {
    return streamerId;
  }
  const slug = streamerId
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return `s-${slug === '' ? 'streamer' : slug}`.slice(0, 64);
}

/** One rung of the video ladder. Sizes in pixels, even; the source is fitted in and padded. */
export const videoRungSchema = z.strictObject({
  name: trackNameSchema,
  width: z.int().min(16).max(7680).multipleOf(2),
  height: z.int().min(16).max(4320).multipleOf(2),
  codec: z.enum(VIDEO_CODECS).optional().describe('H.264 where left out.'),
  bitrateBps: z.int().min(50_000).max(200_000_000).describe('Constant video bitrate (bit/s).'),
});

/** One rung of the audio ladder: AAC-LC, stereo, 48 kHz. */
export const audioRungSchema = z.strictObject({
  name: trackNameSchema,
  bitrateBps: z.int().min(16_000).max(512_000).describe('Audio bitrate (bit/s).'),
});

/**
 * The ladder of a broadcast: at least one video rung and one audio rung. Names say which is which,
 * also where a track is a path.
 */
export const ladderSchema = z
  .strictObject({
    video: z.array(videoRungSchema).min(1).max(8).describe('Video rungs, best first.'),
    audio: z
      .array(audioRungSchema)
      .min(1)
      .max(4)
      .describe('Audio rungs, best first: AAC-LC, stereo, 48 kHz.'),
  })
  .refine(
    (ladder) =>
      new Set([...ladder.video, ...ladder.audio].map((rung) => rung.name)).size ===
      ladder.video.length + ladder.audio.length,
    {
      message: 'rung names must be distinct',
    },
  );

/** Rungs of video and audio, highest first. */
export type Ladder = Readonly<z.output<typeof ladderSchema>>;
/** One video rung. */
export type VideoRung = Readonly<z.output<typeof videoRungSchema>>;
/** One audio rung. */
export type AudioRung = Readonly<z.output<typeof audioRungSchema>>;

/** The ladder used where nothing is configured: 720p 2.5 M, 480p 1.2 M, 360p 0.7 M, AAC 128 k. */
export const DEFAULT_LADDER: Ladder = {
  video: [
    { name: 'v720', width: 1280, height: 720, bitrateBps: 2_500_000 },
    { name: 'v480', width: 854, height: 480, bitrateBps: 1_200_000 },
    { name: 'v360', width: 640, height: 360, bitrateBps: 700_000 },
  ],
  audio: [{ name: 'a128', bitrateBps: 128_000 }],
};

/** Where a broadcast's picture comes from. */
export const sourceSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('pixel-streaming'),
      streamerId: z
        .string()
        .min(1)
        .max(256)
        .optional()
        .describe('Id of the streamer; with a url, the first that is listed where unset.'),
      url: z
        .url({ protocol: /^wss?$/ })
        .max(2048)
        .optional()
        .describe(
          'Signalling server of another deployment, where players connect; our own where unset. Answers cover a password and the values of its query.',
        ),
    })
    .refine(({ streamerId, url }) => streamerId !== undefined || url !== undefined, {
      message: 'must have a streamerId, a url, or both',
    }),
  z
    .strictObject({ kind: z.literal('publish') })
    .describe('Somebody else encodes: any CMAF encoder that PUTs the tracks of the ladder.'),
]);

/** How high the picture of a source is, by declaration. */
export const sourceHeightSchema = z
  .int()
  .min(16)
  .max(4320)
  .describe(
    'Height of the source picture (pixels) at its largest: rungs above it are left out. Where unset it is measured.',
  );

/** How many workers encode a broadcast at once. */
export const redundancySchema = z
  .union([z.literal(1), z.literal(2)])
  .describe('Workers that encode it at once: with 2 the loss of one reaches no viewer.');

/** Desired state of a broadcast, held in Redis. */
export const broadcastSchema = z.strictObject({
  id: broadcastIdSchema,
  source: sourceSchema,
  ladder: ladderSchema.describe('What is encoded and listed: no rung above the source.'),
  sourceHeight: sourceHeightSchema.optional(),
  measuredHeight: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Height of the source picture as measured in this run, or of the highest rung that is no wider than it (pixels); it only grows.',
    ),
  wholeLadder: ladderSchema
    .optional()
    .describe('The ladder that was wished for, where some of it is left out.'),
  grid: gridSchema,
  redundancy: redundancySchema.default(1),
  createdMs: z.int().describe('When it was first desired (Unix ms).'),
  startedMs: z.int().optional().describe('When it was last started again after an end (Unix ms).'),
  endedMs: z
    .int()
    .optional()
    .describe('When its end was asked for (Unix ms); cleared by another start.'),
});

/** Desired state of a broadcast. */
export type Broadcast = Readonly<z.output<typeof broadcastSchema>>;

/** Payload of a job of the `ingest` queue (job id = broadcast id). */
export const ingestJobSchema = z.strictObject({ broadcast: broadcastSchema });

/**
 * Payload of a job of a `transcode-{encoder class}` queue. Job id `{broadcast}.{group}.{slot}`, and
 * behind an epoch that origins have lost `{broadcast}.{group}.{slot}.{timestamp}-{attempt}`.
 */
export const transcodeJobSchema = z.strictObject({
  broadcast: broadcastSchema,
  group: z.literal('main'),
  slot: z.int().min(0).max(1),
});

/** Payload of an ingest job. */
export type IngestJob = Readonly<z.output<typeof ingestJobSchema>>;
/** Payload of a transcode job. */
export type TranscodeJob = Readonly<z.output<typeof transcodeJobSchema>>;

/** Names a slot of the whole ladder of a broadcast, whoever runs it. */
export function slotKey(broadcastId: string, slot: number): string {
  return `${broadcastId}.main.${slot}`;
}

/** Fencing epoch `{job timestamp}.{attempt}`, compared in that order (architecture §2). */
export type Epoch = { readonly timestamp: number; readonly attempt: number };

/** Parses `1795196404000.2`; undefined where it is not an epoch. */
export function parseEpoch(text: string): Epoch | undefined {
  const match = /^(\d{1,15})\.(\d{1,9})$/.exec(text);
  return match === null ? undefined : { timestamp: Number(match[1]), attempt: Number(match[2]) };
}

/** The epoch as it stands in a publish URL. */
export function formatEpoch(epoch: Epoch): string {
  return `${epoch.timestamp}.${epoch.attempt}`;
}

/** Negative where `a` is older, positive where it is newer, 0 where they are the same. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.timestamp - b.timestamp || a.attempt - b.attempt;
}

/** Header of a feed response: newest stamp in the feed at the join, Unix ms (decimal text). */
export const FEED_NEWEST_HEADER = 'grandstand-newest-ms';

/** Path of a broadcast's contribution feed on an internal listener: live Matroska, `GET`. */
export function feedPath(broadcastId: string): string {
  return `/feed/${broadcastId}`;
}

/**
 * Path of a track on an internal listener. `PUT` with a chunked body publishes (`ftyp moov` first,
 * then `moof mdat` one sample each); `GET` answers `publishStateSchema` for a resume. Refusals: 401
 * no token, 404 unknown broadcast or track, 409 fenced, 422 bad bytes or off the clock, 503 full.
 */
export function publishPath(
  broadcastId: string,
  track: string,
  slot: number,
  epoch: Epoch,
): string {
  return `/publish/${broadcastId}/${track}?slot=${slot}&epoch=${formatEpoch(epoch)}`;
}

/**
 * A publisher that has had nothing to send for this long sends an empty `free` box: so an origin tells one
 * that stands still from one without media.
 */
export const PUBLISH_BEAT_MS = 500;

/** Answer to `GET` on a publish path: first decode time (ticks of the track) that the origin lacks. */
export const publishStateSchema = z.strictObject({ nextTicks: z.int().nullable() });

/** What an ingest says of a broadcast while it runs (lease in Redis, renewed each second). */
export const ingestStatusSchema = z.object({
  state: z.enum(['connecting', 'waiting-for-media', 'live', 'interrupted']),
  reason: z.string().optional(),
  /** Start of the run of the broadcast that it is of (Unix ms). */
  runMs: z.int().optional(),
  codec: z.string().optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  bitrateBps: z.number().optional(),
  framesIn: z.int(),
  framesDamaged: z.int(),
  plisSent: z.int(),
  nacksSent: z.int(),
  /** To the streamer, as estimated now. */
  roundTripMs: z.number().optional(),
  /** How long a lost packet is waited for now. */
  reorderMs: z.number().optional(),
  newestMs: z.number().optional(),
});

/** What a worker says of a job while it runs. */
export const transcodeStatusSchema = z.object({
  state: z.enum(['starting', 'encoding', 'restarting']),
  reason: z.string().optional(),
  /** False where no origin takes what is encoded. */
  isTaken: z.boolean().optional(),
  encoder: z.string(),
  encoderReason: z.string(),
  speed: z.number().optional(),
  framesIn: z.int(),
  framesOut: z.int(),
  fpsIn: z.number().optional(),
  fpsOut: z.number().optional(),
  /** Median from an access unit in the feed to its fragment published, in the last second. */
  videoDelayMs: z.number().optional(),
  audioDelayMs: z.number().optional(),
  restarts: z.int(),
  epoch: z.string(),
  /** Rungs that it encodes. */
  tracks: z.array(z.string()).optional(),
});

/** What an origin says of a broadcast. */
export const originStatusSchema = z.object({
  lastMsn: z.int().optional(),
  /** Newest published decode time of the slowest track, Unix ms. */
  newestMs: z.number().optional(),
  publishDelayMs: z.number().optional(),
  /** ENDLIST is out: nothing more will be listed of this broadcast. */
  isEnded: z.boolean().optional(),
  /** Recording that is being written, or was: `/vod/{broadcast}/{recording}/`. */
  recording: z.string().optional(),
  storage: z
    .object({
      state: z.enum(['ok', 'slow', 'full', 'failing', 'off']),
      reason: z.string().optional(),
      bytes: z.int(),
      /** Oldest instant that can be rewound to (Unix ms). */
      fromMs: z.number().optional(),
    })
    .optional(),
  tracks: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['video', 'audio']),
      codec: z.string(),
      width: z.int().optional(),
      height: z.int().optional(),
      fps: z.int().optional(),
      bitrateBps: z.int(),
    }),
  ),
});

/** What an ingest says of a broadcast. */
export type IngestStatus = Readonly<z.output<typeof ingestStatusSchema>>;
/** What a worker says of a job. */
export type TranscodeStatus = Readonly<z.output<typeof transcodeStatusSchema>>;
/** What an origin says of a broadcast. */
export type OriginStatus = Readonly<z.output<typeof originStatusSchema>>;

/**
 * Where the timeline of a broadcast stands, so that another ingest of it goes on from there and never
 * stamps below (architecture §2).
 */
export const timelineAnchorSchema = z.object({
  /** Nothing was stamped past this (Unix ms). */
  newestMs: z.number(),
  /** When the last picture of the source came (Unix ms). */
  pictureMs: z.number(),
  /** Time of a picture from capture to arrival. */
  transitMs: z.number(),
  codec: z.string(),
  /** Start of the run that it belongs to (Unix ms). */
  runMs: z.number(),
});

/** Where the timeline of a broadcast stands. */
export type TimelineAnchor = Readonly<z.output<typeof timelineAnchorSchema>>;

/** State of a broadcast in the API. */
export type BroadcastState = 'idle' | 'queued' | 'starting' | 'live' | 'interrupted' | 'ended';
