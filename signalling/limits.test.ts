import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressLimiter, limitedNetwork, type Bucket, takeToken } from './limits.ts';

const RATE = { perSecond: 10, burst: 3 };

describe('takeToken', () => {
  it('lets the burst through, then one for each tenth of a second', () => {
    const times = [0, 0, 0, 0, 99, 100, 100, 300, 300, 300];
    let bucket: Bucket | undefined;
    const allowed = times.map((nowMs) => {
      const taken = takeToken(bucket, RATE, nowMs);
      ({ bucket } = taken);
      return taken.isAllowed;
    });
    expect(allowed).toEqual([true, true, true, false, false, true, false, true, true, false]);
  });

  it('never lets more through than the rate and the burst, whatever the clock does', () => {
    const steps = fc.array(fc.integer({ min: -50, max: 500 }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (deltas) => {
        let bucket: Bucket | undefined;
        let nowMs = 0;
        let passedMs = 0;
        let allowed = 0;
        for (const deltaMs of deltas) {
          nowMs += deltaMs;
          passedMs += Math.max(0, deltaMs);
          const taken = takeToken(bucket, RATE, nowMs);
          ({ bucket } = taken);
          allowed += taken.isAllowed ? 1 : 0;
        }
        expect(allowed).toBeLessThanOrEqual(RATE.burst + (passedMs * RATE.perSecond) / 1000 + 1e-6);
      }),
    );
  });
});

describe('AddressLimiter', () => {
  it('counts each address for itself', () => {
    const limiter = new AddressLimiter({ perSecond: 1, burst: 1 });
    expect([limiter.allows('a', 0), limiter.allows('a', 0), limiter.allows('b', 0)]).toEqual([
      ...[true, false, true],
    ]);
  });

  it('forgets the oldest of very many', () => {
    const limiter = new AddressLimiter({ perSecond: 1, burst: 1 });
    for (let index = 0; index < 10_500; index += 1) {
      limiter.allows(String(index), 0);
    }
    expect(limiter.size).toBe(10_000);
  });

  it('is off at rate 0', () => {
    const limiter = new AddressLimiter({ perSecond: 0, burst: 1 });
    expect([limiter.allows('a', 0), limiter.allows('a', 0), limiter.size]).toEqual([true, true, 0]);
  });
});

describe('limitedNetwork', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['not an address', 'not an address'],
  ])('of %s is %s', (address, network) => {
    expect(limitedNetwork(address)).toBe(network);
  });

  it('is limited as one, whatever address of it comes', () => {
    const limiter = new AddressLimiter({ perSecond: 1, burst: 1 });
    expect(limiter.allows('2001:db8::1', 0)).toBe(true);
    expect(limiter.allows('2001:db8::2', 0)).toBe(false);
    expect(limiter.allows('2001:db8:0:1::1', 0)).toBe(true);
  });
});
