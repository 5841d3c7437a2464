import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createCluster } from './cluster.ts';
import { EMPTY_REGISTRY } from './registry.ts';
import type { ReplicaMessage } from './replication.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const release = { kind: 'release', streamerId: 'demo' } as const;

function cluster() {
  const sent: Extract<ReplicaMessage, { kind: 'question' }>[] = [];
  const registry = { ...EMPTY_REGISTRY, remoteStreamers: new Map([['demo', 'there']]) };
  const hub = {
    registry: () => registry,
    order: () => ({ kind: 'done' }) as const,
    peers: () => ({ players: [], seats: [] }),
  };
  const replica = {
    id: 'here',
    others: () => ['there', 'dead'],
    send: (_to: string, message: ReplicaMessage) => {
      if (message.kind === 'question') {
        sent.push(message);
      }
    },
  };
  return { sent, all: createCluster(hub, () => replica) };
}

it('takes a late answer for none of the next question', async () => {
  const { all, sent } = cluster();
  const first = all.carryOut(release);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await first).toMatchObject({ kind: 'refused', code: 'no_streamer' });
  const second = all.carryOut(release);
  const answer = { kind: 'answer', from: 'there', answer: { kind: 'done' } } as const;
  all.receive({ ...answer, number: sent[0]?.number ?? 0 });
  all.receive({ ...answer, from: 'dead', number: sent[1]?.number ?? 0 });
  await vi.advanceTimersByTimeAsync(2000);
  expect(await second).toMatchObject({ kind: 'refused', code: 'no_streamer' });
});

it('asks everyone once, however many want to know, and waits for the dead for two seconds', async () => {
  const { all, sent } = cluster();
  const asked = Promise.all([all.peers(), all.peers(), all.peers()]);
  expect(sent).toHaveLength(2);
  const seat: Awaited<ReturnType<typeof all.peers>>['seats'][number] = {
    ...{ streamerId: 'demo', playerId: '101', subject: 'ann' },
    ...{ state: 'held', offeredTo: null, waiting: [] },
  };
  all.receive({
    ...{ kind: 'answer', from: 'there', number: sent[0]?.number ?? 0 },
    answer: { kind: 'report', peers: { players: [], seats: [seat] } },
  });
  await vi.advanceTimersByTimeAsync(2000);
  expect((await asked)[2]).toEqual({ players: [], seats: [seat] });
});
