import { expect, it } from 'vitest';
import { memoryBackplane, parseReplicaMessage, renderReplicaMessage } from './replication.ts';

it('sets a key only where it holds what is expected, and tells what it holds', async () => {
  let nowMs = 0;
  const plane = memoryBackplane(() => nowMs);
  expect(await plane.compareAndSet('k', undefined, 'a', 100)).toBe('a');
  expect(await plane.compareAndSet('k', undefined, 'b', 100)).toBe('a');
  expect(await plane.compareAndSet('k', 'a', 'b', 100)).toBe('b');
  expect(await plane.compareAndSet('k', 'a', undefined, 0)).toBe('b');
  nowMs = 99;
  expect(await plane.list('')).toEqual(new Map([['k', 'b']]));
  expect(await plane.compareAndSet('k', 'b', 'b', 100)).toBe('b');
  nowMs = 199;
  expect([await plane.get('k'), (await plane.list('k')).size]).toEqual([undefined, 0]);
  expect(await plane.compareAndSet('k', undefined, undefined, 0)).toBeUndefined();
});

it('claims a seat once, however many try', async () => {
  const plane = memoryBackplane(() => 0);
  const held = await Promise.all(
    ['a', 'b', 'c'].map((who) => plane.compareAndSet('seat', undefined, who, 1000)),
  );
  expect(held).toEqual(['a', 'a', 'a']);
});

it('counts without a number twice, and publishes to all who listen', async () => {
  const plane = memoryBackplane(() => 0);
  const heard: string[] = [];
  const stop = await plane.subscribe('c', (message) => heard.push(`one ${message}`));
  await plane.subscribe('c', (message) => heard.push(`two ${message}`));
  await plane.publish('c', '1');
  await plane.publish('d', 'x');
  stop();
  await plane.publish('c', '2');
  expect(await Promise.all([plane.increment('n'), plane.increment('n')])).toEqual([1, 2]);
  expect(heard).toEqual(['one 1', 'two 1', 'two 2']);
});

it('reads what it renders between replicas, and nothing else', () => {
  const message = { kind: 'probe', from: 'a', streamerId: 'demo' } as const;
  expect(parseReplicaMessage(renderReplicaMessage(message))).toEqual(message);
  for (const text of ['', 'null', '[]', '{"kind":"x","from":"a"}', '{"kind":"probe"}']) {
    expect(parseReplicaMessage(text)).toBeUndefined();
  }
});
