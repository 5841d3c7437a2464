/**
 * The messages of admission.proto: what we send from a request, and what we make of an answer, which
 * is believed in nothing. Pure, but for reading the .proto files.
 */
import type { MethodDefinition } from '@grpc/grpc-js';
import { type ServiceDefinition, loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { AdmissionRequest, Identity, Refusal } from '../admission.ts';
import { findToken, mayComeBy } from '../auth/index.ts';

/** A method that takes and gives what protobuf makes of it. */
export type Method = MethodDefinition<object, object>;

/** The services by the paths of our .proto files. */
export type Services = {
  readonly admission: ServiceDefinition;
  readonly health: ServiceDefinition;
};

/** Reads the .proto files, which lie beside this one. */
export function loadServices(): Services {
  const files = ['./admission.proto', './health.proto'].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  );
  const definition = loadSync(files, { enums: String, longs: Number });
  return {
    admission: definition['grandstand.admission.v1.Admission'] as ServiceDefinition,
    health: definition['grpc.health.v1.Health'] as ServiceDefinition,
  };
}

/** A method of a service that our .proto files have. */
export function methodOf(service: ServiceDefinition, name: string): Method {
  const method = service[name];
  if (method === undefined) {
    throw new Error(`no method ${name} in the .proto`);
  }
  return method;
}

/** The request as the plugin gets it. */
export function wireRequest(request: AdmissionRequest): object {
  const { kind, query, cookies, protocols, remoteAddress, headers } = request;
  return {
    listener: `LISTENER_${kind.toUpperCase()}`,
    query: wireMap(query),
    cookies: wireMap(cookies),
    protocols: [...protocols],
    remoteAddress,
    headers: wireMap(headers),
  };
}

const ROLE_NAMES = {
  ROLE_PRESENTER: 'presenter',
  ROLE_OBSERVER: 'observer',
  ROLE_STREAMER: 'streamer',
  ROLE_OPERATOR: 'operator',
} as const;

const nameSchema = z.string().max(256);

const answerSchema = z.union([
  z.object({
    refusal: z.object({ status: z.number().optional(), reason: z.string().optional() }),
    identity: z.undefined().optional(),
  }),
  z.object({
    identity: z.object({
      role: z.enum(['ROLE_PRESENTER', 'ROLE_OBSERVER', 'ROLE_STREAMER', 'ROLE_OPERATOR']),
      subject: nameSchema.optional(),
      streamerIds: z.object({ ids: z.array(nameSchema.min(1)).max(256).default([]) }).optional(),
      expiresUnixMs: z.int().min(0).default(0),
    }),
    refusal: z.undefined().optional(),
  }),
]);

const MAX_REASON_LENGTH = 200;

/**
 * What the plugin's answer says about that request.
 *
 * @param answer as decoded; anything at all
 * @returns undefined when it says nothing that can be used
 */
export function parseAnswer(
  answer: unknown,
  request: AdmissionRequest,
  nowMs: number,
): Identity | Refusal | undefined {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) {
    return undefined;
  }
  if (parsed.data.refusal !== undefined) {
    const { status, reason } = parsed.data.refusal;
    return {
      kind: 'refusal',
      status: status === 401 || status === 503 ? status : 403,
      reason: readableReason(reason ?? '', request),
    };
  }
  const { role, subject, streamerIds, expiresUnixMs } = parsed.data.identity;
  if (!mayComeBy(request.kind, ROLE_NAMES[role])) {
    return undefined;
  }
  if (expiresUnixMs !== 0 && expiresUnixMs <= nowMs) {
    return { kind: 'refusal', status: 401, reason: 'Your right to come in has expired.' };
  }
  return {
    kind: 'identity',
    role: ROLE_NAMES[role],
    subject: subject === '' ? undefined : subject,
    ...(streamerIds === undefined ? {} : { streamerIds: streamerIds.ids }),
    ...(expiresUnixMs === 0 ? {} : { expiresMs: expiresUnixMs }),
  };
}

/** A plugin that quotes the token must not make us show it. */
function readableReason(reason: string, request: AdmissionRequest): string {
  const token = findToken(request, []);
  const bare = token.kind === 'token' ? reason.replaceAll(token.text, '***') : reason;
  const text = bare
    .replaceAll(/\p{C}+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH);
  return text === '' ? 'You may not come in.' : text;
}

/** protobuf copies maps into plain objects, where this name would be no key. */
function wireMap(map: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...map].filter(([name]) => name !== '__proto__'));
}
