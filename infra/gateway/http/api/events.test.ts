import { EventEmitter } from 'node:events';
import type { Response } from 'express';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { changes } from '../../broadcastWatch.ts';
import { EventStream } from './events.ts';

/** A client that keeps what it is sent. */
class FakeClient extends EventEmitter {
  text = '';
  writableLength = 0;
  isDestroyed = false;
  writeHead(): this {
    return this;
  }
  write(text: string): void {
    this.text += text;
  }
  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
  end(): void {
    this.emit('close');
  }
}

let stream: EventStream;

function join(lastEventId?: string): FakeClient {
  const client = new FakeClient();
  expect(stream.join(client as unknown as Response, lastEventId)).toBe(true);
  return client;
}
const seat = (number: number): void =>
  stream.publish({ type: 'seat', data: { change: 'seatGranted', number } });

beforeEach(() => {
  vi.useFakeTimers();
  stream = new EventStream('run1');
});
afterEach(async () => {
  await stream.close();
  vi.useRealTimers();
});

it('tells what happens, with a number and a name', () => {
  const client = join();
  seat(7);
  expect(client.text).toBe(
    'retry: 2000\n\nid: run1-1\nevent: seat\ndata: {"change":"seatGranted","number":7}\n\n',
  );
});

it('tells who comes back what it missed, and nothing of another run', () => {
  [1, 2, 3].forEach(seat);
  expect(join('run1-1').text.match(/^id: .*$/gm)).toEqual(['id: run1-2', 'id: run1-3']);
  expect(join('run0-1').text).not.toContain('id:');
  expect(join('nonsense').text).not.toContain('id:');
});

it('remembers a bounded number of events', () => {
  Array.from({ length: 1000 }, (_, index) => index).forEach(seat);
  expect(join('run1-0').text.match(/^id: /gm)).toHaveLength(256);
});

it('keeps quiet connections alive', () => {
  const client = join();
  vi.advanceTimersByTime(15_000);
  expect(client.text).toContain(': still here\n\n');
});

it('takes a bounded number of clients, and drops those who do not read', () => {
  const clients = Array.from({ length: 64 }, () => join());
  expect(stream.join(new FakeClient() as unknown as Response, undefined)).toBe(false);
  const [slow] = clients as [FakeClient];
  slow.writableLength = 300_000;
  seat(1);
  expect(slow.isDestroyed).toBe(true);
  expect(stream.clients).toBe(63);
  join();
});

it('finds the broadcasts that changed, came and went', () => {
  const at = (id: string, state: string, reason: string | null = null) =>
    [id, { id, state, reason }] as const;
  const before = new Map([at('a', 'idle'), at('b', 'live'), at('c', 'live')]);
  const now = new Map([at('a', 'live'), at('b', 'live'), at('d', 'idle', 'nobody publishes')]);
  expect(changes(before, now)).toEqual([
    { id: 'a', state: 'live', reason: null },
    { id: 'd', state: 'idle', reason: 'nobody publishes' },
    { id: 'c', state: null, reason: 'deleted' },
  ]);
});
