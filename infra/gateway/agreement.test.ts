import { describe, expect, it } from 'vitest';
import { redisAgreement } from './agreement.ts';

/** A store of claims as Redis keeps them. */
function memoryStore() {
  const held = new Map<string, string>();
  return {
    claim: (key: string, value: string) => {
      held.set(key, held.get(key) ?? value);
      return Promise.resolve(held.get(key));
    },
    list: (prefix: string) =>
      Promise.resolve(new Map([...held].filter(([key]) => key.startsWith(prefix)))),
  };
}

describe('what origins agree on', () => {
  it('is what the first of them said', async () => {
    const store = memoryStore();
    const [a, b] = [redisAgreement(store), redisAgreement(store)];
    expect(await a.claim('segment:demo:7', '0', 60_000)).toBe('0');
    expect(await b.claim('segment:demo:7', '1', 60_000)).toBe('0');
    expect(await b.claim('era:demo:1', '900', 60_000)).toBe('900');
    expect(await a.claims('era:demo:')).toEqual(new Map([['era:demo:1', '900']]));
  });

  it('is left open where Redis fails', async () => {
    const failed = (): Promise<never> => Promise.reject(new Error('Redis is away'));
    const agreement = redisAgreement({ claim: failed, list: failed });
    expect(await agreement.claim('segment:demo:7', '0', 60_000)).toBeUndefined();
    expect(await agreement.claims('segment:')).toBeUndefined();
  });
});
