/**
 * Admission by JWT: verifies the token of a request, by a secret of ours or by the keys of an
 * issuer, and makes an identity of its claims. Every way to fail is a refusal with its reason. What
 * is compared here is no secret; signatures are compared by WebCrypto, in constant time.
 */
import { type JWTPayload, type JWTVerifyGetKey, errors, jwtVerify } from 'jose';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import type { Admission, AdmissionRequest, Identity, Refusal } from '../admission.ts';
import { findToken } from './findToken.ts';
import { type ClaimRules, identityFromClaims } from './identity.ts';
import type { Fetch } from './issuerDocuments.ts';
import { IssuerAwayError, IssuerKeys } from './issuerKeys.ts';
import { type RefusalCode, refusal } from './refusals.ts';
import { OWN_NAME, secretKey } from './secretKey.ts';

/** Tokens that were taken back before their time. One that has no `jti` cannot be. */
export interface RevocationList {
  has(jti: string): Promise<boolean>;
}

/** Signatures of issuers that we verify; all have a public key, so that none can be forged with it. */
export const ISSUER_ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'PS256'] as const;

/** Who signs. */
export type TokenSource =
  | { readonly kind: 'secret'; readonly secret: Secret }
  | {
      readonly kind: 'issuer';
      readonly issuer: string;
      readonly algorithms: readonly (typeof ISSUER_ALGORITHMS)[number][];
      readonly cooldownMs: number;
      readonly maxAgeMs: number;
    };

/** How tokens are read. */
export type JwtRules = ClaimRules & {
  readonly source: TokenSource;
  /** One of the token's `aud` must be this. */
  readonly audience: string;
  /** By how much the clocks of issuer and gateway may differ, ms. */
  readonly clockToleranceMs: number;
  /** Origins, beside our own, whose pages may use the cookie. */
  readonly cookieOrigins: readonly string[];
};

/** What it is given. */
export type JwtDeps = {
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly revoked?: RevocationList | undefined;
  readonly fetch?: Fetch | undefined;
};

/** Longest token, characters: Node takes 16 KiB of headers. */
const MAX_TOKEN_LENGTH = 8192;

type Signing = {
  readonly key: JWTVerifyGetKey;
  readonly algorithms: string[];
  readonly issuer: string;
};

/**
 * Makes the admission. An issuer is asked when the first token comes, so it may be away at start.
 *
 * @throws GatewayError `bad_config` on a weak secret
 */
export function createJwtAdmission(deps: JwtDeps, rules: JwtRules): Admission {
  const signing = signingOf(deps, rules.source);
  return {
    async admit(request) {
      const found = findToken(request, rules.cookieOrigins);
      if (found.kind === 'refused') {
        return { kind: 'refusal', status: 403, reason: found.reason };
      }
      const answer = found.kind === 'none' ? 'missing' : await check(found.text, request);
      if (typeof answer !== 'string') {
        return answer;
      }
      deps.logger.debug({ listener: request.kind, why: answer }, 'token refused');
      return refusal(answer);
    },
  };

  async function check(
    token: string,
    { kind }: AdmissionRequest,
  ): Promise<Identity | Refusal | RefusalCode> {
    if (token.length > MAX_TOKEN_LENGTH) {
      return 'too_large';
    }
    const claims = await verify(token);
    if (typeof claims === 'string') {
      return claims;
    }
    const identity = identityFromClaims(claims, kind, rules);
    if (typeof identity === 'string') {
      return identity;
    }
    const revocation = await revocationOf(claims);
    if (revocation !== undefined) {
      return revocation;
    }
    return {
      ...identity,
      expiresMs: Number(claims.exp) * 1000 + rules.clockToleranceMs,
      ...(typeof claims.jti === 'string' ? { tokenId: claims.jti } : {}),
    };
  }

  async function verify(token: string): Promise<JWTPayload | RefusalCode> {
    try {
      const { payload } = await jwtVerify(token, signing.key, {
        algorithms: signing.algorithms,
        issuer: signing.issuer,
        audience: rules.audience,
        requiredClaims: ['exp'],
        clockTolerance: rules.clockToleranceMs / 1000,
        currentDate: new Date(deps.nowMs()),
      });
      return payload;
    } catch (error) {
      return codeOf(error);
    }
  }

  async function revocationOf({ jti }: JWTPayload): Promise<RefusalCode | undefined> {
    if (typeof jti !== 'string' || deps.revoked === undefined) {
      return undefined;
    }
    try {
      return (await deps.revoked.has(jti)) ? 'revoked' : undefined;
    } catch (error) {
      deps.logger.error({ error: errorText(error) }, 'revoked tokens cannot be read; deny');
      return 'revocations_away';
    }
  }
}

function signingOf({ logger, nowMs, fetch }: JwtDeps, source: TokenSource): Signing {
  if (source.kind === 'secret') {
    const bytes = secretKey(source.secret);
    // Whatever `kid` says: there is one key.
    return { key: () => Promise.resolve(bytes), algorithms: ['HS256'], issuer: OWN_NAME };
  }
  const keys = new IssuerKeys({ logger, nowMs, fetch: fetch ?? globalThis.fetch }, source);
  return { key: keys.find, algorithms: [...source.algorithms], issuer: source.issuer };
}

const CLAIM_CODES: Readonly<Record<string, RefusalCode>> = {
  aud: 'audience',
  iss: 'issuer',
  nbf: 'not_yet',
};

/** Why verification failed. Texts of errors are not shown: some quote the token. */
function codeOf(error: unknown): RefusalCode {
  if (error instanceof IssuerAwayError) {
    return 'issuer_away';
  }
  if (error instanceof errors.JWTExpired) {
    return 'expired';
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'invalid') {
      return 'claims';
    }
    return claim === 'exp' ? 'no_expiry' : (CLAIM_CODES[claim] ?? 'claims');
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return 'algorithm';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return 'signature';
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return 'unknown_key';
  }
  return error instanceof errors.JWKSMultipleMatchingKeys ? 'ambiguous_key' : 'malformed';
}
