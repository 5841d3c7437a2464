import { describe, expect, it } from 'vitest';
import { signallingUrl, tokenInLink, withoutToken } from './linkToken.ts';

const at = (search: string, hash = '', protocol = 'http:') => ({
  protocol,
  host: 'gateway:8080',
  pathname: '/present/demo',
  search,
  hash,
});

describe("the presenter's link", () => {
  it.each([
    [at(''), undefined],
    [at('?token='), undefined],
    [at('?token=a.b.c'), 'a.b.c'],
    [at('', '#token=a.b.c'), 'a.b.c'],
    [at('?token=query', '#token=hash'), 'hash'],
  ])('%j carries the token %s', (address, token) => {
    expect(tokenInLink(address)).toBe(token);
  });

  it('is shown without its token, and otherwise as it was', () => {
    expect(withoutToken(at('?token=a&x=1', '#token=b'))).toBe('/present/demo?x=1');
    expect(withoutToken(at('?x=1', '#top'))).toBe('/present/demo?x=1#top');
  });

  it('leads to signalling, by wss where the page came by https, with the token escaped', () => {
    expect(signallingUrl(at(''), undefined)).toBe('ws://gateway:8080/');
    expect(signallingUrl(at('', '', 'https:'), 'a&b')).toBe('wss://gateway:8080/?token=a%26b');
  });
});
