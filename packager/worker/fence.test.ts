import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { fenceOf } from './fence.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const first = new GatewayError('fenced', 'v360 at origin 1: 409');
const later = new GatewayError('fenced', 'a128 at origin 2: 409');

it('a run goes on for a segment and a second after its first 409, and ends with that', () => {
  const end = vi.fn();
  const fence = fenceOf(2000, end);
  vi.advanceTimersByTime(60_000);
  fence.refused(first);
  vi.advanceTimersByTime(2999);
  // That the other tracks are refused too postpones nothing.
  fence.refused(later);
  expect(end).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(end.mock.calls).toEqual([[first]]);
  fence.refused(later);
  vi.advanceTimersByTime(60_000);
  expect(end).toHaveBeenCalledTimes(1);
});

it('a run that has ended is not ended again', () => {
  const end = vi.fn();
  const fence = fenceOf(2000, end);
  fence.refused(first);
  fence.close();
  vi.advanceTimersByTime(60_000);
  expect(end).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});
