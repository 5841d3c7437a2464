/** The whole configuration: the rooms' schemas composed, with the wiring's own. */
import { z } from 'zod';
import { ingestConfigSchema } from '../../ingest/index.ts';
import { originConfigSchema } from '../../packager/origin/index.ts';
import { workerConfigSchema } from '../../packager/worker/index.ts';
import { admissionConfigSchema, fullSignallingConfigSchema } from '../../signalling/index.ts';
import { httpLimitsSchema } from './http/limits.ts';
import { gridSchema } from '../kernel/grid.ts';
import { Secret } from '../kernel/secret.ts';
import { LADDER_PRESETS, ladderPreset, newLadderSchema } from '../kernel/ladder.ts';
import { redundancySchema, sourceHeightSchema } from '../kernel/wire.ts';

const listenSchema = z
  .string()
  .regex(/^(\[[0-9a-f:.]+\]|[^:[\]\s]+):\d{1,5}$/i, 'must be HOST:PORT')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return {
      host: text.slice(0, colon).replaceAll(/[[\]]/g, ''),
      port: Number(text.slice(colon + 1)),
    };
  })
  .refine((listen) => listen.port <= 65535, 'port must be at most 65535');

/** Where a listener listens. */
export type Listen = z.output<typeof listenSchema>;

/** Text that faults, logs and the API never show: `loadConfig` wraps it before it is parsed. */
const secretSchema = (check: (text: string) => boolean, message: string) =>
  z
    .union([z.string(), z.instanceof(Secret)])
    .transform((secret) => (typeof secret === 'string' ? new Secret(secret) : secret))
    .refine((secret) => check(secret.reveal()), message);

/** Keys whose value is a secret. */
export const SECRET_PATHS = [
  ['internal', 'token'],
  ['redis', 'url'],
  ['signalling', 'turn', 'secret'],
  ['admission', 'jwt', 'secret'],
] as const;

/** What the section `broadcast` leaves out is its preset's. */
function withPreset(section: unknown): unknown {
  const given = sectionSchema.safeParse(section).data;
  if (given === undefined) {
    return section;
  }
  const { fps, ladder } = ladderPreset(given.preset);
  return {
    ...given,
    ladder: { ...structuredClone(ladder), ...given.ladder },
    grid: { fps, ...given.grid },
  };
}

const sectionSchema = z.looseObject({
  preset: z.enum(LADDER_PRESETS).default('720p'),
  ladder: z.looseObject({}).default({}),
  grid: z.looseObject({}).default({}),
});

const MIN_TOKEN_LENGTH = 16;

/** What a process can be; `all` is every one of them. */
export const ROLES = ['signalling', 'ingest', 'worker', 'origin'] as const;

/** A role of the gateway. */
export type Role = (typeof ROLES)[number];

const rolesSchema = z
  .preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value),
    z.array(z.enum(['all', ...ROLES])).min(1),
  )
  .transform((names): readonly Role[] =>
    names.includes('all') ? ROLES : ROLES.filter((role) => names.includes(role)),
  );

/** Everything that can be configured; `grandstand.sample.yaml` is the manual. */
const wholeSchema = z.strictObject({
  roles: rolesSchema
    .prefault(['all'])
    .describe('What runs here: all, or some of signalling, ingest, worker and origin.'),
  dataDir: z
    .string()
    .min(1)
    .default('.grandstand')
    .describe('Directory of the private Redis and of state.'),
  autoBroadcast: z
    .boolean()
    .default(true)
    .describe('Every streamer that identifies itself becomes a broadcast named after its id.'),
  maxBroadcasts: z
    .int()
    .min(1)
    .max(1000)
    .default(16)
    .describe('Broadcasts at most; further streamers are not broadcast.'),
  log: z
    .strictObject({
      level: z
        .enum(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info')
        .describe('Least severe level that is printed.'),
      format: z
        .enum(['auto', 'pretty', 'json'])
        .default('auto')
        .describe('pretty on a terminal, JSON elsewhere, or one of them.'),
    })
    .prefault({}),
  http: z
    .strictObject({
      listen: listenSchema
        .prefault('0.0.0.0:8080')
        .describe('Pages, API, presenters and media (HOST:PORT).'),
      trustLoopback: z
        .boolean()
        .default(true)
        .describe(
          'Programs on this machine may change broadcasts without a token; false behind a proxy on it.',
        ),
      limits: httpLimitsSchema.prefault({}),
    })
    .prefault({}),
  tls: z
    .strictObject({
      plainStreamers: z
        .boolean()
        .default(true)
        .describe(
          'With a certificate the ports of streamers and SFUs take wss; whether they take ws too.',
        ),
      certificateFile: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Certificate with its chain (PEM); TLS is off where unset. Read again on change.',
        ),
      keyFile: z.string().min(1).optional().describe('Its private key (PEM).'),
      listen: listenSchema
        .prefault('0.0.0.0:8443')
        .describe('The same as http.listen over TLS, HTTP/1.1 (HOST:PORT).'),
      mediaListen: listenSchema
        .prefault('0.0.0.0:8444')
        .describe('Media over HTTP/2, which low latency on Apple devices needs (HOST:PORT).'),
    })
    .refine((tls) => (tls.certificateFile === undefined) === (tls.keyFile === undefined), {
      message: 'certificateFile and keyFile belong together',
    })
    .prefault({}),
  internal: z
    .strictObject({
      listen: listenSchema
        // Other roles are told this address before the listener is up: it must be a real port.
        .refine((listen) => listen.port > 0, 'port must not be 0')
        .prefault('127.0.0.1:8081')
        .describe(
          'Feed, publishing and metrics between roles (HOST:PORT); never route it to viewers.',
        ),
      advertise: z
        .url({ protocol: /^http$/ })
        .optional()
        .describe('URL by which other processes reach that listener; its address where unset.'),
      token: secretSchema(
        (text) => text.length >= MIN_TOKEN_LENGTH,
        `must have at least ${MIN_TOKEN_LENGTH} characters`,
      )
        .optional()
        .describe(
          'Bearer token of the internal listener and of changes; {dataDir}/internal.token where unset.',
        ),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: secretSchema(
        (text) => z.url({ protocol: /^rediss?$/ }).safeParse(text).success,
        'must be a redis:// or rediss:// URL',
      )
        .optional()
        .describe('Redis of a cluster; a private redis-server is started where unset.'),
    })
    .prefault({}),
  broadcast: z
    .preprocess(
      withPreset,
      z.strictObject({
        preset: z
          .enum(LADDER_PRESETS)
          .default('720p')
          .describe(
            `Ladder of new broadcasts, and its frame rate, where neither is set below: ${LADDER_PRESETS.join(', ')}.`,
          ),
        ladder: newLadderSchema.describe('Rungs of new broadcasts.'),
        grid: gridSchema
          .prefault({})
          .describe('Segment, part and chunk durations and frame rate of new broadcasts.'),
        sourceHeight: sourceHeightSchema.optional(),
        redundancy: redundancySchema.default(1),
      }),
    )
    .prefault({}),
  signalling: fullSignallingConfigSchema.prefault({}),
  admission: admissionConfigSchema.prefault({}),
  ingest: ingestConfigSchema.prefault({}),
  worker: workerConfigSchema.prefault({}),
  origin: originConfigSchema.prefault({}),
});

/** The same with what holds across sections. */
export const gatewayConfigSchema = wholeSchema
  .refine(({ roles, redis }) => isWhole(roles) || redis.url !== undefined, {
    path: ['redis', 'url'],
    message: 'is needed where not every role runs in one process: they meet in Redis',
  })
  .refine(({ roles, internal }) => isWhole(roles) || internal.token !== undefined, {
    path: ['internal', 'token'],
    message: 'is needed where not every role runs in one process, the same for all of them',
  });

/** Whether every role runs here. */
export function isWhole(roles: readonly Role[]): boolean {
  return roles.length === ROLES.length;
}

/** The parsed configuration. */
export type GatewayConfig = z.output<typeof gatewayConfigSchema>;
