import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import type { Exchange } from './exchange.ts';
import type { MediaResponse } from './mediaHttp.ts';
import { type Awaited, type Waiter, WaitingRoom } from './waitingRoom.ts';

const KEY = 'demo/v180';

/** Something that never comes; `expired` are those who were told so. */
function never(expired: Waiter[] = []): Awaited {
  return { wakes: 'part', poll: () => undefined, expire: (waiter) => expired.push(waiter) };
}

function waiter(deadlineMs = 1000): { client: EventEmitter; waiter: Waiter } {
  const client = new EventEmitter();
  const exchange = { response: client as unknown as MediaResponse } as Exchange;
  return {
    client,
    waiter: { exchange, deadlineMs: unixMs(deadlineMs), sentChunks: 0, isBlocked: false },
  };
}

it('[B20] ten thousand who go leave nothing behind, whatever they asked for', () => {
  const sizes: number[] = [];
  const room = new WaitingRoom(20_000, (size) => sizes.push(size));
  const seated = Array.from({ length: 10_000 }, (_, index) => {
    const one = waiter();
    const name = `playlist live ${index % 7}`;
    expect(room.add(KEY, name, room.find(KEY, name) ?? never(), one.waiter)).toBe(true);
    return one.client;
  });
  expect(room.size).toBe(10_000);
  for (const client of seated) {
    client.emit('close');
  }
  expect([room.size, sizes.at(-1)]).toEqual([0, 0]);
  expect(Array.from({ length: 7 }, (_, i) => room.find(KEY, `playlist live ${i}`))).toEqual(
    Array.from({ length: 7 }, () => undefined),
  );
  expect(seated.map((client) => client.listenerCount('close'))).toEqual(seated.map(() => 0));
});

it('[B22] one broadcast cannot take every seat', () => {
  const room = new WaitingRoom(3, () => undefined, 2);
  const add = (key: string): boolean => room.add(key, 'x', never(), waiter().waiter);
  expect([add('a/v'), add('a/a'), add('a/v'), add('b/v'), add('c/v')]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});

it('[R07 B26] gives up on those whose time is over, and on no other', () => {
  const room = new WaitingRoom(10, () => undefined);
  const expired: Waiter[] = [];
  const [early, late] = [waiter(1000).waiter, waiter(1001).waiter];
  const awaited = never(expired);
  room.add(KEY, 'x', awaited, early);
  room.add(KEY, 'x', awaited, late);
  room.sweep(unixMs(999));
  expect(expired).toEqual([]);
  room.sweep(unixMs(1000));
  expect(expired).toEqual([early]);
  room.clear();
  expect([expired, room.size]).toEqual([[early, late], 0]);
});

it('asks once per change, however many wait, and goes on with those who are not done', () => {
  const room = new WaitingRoom(10, () => undefined);
  let polls = 0;
  const done = waiter().waiter;
  const awaited: Awaited = {
    wakes: 'chunk',
    poll() {
      polls += 1;
      return (one) => one === done;
    },
    expire: () => undefined,
  };
  const waiters = [done, waiter().waiter, waiter().waiter];
  for (const one of waiters) {
    room.add(KEY, 'segment', awaited, one);
  }
  room.add(KEY, 'playlist', never(), waiter().waiter);
  room.wake(KEY, 'chunk');
  expect([polls, room.size]).toEqual([1, 3]);
  room.wake('demo/a128', 'part');
  expect(polls).toBe(1);
});
