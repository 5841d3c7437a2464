import { describe, expect, it } from 'vitest';
import { type WriteAttempt, writeRefusal } from './access.ts';
import { Secret } from '../../../kernel/secret.ts';

const RULE = { token: new Secret('a-token-of-this-test'), trustLoopback: true };
const JSON_TYPE = { 'content-type': 'application/json' };
const LOCAL: WriteAttempt = {
  method: 'POST',
  httpVersion: '1.1',
  remoteAddress: '127.0.0.1',
  headers: { ...JSON_TYPE, host: 'localhost:8080' },
};

function local(headers: WriteAttempt['headers'], rest: Partial<WriteAttempt> = {}): WriteAttempt {
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
    ['a DELETE, which has no type', { ...LOCAL, method: 'DELETE', headers: { host: '127.0.0.1' } }],
  ] satisfies [string, WriteAttempt][])('is taken from %s', (_who, attempt) => {
    expect(writeRefusal(attempt, RULE)).toBeUndefined();
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
    [415, 'a form', local({ 'content-type': 'application/x-www-form-urlencoded' })],
    [415, 'a script without preflight', local({ 'content-type': 'text/plain' })],
  ] satisfies [number, string, WriteAttempt][])(
    'is refused (%i) from %s',
    (status, _who, attempt) => {
      expect(writeRefusal(attempt, RULE)?.status).toBe(status);
    },
  );

  it('needs the token everywhere where loopback is not trusted', () => {
    expect(writeRefusal(LOCAL, { ...RULE, trustLoopback: false })?.status).toBe(401);
  });
});
