import { describe, expect, it } from 'vitest';
import { accessGuard, type Attempt, operatorRefusal } from './access.ts';
import { Secret } from '../../../kernel/secret.ts';
import type { Admission } from '../../../../signalling/index.ts';

/** Tokens are their roles, with the streamers that they are for. */
const operators: Admission = {
  admit({ headers, cookies }) {
    const text = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '')?.[1];
    const [role = '', ...streamerIds] = (text ?? cookies.get('grandstand_token') ?? '').split('.');
    return Promise.resolve(
      role === 'operator' || role === 'presenter'
        ? {
            ...{ kind: 'identity', role, subject: 'someone' },
            ...(streamerIds.length === 0 ? {} : { streamerIds }),
          }
        : { kind: 'refusal', status: 401, reason: 'The token is not a signed JWT.' },
    );
  },
};
const RULE = {
  ...{ token: new Secret('a-token-of-this-test'), trustLoopback: true, isOpen: false },
  operators,
};
const FAR = { remoteAddress: '203.0.113.7' };
const JSON_TYPE = { 'content-type': 'application/json' };
const LOCAL: Attempt = {
  isJsonExpected: true,
  httpVersion: '1.1',
  remoteAddress: '127.0.0.1',
  headers: { ...JSON_TYPE, host: 'localhost:8080' },
};

function local(headers: Attempt['headers'], rest: Partial<Attempt> = {}): Attempt {
  return { ...LOCAL, ...rest, headers: { ...LOCAL.headers, ...headers } };
}

describe('a change', () => {
  it.each([
    ['a program on this machine', local({})],
    ['the same over IPv6', local({ host: '[::1]:8080' }, { remoteAddress: '::1' })],
    ['the same on a dual socket', local({}, { remoteAddress: '::ffff:127.0.0.1' })],
    ['a page that came from here', local({ origin: 'http://localhost:8080' })],
    [
      'who has the token, from anywhere',
      local(
        { host: 'stage.example', authorization: 'Bearer a-token-of-this-test' },
        { remoteAddress: '203.0.113.7' },
      ),
    ],
    [
      'a DELETE, which has no type',
      { ...LOCAL, isJsonExpected: false, headers: { host: '127.0.0.1' } },
    ],
    ['an operator, from anywhere', local({ authorization: 'Bearer operator' }, FAR)],
    [
      'the page of an operator',
      local(
        { host: 'a.example', cookie: 'grandstand_token=operator', origin: 'https://a.example' },
        FAR,
      ),
    ],
  ] satisfies [string, Attempt][])('is taken from %s', async (_who, attempt) => {
    expect(await operatorRefusal(attempt, RULE)).toBeUndefined();
  });

  it.each([
    [401, 'another machine', local({}, { remoteAddress: '203.0.113.7' })],
    [401, 'nobody knows where', local({}, { remoteAddress: undefined })],
    [401, 'a wrong token on this machine', local({ authorization: 'Bearer something-else' })],
    [401, 'a proxy on this machine', local({ 'x-forwarded-for': '203.0.113.7' })],
    [401, 'a cache on this machine', local({ via: '1.1 varnish' })],
    [401, 'nginx as it is installed', local({}, { httpVersion: '1.0' })],
    [401, 'a name that was made to point here', local({ host: 'evil.example:8080' })],
    [401, 'no name at all', { ...LOCAL, headers: JSON_TYPE }],
    [403, 'a page of another site', local({ origin: 'https://evil.example' })],
    [403, 'a page of another port', local({ origin: 'http://localhost:3000' })],
    [403, 'a sandboxed page', local({ origin: 'null' })],
    [403, 'a browser that says so', local({ 'sec-fetch-site': 'cross-site' })],
    [403, 'a presenter', local({ authorization: 'Bearer presenter' }, FAR)],
    [403, 'an operator of some streamers', local({ authorization: 'Bearer operator.demo' }, FAR)],
    [
      401,
      'a page of another site with the cookie',
      local({ cookie: 'grandstand_token=operator', origin: 'https://evil.example' }, FAR),
    ],
    [415, 'a form', local({ 'content-type': 'application/x-www-form-urlencoded' })],
    [415, 'a script without preflight', local({ 'content-type': 'text/plain' })],
  ] satisfies [number, string, Attempt][])(
    'is refused (%i) from %s',
    async (status, _who, attempt) => {
      expect((await operatorRefusal(attempt, RULE))?.status).toBe(status);
    },
  );

  it('needs the token everywhere where loopback is not trusted', async () => {
    const rule = { ...RULE, trustLoopback: false };
    expect((await operatorRefusal(LOCAL, rule))?.status).toBe(401);
  });

  it('of one streamer is taken from the operator of that streamer', async () => {
    const attempt = local({ authorization: 'Bearer operator.demo' }, FAR);
    expect(await operatorRefusal(attempt, RULE, 'demo')).toBeUndefined();
    expect((await operatorRefusal(attempt, RULE, 'other'))?.status).toBe(403);
  });
});

describe('who is there', () => {
  const stranger = { ...LOCAL, ...FAR, isJsonExpected: false };

  it('is told to anyone while everyone may come in, else to operators', async () => {
    const open = accessGuard({ ...RULE, isOpen: true });
    const closed = accessGuard(RULE);
    expect(await open(stranger, 'reader', undefined)).toBeUndefined();
    expect((await closed(stranger, 'reader', undefined))?.status).toBe(401);
    expect(await closed(stranger, 'anyone', undefined)).toBeUndefined();
    expect((await open(stranger, 'operator', undefined))?.status).toBe(401);
  });
});
