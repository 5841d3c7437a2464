/**
 * The keys of an issuer as we know them: fetched when first needed, again when old or when a token
 * names an unknown one, never more often than the cool-down. While the issuer is away the known keys
 * go on working, for a day; jose's own remote set forgets them, hence ours.
 */
import { type JWTVerifyGetKey, createLocalJWKSet, errors } from 'jose';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import { type Fetch, fetchIssuerKeys } from './issuerDocuments.ts';

/** What the cache is given. */
export type IssuerKeysDeps = {
  readonly logger: Logger;
  readonly nowMs: () => number;
  readonly fetch: Fetch;
};

/** Bounds of the cache, ms. */
export type IssuerKeysRules = {
  /** `iss` of the tokens, which is where discovery starts. */
  readonly issuer: string;
  /** Between two fetches for an unknown key. */
  readonly cooldownMs: number;
  /** Keys older than this are fetched again. */
  readonly maxAgeMs: number;
};

/** The issuer gives no keys, and we have none of it. */
export class IssuerAwayError extends Error {}

const FETCH_TIMEOUT_MS = 3000;
/** After a failure: soon again, but not for every token. */
const RETRY_MS = 5000;
/** An issuer that is away for longer may have withdrawn any of its keys. */
const KEEP_MS = 24 * 3_600_000;

type Known = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetchedMs: number };

/** Finds the key of a token among its issuer's. */
export class IssuerKeys {
  readonly #deps: IssuerKeysDeps;
  readonly #rules: IssuerKeysRules;
  #known: Known | undefined;
  #failedMs: number | undefined;
  #fetching: Promise<void> | undefined;

  constructor(deps: IssuerKeysDeps, rules: IssuerKeysRules) {
    this.#deps = deps;
    this.#rules = rules;
  }

  /**
   * The key that the header of a token asks for, by `alg` and `kid` alone: `jku`, `jwk` and `x5u`
   * are the token's word about itself and are not read.
   *
   * @throws IssuerAwayError when nothing can be said now
   * @throws errors.JOSEError when no key, or more than one, fits
   */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { nowMs } = this.#deps;
    if (this.#known === undefined || nowMs() - this.#known.fetchedMs > this.#rules.maxAgeMs) {
      await this.#refresh();
    }
    const known = this.#usable();
    try {
      return await known.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) {
        throw error;
      }
      if (nowMs() - known.fetchedMs < this.#rules.cooldownMs) {
        throw error;
      }
      await this.#refresh();
      if (this.#known === known) {
        throw new IssuerAwayError('the key is unknown and the issuer is away', { cause: error });
      }
      return await this.#usable().find(header, token);
    }
  };

  #usable(): Known {
    const known = this.#known;
    if (known === undefined || this.#deps.nowMs() - known.fetchedMs > KEEP_MS) {
      this.#known = undefined;
      throw new IssuerAwayError('no keys of the issuer are known');
    }
    return known;
  }

  /** Fetches once for all who wait; never rejects. */
  #refresh(): Promise<void> {
    if (this.#failedMs !== undefined && this.#deps.nowMs() - this.#failedMs < RETRY_MS) {
      return Promise.resolve();
    }
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { logger, nowMs, fetch } = this.#deps;
    const { issuer } = this.#rules;
    try {
      const keys = await fetchIssuerKeys(issuer, fetch, AbortSignal.timeout(FETCH_TIMEOUT_MS));
      this.#known = { find: createLocalJWKSet(keys), fetchedMs: nowMs() };
      if (this.#failedMs !== undefined) {
        this.#failedMs = undefined;
        logger.info({ issuer }, 'issuer of tokens is back');
      }
    } catch (error) {
      if (this.#failedMs === undefined) {
        const hasKeys = this.#known !== undefined;
        logger.warn({ issuer, hasKeys, error: causeText(error) }, 'issuer of tokens is away');
      }
      this.#failedMs = nowMs();
    }
  }
}

/** `fetch failed` says nothing: its cause does. */
function causeText(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? `${errorText(error)}: ${cause.message}` : errorText(error);
}
