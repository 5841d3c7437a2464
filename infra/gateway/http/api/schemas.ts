/** Bodies that the API takes, and what it answers. OpenAPI is made of these. */
import { z } from 'zod';
import { ROLES } from '../../../../signalling/index.ts';
import { gridSchema } from '../../../kernel/grid.ts';
import { ladderWishSchema } from '../../../kernel/ladder.ts';
import {
  broadcastIdSchema,
  originStatusSchema,
  redundancySchema,
  sourceHeightSchema,
  sourceSchema,
  transcodeStatusSchema,
} from '../../../kernel/wire.ts';
import { workerReportSchema } from '../../../kernel/workerReport.ts';

const nameSchema = z.string().min(1).max(256);

const wishedHeightSchema = sourceHeightSchema
  .nullable()
  .optional()
  .describe(
    'Height of the source picture (pixels) at its largest: rungs above it are left out. Null where it is not known: none is.',
  );

/** `POST /api/v1/broadcasts`: what is left out is the configuration's. */
export const createBroadcastSchema = z.strictObject({
  id: broadcastIdSchema,
  source: sourceSchema
    .optional()
    .describe('Where its picture comes from; the streamer of the same name where left out.'),
  ladder: ladderWishSchema.optional(),
  sourceHeight: wishedHeightSchema,
  grid: gridSchema.optional(),
  redundancy: redundancySchema.optional(),
});

/** `PATCH /api/v1/broadcasts/{id}`: what is left out stays as it is. */
export const patchBroadcastSchema = z
  .strictObject({
    source: sourceSchema.optional(),
    ladder: ladderWishSchema.optional(),
    sourceHeight: wishedHeightSchema,
    grid: gridSchema.optional(),
    redundancy: redundancySchema.optional(),
  })
  .refine((patch) => Object.values(patch).some((value) => value !== undefined), {
    message: 'must change source, ladder, sourceHeight, grid or redundancy',
  });

/** Bodies of requests whose path says everything. */
export const emptySchema = z.strictObject({});

/** `PUT /api/v1/seats/{streamerId}`. */
export const assignSeatSchema = z.strictObject({
  playerId: z.string().min(1).max(64).describe('The player that is to present.'),
});

/** `POST /api/v1/tokens`. */
export const createTokenSchema = z.strictObject({
  role: z.enum(ROLES),
  subject: nameSchema
    .optional()
    .describe('Who it is for: keeps the seat over a reconnect. Random where left out.'),
  streamers: z
    .array(nameSchema)
    .max(256)
    .optional()
    .describe('Ids of streamers that it is good for; all where left out.'),
  ttl: z
    .string()
    .max(40)
    .default('8h')
    .describe('How long it is good: 8h, 1h30m, 45s; from 1s to 366d.'),
});

const urlsSchema = z.object({ hls: z.string(), dash: z.string() });
const instantSchema = z.iso.datetime();

/** A broadcast as the API shows it. */
export const broadcastSchema = z
  .object({
    id: broadcastIdSchema,
    state: z.enum(['idle', 'queued', 'starting', 'live', 'interrupted', 'ended']),
    reason: z.string().optional(),
    isOnAir: z
      .boolean()
      .describe('Media is published: while interrupted too, if a slate stands for the picture.'),
    source: sourceSchema,
    since: instantSchema.describe('Instant of the last change of state.'),
    tracks: originStatusSchema.shape.tracks,
    leftOut: z
      .object({ tracks: z.array(z.string()), reason: z.string() })
      .nullable()
      .describe('Rungs of its ladder that are not encoded, and why.'),
    encoder: z.string().nullable(),
    encoderReason: z.string().nullable(),
    redundancy: redundancySchema,
    urls: urlsSchema.extend({
      dvrHls: z.string().describe('The whole window that can be rewound to.'),
      dvrDash: z.string(),
      watch: z.string(),
      present: z.string().nullable().describe('Null where somebody else publishes.'),
    }),
    recording: urlsSchema.extend({ id: z.string(), isComplete: z.boolean() }).nullable(),
    storage: originStatusSchema.shape.storage.nullable(),
    presenter: z
      .object({ connected: z.boolean(), playerId: z.string().optional() })
      .nullable()
      .describe('Player ids are for those who may see who is there.'),
    health: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  })
  .meta({ id: 'Broadcast' });

const reportSchema = workerReportSchema.shape;

/** `GET /api/v1/workers`. */
export const workersSchema = z.object({
  workers: z.array(
    z.object({
      instance: reportSchema.instance,
      host: reportSchema.host,
      encoders: reportSchema.encoders,
      jobs: z.array(
        reportSchema.jobs.element
          .omit({ startedMs: true, status: true })
          .extend({ since: instantSchema, status: transcodeStatusSchema.nullable() }),
      ),
    }),
  ),
});

/** `GET /api/v1/broadcasts`. */
export const broadcastsSchema = z.object({ broadcasts: z.array(broadcastSchema) });

/** `GET /api/v1/broadcasts/{id}/recordings`. */
export const recordingsSchema = z.object({
  recordings: z.array(
    z.object({
      id: z.string(),
      from: instantSchema,
      to: instantSchema,
      expires: instantSchema,
      bytes: z.int(),
      urls: urlsSchema,
    }),
  ),
});

const addressSchema = z.string().describe('Empty for who is no operator.');

/** `GET /api/v1/streamers`. */
export const streamersSchema = z.object({
  streamers: z.array(
    z.object({
      streamerId: z.string(),
      kind: z.enum(['streamer', 'sfu']),
      streaming: z.boolean(),
      remoteAddress: addressSchema,
      subscribers: z.array(z.string()).describe('Player ids.'),
      replica: z.string().optional().describe('Another replica that it is connected to.'),
    }),
  ),
});

/** `GET /api/v1/players`. */
export const playersSchema = z.object({
  players: z.array(
    z.object({
      playerId: z.string(),
      kind: z.enum(['player', 'sfu']),
      role: z.enum(ROLES),
      subject: z.string().nullable().describe('Who it is, by its token.'),
      subscribedTo: z.string().nullable().describe("A streamer's id."),
      remoteAddress: addressSchema,
      replica: z.string().optional().describe('Where its socket is, where there are replicas.'),
    }),
  ),
});

const seatSchema = z
  .object({
    streamerId: z.string(),
    playerId: z.string().describe('Who holds it, or held it before it went away.'),
    subject: z.string().nullable(),
    state: z.enum(['held', 'grace']),
    offeredTo: z.string().nullable(),
    waiting: z.array(z.string()),
  })
  .meta({ id: 'Seat' });

/** `GET /api/v1/seats`. */
export const seatsSchema = z.object({ seats: z.array(seatSchema) });

const tokenRecord = {
  jti: z.string().describe('By this it is revoked.'),
  role: z.enum(ROLES),
  subject: z.string().nullable(),
  streamers: z.array(z.string()).nullable().describe('All where null.'),
  expires: instantSchema,
};

/** A token, once. */
export const tokenSchema = z.object({
  token: z.string().describe('The JWT. It is shown this once and kept nowhere.'),
  ...tokenRecord,
});

/** `GET /api/v1/tokens`. */
export const tokensSchema = z.object({
  tokens: z.array(z.object({ ...tokenRecord, revoked: z.boolean() })),
});

/** RFC 9457. */
export const problemSchema = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ pointer: z.string().describe('RFC 6901'), detail: z.string() }))
      .optional()
      .describe('Every fault of a body.'),
  })
  .meta({ id: 'Problem' });

const epicPlayerSchema = z.object({
  playerId: z.string(),
  type: z.enum(['Player', 'SFU']),
  subscribedTo: z.string().nullable(),
  remoteAddress: z.string(),
});
const epicStreamerSchema = z.object({
  streamerId: z.string(),
  type: z.enum(['Streamer', 'SFU']),
  streaming: z.boolean(),
  remoteAddress: z.string(),
  subscribers: z.array(epicPlayerSchema),
});

/** Wilbur's shapes (pixel-streaming §1.8). */
export const epicSchemas = {
  status: z.object({
    uptime: z.number().describe('ms'),
    streamer_count: z.int(),
    player_count: z.int(),
    version: z.string(),
  }),
  streamer: epicStreamerSchema,
  streamers: z.array(epicStreamerSchema),
  player: epicPlayerSchema,
  players: z.array(epicPlayerSchema),
  config: z.object({
    config: z.record(z.string(), z.unknown()),
    protocolConfig: z.record(z.string(), z.unknown()),
  }),
  notFound: z.object({ message: z.string() }),
} as const;
