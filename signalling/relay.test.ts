import { expect, it } from 'vitest';
import { EMPTY_REGISTRY } from './registry.ts';
import { createRelay } from './relay.ts';
import type { ReplicaMessage } from './replication.ts';

it('drops what was said before the other replica heard that the player had left', () => {
  const sent: ReplicaMessage[] = [];
  const heard: string[] = [];
  const relay = createRelay(
    { id: 'here', send: (_to, message) => sent.push(message) },
    {
      registry: () => EMPTY_REGISTRY,
      addStandIn: () => undefined,
      relayed: (_connection, { streamerId }, { type }) =>
        heard.push(`${String(type)} ${streamerId}`),
      close: (_connection, code) => heard.push(`closed ${code}`),
    },
  );
  const from = 'there';
  const offer = (seen: number): void =>
    relay.receive({
      ...{ kind: 'toPlayer', from, link: 1, seen, streamerId: 'demo' },
      message: { type: 'offer' },
    });
  const close = (seen: number): void =>
    relay.receive({ kind: 'closePlayer', from, link: 1, seen, code: 1000, reason: '' });

  offer(1);
  relay.toStreamer(1, from, { type: 'subscribe', streamerId: 'demo' });
  offer(1);
  relay.toStreamer(1, from, { type: 'unsubscribe' });
  // They cross the unsubscribe on the way.
  offer(1);
  close(1);
  expect(heard).toEqual(['offer demo']);
  expect(sent).toMatchObject([{ number: 1 }, { number: 2 }]);

  // It has heard of it, and gives the player a seat all the same: the operator said so.
  offer(2);
  close(2);
  expect(heard).toEqual(['offer demo', 'offer demo', 'closed 1000']);
});
