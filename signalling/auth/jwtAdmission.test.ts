/** Every way in which a token is refused, with its status and reason; and what of a good one is kept. */
import { SignJWT, UnsecuredJWT, base64url, exportJWK, exportSPKI, generateKeyPair } from 'jose';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../infra/kernel/secret.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { AdmissionRequest, Identity, Refusal } from '../admission.ts';
import {
  BEARER_PROTOCOL,
  type RevocationList,
  TOKEN_COOKIE,
  type TokenSource,
  createJwtAdmission,
  mintToken,
} from './index.ts';

const SECRET = new Secret('unit-test-secret-of-32-bytes-or-more');
const KEY = new TextEncoder().encode(SECRET.reveal());
const NOW_MS = Date.UTC(2026, 10, 20, 19);
const NOW_S = NOW_MS / 1000;
const GOOD = {
  role: 'presenter',
  sub: 'ann',
  aud: 'grandstand',
  iss: 'grandstand',
  exp: NOW_S + 60,
  jti: 'j1',
};

function request(
  token: string | undefined,
  overrides: Partial<AdmissionRequest> = {},
): AdmissionRequest {
  return {
    kind: 'player',
    query: new Map(token === undefined ? [] : [['token', token]]),
    cookies: new Map(),
    protocols: [],
    remoteAddress: '192.0.2.1',
    headers: new Map([['host', 'gate.example']]),
    ...overrides,
  };
}

type Setup = {
  readonly source?: TokenSource;
  readonly revoked?: RevocationList;
  readonly fetch?: (url: string) => Promise<Response>;
  readonly rules?: Partial<Parameters<typeof createJwtAdmission>[1]>;
};

/** What is said to a request, and all that was logged about it. */
async function ask(
  asked: AdmissionRequest,
  { source = { kind: 'secret', secret: SECRET }, revoked, fetch, rules = {} }: Setup = {},
): Promise<{ readonly answer: Identity | Refusal; readonly log: string }> {
  const lines: string[] = [];
  const say = (fields: object, message: string): void =>
    void lines.push(JSON.stringify(fields) + message);
  const logger: Logger = { error: say, warn: say, info: say, debug: say, child: () => logger };
  const deps = {
    logger,
    nowMs: () => NOW_MS,
    revoked,
    fetch: fetch ?? (() => Promise.reject(new Error('nothing is fetched'))),
  };
  const admission = createJwtAdmission(deps, {
    source,
    audience: 'grandstand',
    roleClaim: 'role',
    streamersClaim: 'streamers',
    clockToleranceMs: 5000,
    cookieOrigins: [],
    ...rules,
  });
  return {
    answer: await admission.admit(asked, new AbortController().signal),
    log: lines.join('\n'),
  };
}

const sign = (
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
  key: Uint8Array = KEY,
): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);

/** `401 The token…`, or the role of who came in. */
const said = (answer: Identity | Refusal): string =>
  answer.kind === 'refusal' ? `${answer.status} ${answer.reason}` : answer.role;

/** A token put together by hand, as an attacker would. */
function forge(header: object, claims: object, key: string | Uint8Array): string {
  const body = [header, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.');
  return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
}

const unsigned = (claims: Record<string, unknown>): string => new UnsecuredJWT(claims).encode();

describe('a token is refused', () => {
  const without = (name: keyof typeof GOOD): Record<string, unknown> =>
    Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name));
  const HS = { alg: 'HS256' };
  const refusals: [string, () => string | Promise<string>, number, RegExp][] = [
    ['expired', () => sign({ ...GOOD, exp: NOW_S - 6 }), 401, /expired/],
    ['without an end', () => sign(without('exp')), 401, /when it ends/],
    ['whose end is text', () => forge(HS, { ...GOOD, exp: 'never' }, KEY), 401, /wrong form/],
    ['not valid yet', () => sign({ ...GOOD, nbf: NOW_S + 6 }), 401, /not valid yet/],
    ['for another audience', () => sign({ ...GOOD, aud: 'bleachers' }), 401, /wrong audience/],
    ['for no audience', () => sign(without('aud')), 401, /wrong audience/],
    ['of another issuer', () => sign({ ...GOOD, iss: 'https://x' }), 401, /wrong issuer/],
    ['of no issuer', () => sign(without('iss')), 401, /wrong issuer/],
    ['with alg none', () => unsigned(GOOD), 401, /algorithm/],
    ['with alg nOnE', () => forge({ alg: 'nOnE' }, GOOD, KEY), 401, /algorithm/],
    ['with alg HS512', () => forge({ alg: 'HS512' }, GOOD, KEY), 401, /algorithm/],
    ['without alg', () => forge({}, GOOD, KEY), 401, /signed JWT/],
    ['signed by another', () => sign(GOOD, {}, new Uint8Array(32)), 401, /signature/],
    ['signed by nothing', () => forge(HS, GOOD, ''), 401, /signature/],
    [
      'without its signature',
      async () => `${(await sign(GOOD)).split('.', 2).join('.')}.`,
      401,
      /./,
    ],
    ['changed after signing', () => changed(), 401, /signature/],
    ['that must be understood', () => forge({ ...HS, crit: ['x'], x: 1 }, GOOD, KEY), 401, /./],
    ['that is text', () => 'hello', 401, /signed JWT/],
    ['of three dots', () => '...', 401, /signed JWT/],
    ['too large', () => sign({ ...GOOD, pad: 'x'.repeat(8192) }), 401, /larger than 8192/],
    ['whose claims are a list', () => forge(HS, [], KEY), 401, /signed JWT/],
    ['whose subject is a number', () => forge(HS, { ...GOOD, sub: 1 }, KEY), 401, /wrong form/],
    ['whose streamers are text', () => sign({ ...GOOD, streamers: 'all' }), 401, /wrong form/],
    ['without a role', () => sign(without('role')), 403, /no role/],
    ['of a made-up role', () => sign({ ...GOOD, role: 'admin' }), 403, /no role/],
    ['of an inherited role', () => sign({ ...GOOD, role: 'constructor' }), 403, /no role/],
    ['of a streamer', () => sign({ ...GOOD, role: 'streamer' }), 403, /for streamers/],
  ];
  it.each(refusals)('%s', async (_name, make, status, reason) => {
    const token = await make();
    const { answer, log } = await ask(request(token));
    expect(said(answer)).toMatch(reason);
    expect(said(answer)).toMatch(new RegExp(`^${status} `));
    expect(log).toContain('token refused');
    for (const secret of [SECRET.reveal(), token, token.split('.')[1] || '...']) {
      expect(said(answer) + log).not.toContain(secret);
    }
  });

  async function changed(): Promise<string> {
    const [header, , signature] = (await sign(GOOD)).split('.');
    const claims = base64url.encode(JSON.stringify({ ...GOOD, role: 'operator' }));
    return `${header}.${claims}.${signature}`;
  }

  it.each(['player', 'streamer', 'sfu'] as const)('that is not there, at %ss', async (kind) => {
    const { answer } = await ask(request(undefined, { kind }));
    expect(answer).toMatchObject({ kind: 'refusal', status: 401 });
  });

  it.each(['presenter', 'observer', 'operator'])('of a %s at streamers', async (role) => {
    const token = await sign({ ...GOOD, role });
    for (const kind of ['streamer', 'sfu'] as const) {
      const { answer } = await ask(request(token, { kind }));
      expect(said(answer)).toMatch(/^403 .*for players/);
    }
  });

  it('revoked, and also while nobody can say whether it is', async () => {
    const token = await sign(GOOD);
    const revoked = { has: (jti: string) => Promise.resolve(jti === 'j1') };
    expect((await ask(request(token), { revoked })).answer).toMatchObject({
      status: 401,
      reason: 'The token was revoked.',
    });
    const away = { has: () => Promise.reject(new Error('Redis is away')) };
    const { answer, log } = await ask(request(token), { revoked: away });
    expect(answer).toMatchObject({ kind: 'refusal', status: 503 });
    expect(log).toContain('Redis is away');
  });

  it('where the secret is short, or a public key', () => {
    const deps = { logger: undefined as never, nowMs: () => NOW_MS };
    const rules = (text: string) =>
      ({ source: { kind: 'secret', secret: new Secret(text) } }) as Parameters<
        typeof createJwtAdmission
      >[1];
    expect(() => createJwtAdmission(deps, rules('s'.repeat(31)))).toThrow(/31 bytes.*at least 32/);
    const pem = `-----BEGIN PUBLIC KEY-----\n${'A'.repeat(64)}\n-----END PUBLIC KEY-----`;
    expect(() => createJwtAdmission(deps, rules(pem))).toThrow(/is a PEM file/);
  });
});

describe('the header of a token is not obeyed', () => {
  const tricks: [string, unknown][] = [
    ['kid', '../../../../dev/null'],
    ['kid', '/proc/sys/kernel/hostname'],
    ['kid', "x' UNION SELECT 'key' -- "],
    ['kid', 'https://evil.example/key'],
    ['kid', '__proto__'],
    ['jku', 'https://evil.example/jwks.json'],
    ['x5u', 'https://evil.example/cert.pem'],
  ];
  const ISSUER = 'https://id.example';

  /** An issuer with one key of each kind, and what was fetched of it. */
  async function issuer() {
    const rsa = await generateKeyPair('RS256', { extractable: true });
    const keys = [{ ...(await exportJWK(rsa.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }];
    const fetched: string[] = [];
    const fetch = (url: string): Promise<Response> => {
      fetched.push(url);
      const isKeys = url === `${ISSUER}/keys`;
      return Promise.resolve(
        Response.json(isKeys ? { keys } : { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` }),
      );
    };
    const source: TokenSource = {
      kind: 'issuer',
      issuer: ISSUER,
      algorithms: ['RS256', 'ES256', 'EdDSA', 'PS256'],
      cooldownMs: 30_000,
      maxAgeMs: 600_000,
    };
    return { rsa, fetched, setup: { source, fetch } };
  }

  it.each(tricks)('%s %j with a local secret', async (name, value) => {
    const claims = { ...GOOD, iss: 'grandstand' };
    const stolen = forge({ alg: 'HS256', [name]: value }, claims, '');
    expect(said((await ask(request(stolen))).answer)).toMatch(/^401 .*signature/);
    const ours = forge({ alg: 'HS256', [name]: value }, claims, KEY);
    expect((await ask(request(ours))).answer).toMatchObject({ kind: 'identity' });
  });

  it.each(tricks)('%s %j with an issuer', async (name, value) => {
    const { fetched, setup } = await issuer();
    const { privateKey } = await generateKeyPair('RS256');
    const token = await new SignJWT({ ...GOOD, iss: ISSUER })
      .setProtectedHeader({ alg: 'RS256', [name]: value })
      .sign(privateKey);
    const { answer } = await ask(request(token), setup);
    expect(answer).toMatchObject({ kind: 'refusal', status: 401 });
    expect(fetched).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`]);
  });

  it('jwk: a key that the token brings along verifies nothing', async () => {
    const { setup } = await issuer();
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const token = await new SignJWT({ ...GOOD, iss: ISSUER })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', jwk: await exportJWK(publicKey) })
      .sign(privateKey);
    expect(said((await ask(request(token), setup)).answer)).toMatch(/^401 .*signature/);
  });

  it('alg: HS256 with the public key of the issuer as the secret', async () => {
    const { rsa, setup } = await issuer();
    const claims = { ...GOOD, iss: ISSUER };
    const jwk = JSON.stringify(await exportJWK(rsa.publicKey));
    for (const key of [await exportSPKI(rsa.publicKey), jwk]) {
      const token = forge({ alg: 'HS256', kid: 'k1' }, claims, key);
      expect(said((await ask(request(token), setup)).answer)).toMatch(/^401 .*algorithm/);
    }
    const good = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(rsa.privateKey);
    expect((await ask(request(good), setup)).answer).toMatchObject({ role: 'presenter' });
  });
});

describe('a good token', () => {
  it('of ours says who, what for and until when', async () => {
    const { token, expiresMs, jti } = await mintToken({
      role: 'presenter',
      subject: 'ann',
      streamers: ['demo'],
      ttlMs: 8 * 3_600_000,
      secret: SECRET,
      nowMs: NOW_MS,
    });
    expect(expiresMs).toBe(NOW_MS + 8 * 3_600_000);
    expect((await ask(request(token))).answer).toEqual({
      kind: 'identity',
      role: 'presenter',
      subject: 'ann',
      streamerIds: ['demo'],
      expiresMs: expiresMs + 5000,
      tokenId: jti,
    });
  });

  it.each([
    ['presenter', 'player'],
    ['observer', 'player'],
    ['operator', 'player'],
    ['streamer', 'streamer'],
    ['streamer', 'sfu'],
  ] as const)('of a %s comes by the listener of %ss', async (role, kind) => {
    const { token } = await mintToken({ role, ttlMs: 60_000, secret: SECRET, nowMs: NOW_MS });
    const { answer } = await ask(request(token, { kind }));
    expect(answer).toMatchObject({ kind: 'identity', role });
    expect(answer).not.toHaveProperty('streamerIds');
  });

  it('rides in the query, a subprotocol, Authorization or the cookie, in that order', async () => {
    const by = (sub: string): Promise<string> => sign({ ...GOOD, sub });
    const ways: [string, Partial<AdmissionRequest>][] = [
      ['query', { query: new Map([['token', await by('query')]]) }],
      ['protocol', { protocols: ['grandstand', BEARER_PROTOCOL + (await by('protocol'))] }],
      ['header', { headers: new Map([['authorization', `bearer ${await by('header')}`]]) }],
      ['cookie', { cookies: new Map([[TOKEN_COOKIE, await by('cookie')]]) }],
    ];
    for (const [index, [subject]] of ways.entries()) {
      const carried = Object.assign({}, ...ways.slice(index).map(([, way]) => way)) as object;
      expect((await ask(request(undefined, carried))).answer).toMatchObject({ subject });
    }
  });

  it('in a cookie is not for pages of other sites', async () => {
    const cookies = new Map([[TOKEN_COOKIE, await sign(GOOD)]]);
    const from = async (origin: string) => {
      const headers = new Map([
        ['origin', origin],
        ['host', 'Gate.example'],
      ]);
      const rules = { cookieOrigins: ['https://pages.example'] };
      const { answer } = await ask(request(undefined, { cookies, headers }), { rules });
      return answer.kind === 'refusal' ? answer.status : 'in';
    };
    expect(await from('https://gate.example')).toBe('in');
    expect(await from('https://pages.example')).toBe('in');
    expect(await from('https://evil.example')).toBe(403);
    expect(await from('https://gate.example:444')).toBe(403);
    expect(await from('null')).toBe(403);
  });

  it.each([
    ['groups', { groups: ['staff', 'stage crew'] }, 'presenter'],
    ['groups', { groups: ['staff', 'stage crew', 'booth'] }, 'operator'],
    ['groups', { groups: 'stage crew' }, 'presenter'],
    ['groups', { groups: ['presenter'] }, 403],
    ['groups', { groups: [{ name: 'booth' }] }, 401],
    ['realm_access.roles', { realm_access: { roles: ['booth'] } }, 'operator'],
    ['https://x.example/roles', { 'https://x.example/roles': ['booth'] }, 'operator'],
    ['scope', { scope: 'openid booth' }, 'operator'],
    ['__proto__.x', {}, 403],
  ])('has its role in %s: %j', async (roleClaim, claims, expected) => {
    const rules = { roleClaim, roles: { presenter: ['stage crew'], operator: ['booth'] } };
    const token = await sign({
      ...claims,
      sub: 'a',
      aud: 'grandstand',
      iss: 'grandstand',
      exp: NOW_S + 9,
    });
    const { answer } = await ask(request(token), { rules });
    expect(answer.kind === 'identity' ? answer.role : answer.status).toBe(expected);
  });
});
