import { expect, it } from 'vitest';
import { LostFeed } from './lostFeed.ts';

it('a feed is lost once nobody has it twice while it is announced; another one is not', () => {
  const lost = new LostFeed();
  expect(lost.gone({ timestamp: 5, attempt: 1 })).toBe(false);
  expect(lost.gone({ timestamp: 5, attempt: 1 })).toBe(true);
  expect(lost.gone({ timestamp: 5, attempt: 2 })).toBe(false);
  expect(lost.gone({ timestamp: 5, attempt: 2 })).toBe(true);
});
