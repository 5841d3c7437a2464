/** What a plugin's answer is worth, what the configuration takes, and which admission it builds. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configFromEnvironment, configLeaves, parseConfig } from '../../infra/kernel/config.ts';
import { GatewayError, errorText } from '../../infra/kernel/errors.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import type { AdmissionRequest, Identity, Refusal } from '../admission.ts';
import { mintToken } from '../auth/index.ts';
import { admissionConfigSchema, buildAdmission, tokenSecret } from './index.ts';
import { loadServices, methodOf, parseAnswer, wireRequest } from './wire.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 19);
const SECRET = 'config-test-secret-of-32-bytes-or-more';

const asked = (overrides: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  kind: 'player',
  query: new Map([['token', 'aaa.bbb.ccc']]),
  cookies: new Map(),
  protocols: [],
  remoteAddress: '192.0.2.1',
  headers: new Map(),
  ...overrides,
});

const said = (answer: Identity | Refusal | undefined): string =>
  answer === undefined
    ? 'nothing'
    : answer.kind === 'refusal'
      ? `${answer.status} ${answer.reason}`
      : answer.role;

describe('an answer of a plugin', () => {
  const presenter = { role: 'ROLE_PRESENTER' };
  it.each<[unknown, string]>([
    [{ identity: presenter }, 'presenter'],
    [
      { identity: { ...presenter, expiresUnixMs: NOW_MS } },
      '401 Your right to come in has expired.',
    ],
    [{ identity: { role: 'ROLE_STREAMER' } }, 'nothing'],
    [{ identity: { role: 'ROLE_UNSPECIFIED' } }, 'nothing'],
    [{ identity: { role: 99 } }, 'nothing'],
    [{ identity: {} }, 'nothing'],
    [{ identity: { ...presenter, subject: 'x'.repeat(257) } }, 'nothing'],
    [{ identity: { ...presenter, streamerIds: { ids: [''] } } }, 'nothing'],
    [{ identity: { ...presenter, expiresUnixMs: -1 } }, 'nothing'],
    [{ identity: { ...presenter, expiresUnixMs: 2 ** 60 } }, 'nothing'],
    [{ identity: presenter, refusal: {} }, 'nothing'],
    [{}, 'nothing'],
    [undefined, 'nothing'],
    ['yes', 'nothing'],
    [{ refusal: {} }, '403 You may not come in.'],
    [{ refusal: { status: 401, reason: 'No ticket.' } }, '401 No ticket.'],
    [{ refusal: { status: 200, reason: 'Welcome!' } }, '403 Welcome!'],
    [{ refusal: { status: 503, reason: 'a\r\nSet-Cookie: b\u0000' } }, '503 a Set-Cookie: b'],
    [{ refusal: { status: 401, reason: 'bad aaa.bbb.ccc!' } }, '401 bad ***!'],
    [{ refusal: { reason: 'x'.repeat(999) } }, `403 ${'x'.repeat(200)}`],
  ])('%j is %s', (answer, expected) => {
    expect(said(parseAnswer(answer, asked(), NOW_MS))).toBe(expected);
  });

  it('tells no ids from an empty list of ids, and 0 from an end', () => {
    const parse = (identity: object): unknown =>
      parseAnswer({ identity: { ...presenter, ...identity } }, asked(), NOW_MS);
    const bare = { kind: 'identity', role: 'presenter', subject: undefined };
    expect(parse({ expiresUnixMs: 0, subject: '' })).toEqual(bare);
    expect(parse({ streamerIds: {} })).toEqual({ ...bare, streamerIds: [] });
    expect(parse({ streamerIds: { ids: ['a'] }, expiresUnixMs: NOW_MS + 1 })).toEqual({
      ...bare,
      streamerIds: ['a'],
      expiresMs: NOW_MS + 1,
    });
  });

  it('is never thrown about, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (answer) => {
        expect(['nothing', '403 You may not come in.']).toContain(
          said(parseAnswer({ x: answer }, asked(), NOW_MS)),
        );
      }),
    );
  });
});

describe('a request to a plugin', () => {
  it('comes out as it went in, names of all kinds included', () => {
    const admit = methodOf(loadServices().admission, 'Admit');
    const text = fc.string({ unit: 'grapheme', maxLength: 20 });
    const maps = fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name });
    fc.assert(
      fc.property(maps, fc.array(text), text, (pairs, protocols, remoteAddress) => {
        const query = new Map([...pairs, ['__proto__', 'x'], ['constructor', 'y']]);
        const bytes = admit.requestSerialize(
          wireRequest(asked({ kind: 'sfu', query, protocols, remoteAddress })),
        );
        const read = admit.requestDeserialize(bytes) as Record<string, Record<string, string>>;
        query.delete('__proto__');
        expect(new Map(Object.entries(read['query'] ?? {}))).toEqual(query);
        expect(read['protocols'] ?? []).toEqual(protocols);
        expect(read['remoteAddress'] ?? '').toBe(remoteAddress);
        expect(read['listener']).toBe('LISTENER_SFU');
      }),
    );
  });
});

describe('the configuration', () => {
  const jwt = { secret: SECRET };
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['jwt without a secret', { kind: 'jwt' }, /exactly one of/],
    [
      'jwt with two sources',
      { kind: 'jwt', jwt: { ...jwt, issuer: 'https://id.example' } },
      /exactly one of/,
    ],
    ['an issuer in the clear', { jwt: { issuer: 'http://id.example' } }, /https/],
    ['a password in the issuer', { jwt: { issuer: 'https://a:b@id.example' } }, /password/],
    ['HS256 for an issuer', { jwt: { algorithms: ['HS256'] } }, /jwt.algorithms/],
    ['no algorithm', { jwt: { algorithms: [] } }, /jwt.algorithms/],
    ['a plugin without an address', { kind: 'grpc' }, /grpc.address: is needed/],
    ['a plugin by URL', { grpc: { address: 'http://x:1' } }, /HOST:PORT/],
    ['certificates without TLS', { grpc: { caFile: '/ca.pem' } }, /needs grpc.tls/],
    ['TLS to an address', { grpc: { tls: true, address: '10.0.0.1:50051' } }, /must be a name/],
    ['a host as a range', { streamerAddresses: ['studio'] }, /address or CIDR/],
  ])('refuses %s, and does not quote the secret', (_name, layer, message) => {
    const parse = (): unknown => parseConfig(admissionConfigSchema, [layer]);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow(SECRET);
  });

  it('has a variable and a description for every leaf', () => {
    const leaves = configLeaves(admissionConfigSchema);
    expect(leaves.filter(({ description }) => description === '')).toEqual([]);
    const layer = configFromEnvironment(leaves, {
      GRANDSTAND_KIND: 'jwt',
      GRANDSTAND_JWT_SECRET: SECRET,
      GRANDSTAND_JWT_ROLES_PRESENTER: '["stage"]',
    });
    const config = parseConfig(admissionConfigSchema, [layer]);
    expect(config.jwt.roles.presenter).toEqual(['stage']);
    expect(config.jwt.secret?.matches(SECRET)).toBe(true);
    expect(JSON.stringify(config)).not.toContain(SECRET);
  });

  const build = async (layer: unknown, request: AdmissionRequest): Promise<string> => {
    const admission = await buildAdmission(admissionConfigSchema.parse(layer), {
      logger: silentLogger,
      nowMs: () => NOW_MS,
    });
    const answer = await admission.admit(request, new AbortController().signal);
    await admission.close('test');
    return said(answer);
  };

  it.each<[string, object, Partial<AdmissionRequest>, string]>([
    ['none', {}, {}, 'presenter'],
    ['none', {}, { kind: 'streamer' }, 'streamer'],
    ['a list', { streamerAddresses: ['10.0.0.0/8'] }, {}, 'presenter'],
    ['a list', { streamerAddresses: ['192.0.2.0/24'] }, { kind: 'streamer' }, 'streamer'],
    [
      'a list',
      { streamerAddresses: ['10.0.0.0/8'] },
      { kind: 'streamer' },
      '403 Streamers from this address are not allowed here.',
    ],
    ['jwt', { kind: 'jwt', jwt }, {}, '401 The token is not a signed JWT.'],
    [
      'jwt',
      { kind: 'jwt', jwt },
      { kind: 'streamer', query: new Map(), remoteAddress: '127.0.0.1' },
      'streamer',
    ],
    [
      'jwt',
      { kind: 'jwt', jwt, streamerAddresses: [] },
      { kind: 'streamer', query: new Map(), remoteAddress: '127.0.0.1' },
      '401 A token is needed: open the link that you were given.',
    ],
  ])('of %s builds %j', async (_name, layer, overrides, expected) => {
    expect(await build(layer, asked(overrides))).toBe(expected);
  });

  it('lets in by a token that was minted with its own secret', async () => {
    const layer = { kind: 'jwt', jwt };
    const secret = await tokenSecret(admissionConfigSchema.parse(layer));
    const order = { role: 'operator', ttlMs: 60_000, secret: secret!, nowMs: NOW_MS } as const;
    const { token } = await mintToken(order);
    expect(await build(layer, asked({ query: new Map([['token', token]]) }))).toBe('operator');
  });

  it.each([
    ['a short secret', { secret: 'too-short' }, /9 bytes/],
    [
      'a file that is not there',
      { secretFile: '/nowhere/secret' },
      /jwt.secretFile cannot be read/,
    ],
  ])('does not start with %s', async (_name, wrong, message) => {
    const failure: unknown = await build({ kind: 'jwt', jwt: wrong }, asked()).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(GatewayError);
    expect(errorText(failure)).toMatch(message);
    expect(errorText(failure)).not.toContain('too-short');
  });
});
