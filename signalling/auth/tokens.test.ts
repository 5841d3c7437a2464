/** The small parts: what is typed, what is answered, which addresses are whose. */
import * as fc from 'fast-check';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import type { Admission, AdmissionRequest } from '../admission.ts';
import { AddressList } from './streamerAddresses.ts';
import {
  ROLES,
  mintToken,
  parseDurationMs,
  parseRange,
  selectSubprotocol,
  withStreamerAddresses,
} from './index.ts';

describe('parseDurationMs', () => {
  it.each([
    ['8h', 28_800_000],
    ['1h30m', 5_400_000],
    ['45s', 45_000],
    ['2d', 172_800_000],
    ['1m500ms', 60_500],
    ['5ms', 5],
    ['0s', 0],
  ])('%s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(['', '8', 'h', '8 h', '-8h', '8H', '1.5h', '8hours', '30m1h', '1e3s', '9999999999s'])(
    'refuses %j',
    (text) => {
      expect(() => parseDurationMs(text)).toThrow(GatewayError);
    },
  );
});

describe('mintToken', () => {
  const secret = new Secret('m'.repeat(32));
  it.each([
    ['ends at once', { ttlMs: 999 }],
    ['never ends', { ttlMs: Number.POSITIVE_INFINITY }],
    ['ends nowhere', { ttlMs: Number.NaN }],
    ['is for a nameless streamer', { streamers: [''] }],
    ['has a long subject', { subject: 'x'.repeat(257) }],
    ['is of a made-up role', { role: 'admin' as 'operator' }],
    ['is signed by a short secret', { secret: new Secret('short') }],
  ])('makes none that %s', async (_name, wrong) => {
    const order = { role: 'presenter', ttlMs: 1000, secret, ...wrong } as const;
    await expect(mintToken(order)).rejects.toThrow(GatewayError);
  });

  it.each(ROLES)('gives each %s its own jti and subject', async (role) => {
    const order = { role, ttlMs: 1000, secret } as const;
    const [one, two] = [await mintToken(order), await mintToken(order)];
    expect(one.jti).not.toBe(two.jti);
    const subjects = [one, two].map(({ token }) => decodeJwt(token).sub);
    expect(new Set([...subjects, role]).size).toBe(3);
  });
});

describe('selectSubprotocol', () => {
  it.each([
    [['grandstand', 'grandstand.bearer.x.y.z'], 'grandstand'],
    [['grandstand.bearer.x.y.z', 'other'], 'other'],
    [['grandstand.bearer.x.y.z'], false],
    [[], false],
  ])('%j is answered %j, never a token', (offered, answer) => {
    expect(selectSubprotocol(new Set(offered))).toBe(answer);
  });
});

describe('addresses', () => {
  it.each([
    ['10.0.0.0/8', ['10.255.0.1', '::ffff:10.1.1.1'], ['11.0.0.1', '::1', '']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8', '192.0.2.70']],
    ['fd00::/8', ['fd12::1', 'fd12::1%eth0'], ['fe80::1', '10.0.0.1', 'fd12::x']],
    ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2', '127.0.0.1', '0.0.0.1']],
    ['0.0.0.0/0', ['1.2.3.4', '::ffff:1.2.3.4'], ['2001:db8::1', 'localhost']],
  ])('%s', (range, inside, outside) => {
    const list = new AddressList([range]);
    expect(inside.filter((address) => !list.has(address))).toEqual([]);
    expect(outside.filter((address) => list.has(address))).toEqual([]);
  });

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0',
    'host',
    '10.0.0.0/',
    '/8',
    '10.0.0.1/-1',
    '1.2.3.4/8/8',
  ])('refuses the range %s', (text) => {
    expect(parseRange(text)).toBeUndefined();
    expect(() => new AddressList([text])).toThrow(RangeError);
  });

  it('holds exactly the addresses of a range', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const address = fc.tuple(octet, octet, octet, octet);
    const asNumber = (parts: readonly number[]): number =>
      parts.reduce((sum, part) => sum * 256 + part, 0);
    fc.assert(
      fc.property(address, address, fc.integer({ min: 1, max: 32 }), (net, peer, bits) => {
        const size = 2 ** (32 - bits);
        const isInside = Math.floor(asNumber(net) / size) === Math.floor(asNumber(peer) / size);
        expect(new AddressList([`${net.join('.')}/${bits}`]).has(peer.join('.'))).toBe(isInside);
      }),
    );
  });
});

describe('streamers by address', () => {
  const DENY: Admission = {
    admit: () => Promise.resolve({ kind: 'refusal', status: 401, reason: 'inner' }),
  };
  const ask = async (
    others: 'inner' | 'nobody',
    overrides: Partial<AdmissionRequest>,
    ranges: readonly string[] = ['127.0.0.0/8', '10.0.0.0/8'],
  ): Promise<string> => {
    const answer = await withStreamerAddresses(DENY, ranges, others).admit(
      {
        kind: 'streamer',
        query: new Map(),
        cookies: new Map(),
        protocols: [],
        remoteAddress: '10.0.0.1',
        headers: new Map(),
        ...overrides,
      },
      new AbortController().signal,
    );
    return answer.kind === 'identity' ? answer.role : `${answer.status} ${answer.reason}`;
  };

  it('lets in streamers and SFUs of the list, never players', async () => {
    expect(await ask('inner', {})).toBe('streamer');
    expect(await ask('inner', { kind: 'sfu' })).toBe('streamer');
    expect(await ask('inner', { kind: 'player' })).toBe('401 inner');
    expect(await ask('inner', { remoteAddress: '192.0.2.1' })).toBe('401 inner');
    expect(await ask('nobody', { remoteAddress: '192.0.2.1' })).toMatch(/^403 .*address/);
    expect(await ask('nobody', {}, [])).toMatch(/^403/);
  });

  it('leaves a token to decide where there is one', async () => {
    expect(await ask('inner', { query: new Map([['token', 'x']]) })).toBe('401 inner');
  });

  it('does not take a proxy of this machine for the streamer', async () => {
    const remoteAddress = '127.0.0.1';
    expect(await ask('inner', { remoteAddress })).toBe('streamer');
    const headers = new Map([['x-forwarded-for', '127.0.0.1']]);
    expect(await ask('inner', { remoteAddress, headers })).toBe('401 inner');
    expect(await ask('inner', { headers })).toBe('streamer');
  });
});
