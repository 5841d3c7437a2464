import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobContext, openJobQueue, startJobRunner } from './jobs.ts';
import { silentLogger } from './logger.ts';
import { connectStore, startPrivateRedis } from './redis.ts';
import { compareEpochs } from './wire.ts';

let directory: string;
let redis: Awaited<ReturnType<typeof startPrivateRedis>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-jobs-'));
  redis = await startPrivateRedis(directory, silentLogger);
});

afterAll(async () => {
  await redis.child.close('done');
  await rm(directory, { recursive: true, force: true });
});

/** A runner whose jobs last until they are aborted; `next` gives them as they start. */
function holdingRunner(name: string) {
  const started: JobContext[] = [];
  let wake: (() => void) | undefined;
  const runner = startJobRunner(
    { location: redis.location, name, concurrency: 1 },
    (job) => {
      started.push(job);
      wake?.();
      return new Promise<void>((resolve) => {
        job.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
    silentLogger,
  );
  const next = async (): Promise<JobContext> => {
    for (;;) {
      const job = started.shift();
      if (job !== undefined) {
        return job;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { runner, next, started };
}

describe('a job', () => {
  it('runs once however often it is wished for, and goes to another runner with a higher epoch', async () => {
    const queue = openJobQueue(redis.location, 'handover', silentLogger);
    await queue.ensure('demo.main.0', { n: 1 });
    await queue.ensure('demo.main.0', { n: 2 });
    const first = holdingRunner('handover');
    const job = await first.next();
    expect(job).toMatchObject({ id: 'demo.main.0', payload: { n: 1 } });
    await queue.ensure('demo.main.0', { n: 3 });

    await first.runner.close('shutdown');
    const second = holdingRunner('handover');
    const again = await second.next();
    expect(again.id).toBe('demo.main.0');
    expect(compareEpochs(again.epoch, job.epoch)).toBeGreaterThan(0);
    expect(first.started).toEqual([]);
    await second.runner.close('done');
    await queue.close('done');
  });

  it('that waits can be taken back; one that runs goes on', async () => {
    const queue = openJobQueue(redis.location, 'taken', silentLogger);
    await queue.ensure('waits', {});
    await queue.remove('waits');
    await queue.ensure('runs', {});
    const { runner, next, started } = holdingRunner('taken');
    const job = await next();
    expect(job.id).toBe('runs');
    await queue.remove('runs');
    expect(job.signal.aborted).toBe(false);
    expect(started).toEqual([]);
    await runner.close('done');
    await queue.close('done');
  });

  it('that failed is gone, so that it can be wished for again', async () => {
    const queue = openJobQueue(redis.location, 'failing', silentLogger);
    const epochs: JobContext['epoch'][] = [];
    let seen: (() => void) | undefined;
    const twice = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const runner = startJobRunner(
      { location: redis.location, name: 'failing', concurrency: 1 },
      async ({ epoch }) => {
        epochs.push(epoch);
        if (epochs.length === 2) {
          seen?.();
          return;
        }
        // Wished for again from outside, as the controller does, once this one has failed.
        setImmediate(() => void wishUntilSeen());
        await Promise.reject(new Error('encoder gone'));
      },
      silentLogger,
    );
    const wishUntilSeen = async (): Promise<void> => {
      while (epochs.length < 2) {
        await queue.ensure('demo.main.0', {});
      }
    };
    await queue.ensure('demo.main.0', {});
    await twice;
    const [older, newer] = epochs;
    expect(older !== undefined && newer !== undefined && compareEpochs(newer, older) > 0).toBe(
      true,
    );
    await runner.close('done');
    await queue.close('done');
  });
});

describe('the store', () => {
  it('lists leases by prefix and forgets what was removed', async () => {
    const store = await connectStore(redis.location, silentLogger);
    await store.lease('t:lease:origin:a', 'http://a', 5000);
    await store.lease('t:lease:origin:b', 'http://b', 5000);
    await store.lease('t:lease:signalling:c', 'ws://c', 5000);
    await store.remove('t:lease:origin:b');
    expect([...(await store.list('t:lease:origin:')).values()]).toEqual(['http://a']);
    await store.hashSet('t:broadcasts', 'demo', '{}');
    expect(await store.hashAll('t:broadcasts')).toEqual(new Map([['demo', '{}']]));
    expect(await store.get('t:nothing')).toBeUndefined();
    await store.close('done');
  });

  it('gives a claim to the first who asks, and tells everyone who that was', async () => {
    const stores = await Promise.all(
      ['a', 'b', 'c'].map(() => connectStore(redis.location, silentLogger)),
    );
    const answers = await Promise.all(
      stores.map((store, index) => store.claim('t:claim', `slot ${index}`, 60_000)),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^slot [012]$/);
    expect(await stores[0]!.hashSetNew('t:new', 'one', 'first')).toBe(true);
    expect(await stores[1]!.hashSetNew('t:new', 'one', 'second')).toBe(false);
    await stores[2]!.hashRemove('t:new', 'one');
    expect(await stores[0]!.hashGet('t:new', 'one')).toBeUndefined();
    await Promise.all(stores.map((store) => store.close('done')));
  });
});
