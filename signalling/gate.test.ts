import { describe, expect, it } from 'vitest';
import { admissionRequest, clientAddress, queryOf } from './gate.ts';

describe('clientAddress', () => {
  it.each([
    ['10.0.0.9', undefined, 0, '10.0.0.9'],
    ['10.0.0.9', '1.1.1.1, 2.2.2.2', 0, '10.0.0.9'],
    ['10.0.0.9', '1.1.1.1, 2.2.2.2', 1, '2.2.2.2'],
    ['10.0.0.9', ['1.1.1.1', '2.2.2.2'], 2, '1.1.1.1'],
    ['10.0.0.9', '2.2.2.2', 5, '2.2.2.2'],
    ['10.0.0.9', undefined, 1, '10.0.0.9'],
    ['10.0.0.9', ' , ', 1, '10.0.0.9'],
  ])('%s with %j behind %i proxies is %s', (socket, forwarded, proxies, address) => {
    expect(clientAddress(socket, forwarded, proxies)).toBe(address);
  });
});

it('shows admission the first of everything, and takes nothing for granted', () => {
  const query = queryOf('/a/b?token=one&token=two&x=%E0%A4%A');
  const headers = {
    cookie: 'a=1; token=c%3D=; a=2; =x; junk',
    'sec-websocket-protocol': 'bearer, abc ,',
    'x-many': ['1', '2'],
  };
  const request = admissionRequest('player', { headers }, query, '::1');
  expect([...request.query]).toEqual([
    ['token', 'one'],
    ['x', '\u{fffd}%A'],
  ]);
  expect([...request.cookies]).toEqual([
    ['a', '1'],
    ['token', 'c%3D='],
  ]);
  expect(request.protocols).toEqual(['bearer', 'abc']);
  expect(request.headers.get('x-many')).toBe('1, 2');
  expect([...queryOf(undefined)]).toEqual([]);
});
