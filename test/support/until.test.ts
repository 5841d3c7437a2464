import { describe, expect, it } from 'vitest';
import { until } from './until.ts';

describe('until', () => {
  it('asks again after a probe that throws or has nothing yet', async () => {
    const answers = [() => undefined, () => Promise.reject(new Error('not yet')), () => 'there'];
    expect(await until('a value', 10_000, () => answers.shift()?.())).toBe('there');
  });

  it('gives up on a probe that never settles', async () => {
    const never = new Promise<undefined>(() => undefined);
    await expect(until('a silent peer', 50, () => never)).rejects.toThrow(
      'a silent peer: not seen within 50 ms',
    );
  });
});
