import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { MISSED_BEATS, openConnection, shortReason } from './connection.ts';

/** A socket that notes what is done to it. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly done: string[] = [];
  send(text: string): void {
    this.done.push(`send ${text}`);
  }
  ping(): void {
    this.done.push('ping');
  }
  terminate(): void {
    this.done.push('terminate');
  }
}

function open() {
  const socket = new FakeSocket();
  const faults: string[] = [];
  const connection = openConnection(
    socket as unknown as WebSocket,
    {
      onMessage: () => undefined,
      onClosed: () => undefined,
      onFault: (fault) => faults.push(fault),
    },
    { maxBufferedBytes: 100 },
  );
  return { socket, faults, connection };
}

it('drops a peer that does not read', () => {
  const { socket, faults, connection } = open();
  socket.bufferedAmount = 100;
  connection.send({ type: 'identify' });
  socket.bufferedAmount = 101;
  connection.send({ type: 'identify' });
  expect(socket.done).toEqual(['send {"type":"identify"}', 'terminate']);
  expect(faults).toEqual(['101 bytes wait to be sent']);
});

it('drops a peer after that many beats of silence, and not while it answers', () => {
  const { socket, connection } = open();
  for (let beat = 0; beat < 2 * MISSED_BEATS; beat += 1) {
    connection.beat();
    socket.emit('pong');
  }
  expect(socket.done).not.toContain('terminate');
  for (let beat = 0; beat <= MISSED_BEATS; beat += 1) {
    connection.beat();
  }
  expect(socket.done.at(-1)).toBe('terminate');
});

it('cuts a close reason to what a close frame holds, between characters', () => {
  expect(shortReason('short')).toBe('short');
  expect(shortReason('é'.repeat(100))).toBe('é'.repeat(61));
});
