import { expect, it } from 'vitest';
import { OriginList } from './originList.ts';

it('keeps an origin that a Redis without its data does not name for a while', () => {
  const list = new OriginList();
  expect([...list.update(['a', 'b'], 0)]).toEqual(['a', 'b']);
  expect([...list.update([], 1000)]).toEqual(['a', 'b']);
  expect([...list.update(['a', 'c'], 2000)]).toEqual(['a', 'b', 'c']);
  expect([...list.update(['a', 'c'], 9999)]).toEqual(['a', 'b', 'c']);
  expect([...list.update(['a', 'c'], 10_000)]).toEqual(['a', 'c']);
});
