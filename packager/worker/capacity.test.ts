import { expect, test } from 'vitest';
import { gpuCapacity, mostSessions, softwareCapacity } from './capacity.ts';

test.each([
  [3, 3],
  [5, 5],
  [8, 8],
  [23, 23],
  [24, 24],
  [1000, 24],
])('of a GPU that opens %i sessions, %i are found with few tries', async (limit, found) => {
  const tries: number[] = [];
  const opens = (count: number): Promise<boolean> => {
    tries.push(count);
    return Promise.resolve(count <= limit);
  };
  expect(await mostSessions(opens, 3)).toBe(found);
  expect(tries.length).toBeLessThanOrEqual(6);
});

test('a job is a ladder: sessions over rungs, at least one; in software half the cores', () => {
  expect(gpuCapacity(undefined, 8, 3)).toEqual({
    ...{ capacity: 2, capacityReason: '8 sessions for ladders of 3' },
  });
  expect(gpuCapacity(undefined, 2, 3).capacity).toBe(1);
  expect(softwareCapacity(undefined, 1)).toEqual({
    ...{ capacity: 1, capacityReason: 'half of 1 core' },
  });
  expect([softwareCapacity(7, 4), gpuCapacity(7, 3, 3)]).toEqual(
    Array.from({ length: 2 }, () => ({ capacity: 7, capacityReason: 'worker.concurrency' })),
  );
});
