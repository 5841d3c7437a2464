import { expect, it } from 'vitest';
import { OriginList } from './originList.ts';

it('keeps an origin that a Redis without its data does not name for a while', () => {
  const list = new OriginList();
  expect([...list.update(['a', 'b'], 0)]).toEqual(['a', 'b']);
  expect([...list.update([], 1000)]).toEqual(['a', 'b']);
  expect([...list.update(['a', 'c'], 2000)]).toEqual(['a', 'b', 'c']);
  expect([...list.update(['a', 'c'], 10_999)]).toEqual(['a', 'b', 'c']);
  expect([...list.update(['a', 'c'], 11_000)]).toEqual(['a', 'c']);
});

it('keeps every origin when the directory answers again after a long silence', () => {
  const list = new OriginList();
  list.update(['a', 'b'], 0);
  expect([...list.update([], 60_000)]).toEqual(['a', 'b']);
  expect([...list.update(['a', 'b'], 61_000)]).toEqual(['a', 'b']);
  expect([...list.update([], 62_000)]).toEqual(['a', 'b']);
});
