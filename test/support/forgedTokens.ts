/** JWTs made by hand, good ones and such as no library signs: what a gateway must not take. */
import { createHmac } from 'node:crypto';

/** The claims of a token that is good; `overrides` with undefined leaves one out. */
export function claimsOf(overrides: Readonly<Record<string, unknown>> = {}): object {
  const nowS = Math.floor(Date.now() / 1000);
  return {
    ...{ iss: 'grandstand', aud: 'grandstand', sub: 'ann', role: 'presenter' },
    ...{ iat: nowS, exp: nowS + 600 },
    ...overrides,
  };
}

/** Signs (HS256) with `key` whatever is given; without a key the signature is empty. */
export function forgeToken(
  key: string | Buffer | undefined,
  claims: object,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const text = [{ alg: 'HS256', typ: 'JWT', ...header }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature =
    key === undefined ? '' : createHmac('sha256', key).update(text).digest('base64url');
  return `${text}.${signature}`;
}
