/** From the configuration to the admission: the built-in ones, and the plugin by its address. */
import { readFile } from 'node:fs/promises';
import { GatewayError, errorText } from '../../infra/kernel/errors.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { ADMIT_EVERYONE, type Admission } from '../admission.ts';
import {
  type Fetch,
  LOOPBACK,
  type RevocationList,
  type TokenSource,
  createJwtAdmission,
  withStreamerAddresses,
} from '../auth/index.ts';
import type { AdmissionConfig } from './config.ts';
import { createRemoteAdmission } from './remoteAdmission.ts';

/** What admission is given. */
export type AdmissionDeps = {
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Tokens that were taken back; none where left out. */
  readonly revoked?: RevocationList | undefined;
  readonly fetch?: Fetch | undefined;
};

/**
 * Builds it. An issuer or plugin that is away does not stop the start: nobody is let in until it
 * comes.
 *
 * @throws GatewayError `bad_config` on a weak secret or a file that cannot be read
 */
export async function buildAdmission(
  config: AdmissionConfig,
  deps: AdmissionDeps,
): Promise<Admission & Closeable> {
  switch (config.kind) {
    case 'none': {
      const { streamerAddresses } = config;
      const inner =
        streamerAddresses === undefined
          ? ADMIT_EVERYONE
          : withStreamerAddresses(ADMIT_EVERYONE, streamerAddresses, 'nobody');
      return withClose(inner, NOTHING_TO_CLOSE);
    }
    case 'jwt':
      return byStreamerAddresses(config, {
        ...createJwtAdmission(deps, { ...config.jwt, source: await sourceOf(config) }),
        ...NOTHING_TO_CLOSE,
      });
    case 'grpc':
      return byStreamerAddresses(config, await remoteOf(config, deps));
  }
}

/** The secret that `grandstand token` signs with; undefined where an issuer or plugin decides. */
export async function tokenSecret({ kind, jwt }: AdmissionConfig): Promise<Secret | undefined> {
  if (kind !== 'jwt') {
    return undefined;
  }
  return jwt.secretFile === undefined
    ? jwt.secret
    : new Secret((await readConfigured('jwt.secretFile', jwt.secretFile)).toString('utf8').trim());
}

const NOTHING_TO_CLOSE: Closeable = { close: () => Promise.resolve() };

async function sourceOf(config: AdmissionConfig): Promise<TokenSource> {
  const secret = await tokenSecret(config);
  if (secret !== undefined) {
    return { kind: 'secret', secret };
  }
  const { issuer, algorithms, keysCooldownMs, keysMaxAgeMs } = config.jwt;
  if (issuer === undefined) {
    throw new GatewayError('bad_config', 'admission by jwt needs a secret or an issuer');
  }
  return {
    kind: 'issuer',
    issuer,
    algorithms,
    cooldownMs: keysCooldownMs,
    maxAgeMs: keysMaxAgeMs,
  };
}

async function remoteOf(
  { grpc }: AdmissionConfig,
  { logger, nowMs }: AdmissionDeps,
): Promise<Admission & Closeable> {
  const { address, deadlineMs, healthIntervalMs, tls, caFile } = grpc;
  if (address === undefined) {
    throw new GatewayError('bad_config', 'admission by grpc needs grpc.address');
  }
  const isHere = /^(unix:|localhost:|127\.|\[::1\])/.test(address);
  if (!tls && !isHere) {
    logger.warn({ address }, 'tokens go to the admission plugin in the clear; set grpc.tls');
  }
  const ca = caFile === undefined ? undefined : await readConfigured('grpc.caFile', caFile);
  return createRemoteAdmission(
    { logger, nowMs },
    { address, deadlineMs, healthIntervalMs, tls: tls ? { ca } : undefined },
  );
}

function byStreamerAddresses(
  { streamerAddresses }: AdmissionConfig,
  inner: Admission & Closeable,
): Admission & Closeable {
  return withClose(withStreamerAddresses(inner, streamerAddresses ?? LOOPBACK, 'inner'), inner);
}

function withClose(admission: Admission, owner: Closeable): Admission & Closeable {
  return {
    admit: (request, signal) => admission.admit(request, signal),
    close: (reason) => owner.close(reason),
  };
}

async function readConfigured(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new GatewayError('bad_config', `${name} cannot be read: ${errorText(error)}`);
  }
}
