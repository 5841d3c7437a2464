/**
 * The one table of why a token does not let its bearer in. Texts are shown to users: they say what
 * is wrong and what is expected, and nothing of the token.
 */
import type { Refusal } from '../admission.ts';

const REFUSALS = {
  missing: [401, 'A token is needed: open the link that you were given.'],
  too_large: [401, 'The token is larger than 8192 bytes.'],
  malformed: [401, 'The token is not a signed JWT.'],
  algorithm: [401, 'The token is signed by an algorithm that is not allowed here.'],
  signature: [401, 'The signature of the token is wrong.'],
  unknown_key: [401, 'The token is signed by a key that its issuer does not publish.'],
  ambiguous_key: [401, 'The token does not say by which key of its issuer it is signed.'],
  expired: [401, 'The token has expired.'],
  not_yet: [401, 'The token is not valid yet.'],
  audience: [401, 'The token is for somebody else (wrong audience).'],
  issuer: [401, 'The token is from somebody else (wrong issuer).'],
  no_expiry: [401, 'The token does not say when it ends (exp).'],
  claims: [401, 'The token has a claim of the wrong form.'],
  revoked: [401, 'The token was revoked.'],
  no_role: [403, 'The token gives you no role here.'],
  not_on_players: [403, 'The token is for streamers, not for players.'],
  not_on_streamers: [403, 'The token is for players, not for streamers.'],
  issuer_away: [
    503,
    'Who you are cannot be checked now: the issuer of tokens does not answer. Try again later.',
  ],
  revocations_away: [
    503,
    'Who you are cannot be checked now: the list of revoked tokens does not answer. Try again later.',
  ],
} as const satisfies Record<string, readonly [Refusal['status'], string]>;

/** A name of one reason, for the log. */
export type RefusalCode = keyof typeof REFUSALS;

/** The refusal of that name. */
export function refusal(code: RefusalCode): Refusal {
  const [status, reason] = REFUSALS[code];
  return { kind: 'refusal', status, reason };
}
