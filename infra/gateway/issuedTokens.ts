/**
 * Tokens of this gateway: made here, remembered by their `jti` in Redis until they expire, and taken
 * back there, for every replica. The text of a token is kept nowhere.
 */
import { z } from 'zod';
import { mintToken, type RevocationList, ROLES } from '../../signalling/index.ts';
import type { KeyValueStore } from '../kernel/redis.ts';
import type { Secret } from '../kernel/secret.ts';

const recordSchema = z.object({
  role: z.enum(ROLES),
  subject: z.string().nullable(),
  streamers: z.array(z.string()).nullable(),
  expires: z.string(),
});

/** What is known of a token. */
export type TokenRecord = z.output<typeof recordSchema> & { readonly jti: string };

type TokenOrder = Parameters<typeof mintToken>[0];

/** What a token is to be. */
export type TokenWish = Pick<TokenOrder, 'role' | 'subject' | 'streamers' | 'ttlMs'>;

/** The tokens. */
export type IssuedTokens = RevocationList & {
  mint(
    wish: TokenWish,
  ): Promise<
    | { readonly kind: 'made'; readonly token: TokenRecord & { readonly token: string } }
    | { readonly kind: 'refused'; readonly reason: string }
  >;
  /** Those that have not expired, the next to expire first. */
  list(): Promise<readonly (TokenRecord & { readonly revoked: boolean })[]>;
  revoke(jti: string): Promise<void>;
};

const ISSUED = 'grandstand:token:';
const REVOKED = 'grandstand:revoked:';
/** A token that is not ours may be good for as long as the longest of ours, plus clock tolerance. */
const LONGEST_MS = 367 * 86_400_000;
/** The largest clock tolerance that can be configured. */
const TOLERANCE_MS = 300_000;

/**
 * The tokens in a store.
 *
 * @param signer the secret, and for which roles it makes tokens; or why it makes none
 */
export function issuedTokens(
  store: Pick<KeyValueStore, 'get' | 'lease' | 'list'>,
  signer:
    | {
        readonly secret: Secret;
        readonly refusal: (role: TokenOrder['role']) => string | undefined;
      }
    | { readonly none: string },
  nowMs: () => number,
): IssuedTokens {
  const record = (text: string | undefined): Omit<TokenRecord, 'jti'> | undefined =>
    text === undefined ? undefined : recordSchema.safeParse(JSON.parse(text)).data;
  return {
    async has(jti) {
      return (await store.get(REVOKED + jti)) !== undefined;
    },
    async mint(wish) {
      const reason = 'none' in signer ? signer.none : signer.refusal(wish.role);
      if ('none' in signer || reason !== undefined) {
        return { kind: 'refused', reason: reason ?? '' };
      }
      const { token, jti, expiresMs } = await mintToken({
        ...wish,
        secret: signer.secret,
        nowMs: nowMs(),
      });
      const known = {
        role: wish.role,
        subject: wish.subject ?? null,
        streamers: wish.streamers === undefined ? null : [...wish.streamers],
        expires: new Date(expiresMs).toISOString(),
      };
      await store.lease(ISSUED + jti, JSON.stringify(known), Math.max(1, expiresMs - nowMs()));
      return { kind: 'made', token: { token, jti, ...known } };
    },
    async list() {
      const [issued, revoked] = await Promise.all([store.list(ISSUED), store.list(REVOKED)]);
      return [...issued]
        .flatMap(([key, text]) => {
          const known = record(text);
          const jti = key.slice(ISSUED.length);
          return known === undefined
            ? []
            : [{ jti, ...known, revoked: revoked.has(REVOKED + jti) }];
        })
        .sort((a, b) => a.expires.localeCompare(b.expires));
    },
    async revoke(jti) {
      const known = record(await store.get(ISSUED + jti));
      const remainingMs =
        known === undefined ? LONGEST_MS : Date.parse(known.expires) - nowMs() + TOLERANCE_MS;
      await store.lease(REVOKED + jti, 'revoked', Math.max(1, Math.round(remainingMs)));
    },
  };
}
