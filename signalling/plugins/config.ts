/** Configuration of admission. Flat sections, so that each leaf has a variable of its own. */
import { z } from 'zod';
import { Secret } from '../../infra/kernel/secret.ts';
import { ISSUER_ALGORITHMS, isTrustworthyUrl, parseRange } from '../auth/index.ts';

const secretSchema = z
  .union([z.string().min(1), z.instanceof(Secret)])
  .transform((secret) => (typeof secret === 'string' ? new Secret(secret) : secret));

const groupsSchema = z.array(z.string().min(1)).optional();

const jwtSchema = z.strictObject({
  secret: secretSchema
    .optional()
    .describe('Signs and verifies tokens (HS256), at least 32 bytes; better in secretFile.'),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with that secret; white space around it does not count.'),
  issuer: z
    .string()
    .refine(isTrustworthyUrl, 'must be an https URL without a password (http on this machine)')
    .optional()
    .describe(
      'OpenID Connect issuer whose tokens are taken instead, as in their iss; to the letter.',
    ),
  audience: z
    .string()
    .min(1)
    .default('grandstand')
    .describe('What aud of a token must hold; with an issuer often the client id.'),
  algorithms: z
    .array(z.enum(ISSUER_ALGORITHMS))
    .min(1)
    .default([...ISSUER_ALGORITHMS])
    .describe('Signatures of the issuer that are taken.'),
  roleClaim: z
    .string()
    .min(1)
    .default('role')
    .describe(
      'Claim with the role or a list of groups; dots lead into objects: realm_access.roles.',
    ),
  streamersClaim: z
    .string()
    .min(1)
    .default('streamers')
    .describe('Claim with the ids of streamers that the token is for; all where a token lacks it.'),
  roles: z
    .strictObject({
      presenter: groupsSchema.describe('Values of roleClaim that make a presenter.'),
      observer: groupsSchema.describe('Values of roleClaim that make an observer.'),
      streamer: groupsSchema.describe('Values of roleClaim that make a streamer.'),
      operator: groupsSchema.describe('Values of roleClaim that make an operator.'),
    })
    .prefault({}),
  keysCooldownMs: z
    .int()
    .min(1000)
    .max(3_600_000)
    .default(30_000)
    .describe("Least time between two looks at the issuer's keys for an unknown one (ms)."),
  keysMaxAgeMs: z
    .int()
    .min(1000)
    .max(86_400_000)
    .default(600_000)
    .describe(
      'Older keys of the issuer are fetched again; while it is away they serve for a day (ms).',
    ),
  clockToleranceMs: z
    .int()
    .min(0)
    .max(300_000)
    .default(5000)
    .describe('By how much the clocks of issuer and gateway may differ (ms).'),
  cookieOrigins: z
    .array(z.string())
    .default([])
    .describe('Origins, beside our own, whose pages may use the cookie grandstand_token.'),
});

const grpcSchema = z.strictObject({
  address: z
    .string()
    .regex(/^(unix:.+|(\[[0-9a-f:.]+\]|[^:[\]\s]+):\d{1,5})$/i, 'must be HOST:PORT or unix:/path')
    .optional()
    .describe(
      'Where the plugin listens (HOST:PORT or unix:/path); signalling/plugins/admission.proto.',
    ),
  deadlineMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(1000)
    .describe('How long the plugin may take; then nobody is let in (ms).'),
  healthIntervalMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(5000)
    .describe('Between two health checks (ms).'),
  tls: z
    .boolean()
    .default(false)
    .describe('Speak TLS to the plugin: tokens go over this connection.'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("Certificates that the plugin's is checked against (PEM); the system's where unset."),
});

/** Who may come in. The faults of this schema never quote the secret. */
export const admissionConfigSchema = z
  .strictObject({
    kind: z
      .enum(['none', 'jwt', 'grpc'])
      .default('none')
      .describe(
        'none: everyone; jwt: by tokens; grpc: a plugin decides, and if it is away nobody.',
      ),
    streamerAddresses: z
      .array(
        z.string().refine((text) => parseRange(text) !== undefined, 'must be an address or CIDR'),
      )
      .optional()
      .describe(
        'Streamers from these addresses (CIDR) need no token. Unset: with none all streamers, else those of this machine.',
      ),
    jwt: jwtSchema.prefault({}),
    grpc: grpcSchema.prefault({}),
  })
  .refine(
    ({ kind, jwt }) =>
      kind !== 'jwt' ||
      [jwt.secret, jwt.secretFile, jwt.issuer].filter((value) => value !== undefined).length === 1,
    { path: ['kind'], message: 'jwt needs exactly one of jwt.secret, jwt.secretFile, jwt.issuer' },
  )
  .refine(({ kind, grpc }) => kind !== 'grpc' || grpc.address !== undefined, {
    path: ['grpc', 'address'],
    message: 'is needed for kind grpc',
  })
  .refine(({ grpc }) => grpc.caFile === undefined || grpc.tls, {
    path: ['grpc', 'caFile'],
    message: 'needs grpc.tls',
  })
  // grpc-js 1.14 gives Node an address as the TLS server name, which Node 26 refuses (RFC 6066 §3).
  .refine(({ grpc }) => !grpc.tls || !/^(unix:|\[|[\d.]+:)/i.test(grpc.address ?? ''), {
    path: ['grpc', 'address'],
    message: 'must be a name, not an address, for grpc.tls',
  });

/** The parsed configuration of admission. */
export type AdmissionConfig = z.output<typeof admissionConfigSchema>;
