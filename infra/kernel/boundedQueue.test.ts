import { describe, expect, it } from 'vitest';
import { BoundedQueue } from './boundedQueue.ts';

describe('BoundedQueue', () => {
  it('drops the oldest at the cap of bytes and counts it', async () => {
    const queue = new BoundedQueue<string>({ maxItems: 10, maxBytes: 10, policy: 'drop-oldest' });
    expect(queue.push('a', 6)).toBe(true);
    expect(queue.push('b', 6)).toBe(false);
    queue.end();
    const seen: string[] = [];
    for await (const item of queue) {
      seen.push(item);
    }
    expect(seen).toEqual(['b']);
    expect(queue.dropped).toBe(1);
    expect(queue.bytes).toBe(0);
  });

  it('refuses the newest where the policy says so', () => {
    const queue = new BoundedQueue<number>({ maxItems: 1, policy: 'drop-newest' });
    queue.push(1);
    expect(queue.push(2)).toBe(false);
    expect(queue.shift()).toBe(1);
    expect(queue.shift()).toBeUndefined();
  });

  it('wakes a reader that waits', async () => {
    const queue = new BoundedQueue<number>({ maxItems: 4, policy: 'drop-oldest' });
    const first = queue[Symbol.asyncIterator]().next();
    queue.push(7);
    expect(await first).toEqual({ value: 7, done: false });
  });
});
