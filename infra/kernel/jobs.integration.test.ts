import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type JobContext,
  type JobRunnerOptions,
  type Offer,
  openJobQueue,
  startJobRunner,
} from './jobs.ts';
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
function holdingRunner(name: string, options: Partial<JobRunnerOptions> = {}) {
  const started: JobContext[] = [];
  const ends: (() => void)[] = [];
  let wake: (() => void) | undefined;
  const runner = startJobRunner(
    { location: redis.location, name, concurrency: 1, ...options },
    (job) => {
      started.push(job);
      wake?.();
      return new Promise<void>((resolve) => {
        ends.push(resolve);
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
  /** What was begun ends by itself. */
  const end = (): void => {
    ends.splice(0).forEach((resolve) => {
      resolve();
    });
  };
  return { runner, next, started, end };
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

/** A runner whose runs outlive their job until the test ends them. */
function lingeringRunner(name: string, options: Partial<JobRunnerOptions> = {}) {
  return holdingRunner(name, { ...options, mayLinger: () => Promise.resolve(true) });
}

describe('a run that outlives its job', () => {
  it('goes on after the hand-over until its successor ends it', async () => {
    const queue = openJobQueue(redis.location, 'overlap', silentLogger);
    await queue.ensure('demo.main.0', {});
    const first = lingeringRunner('overlap');
    const old = await first.next();
    const closed = first.runner.close('shutdown');
    const second = holdingRunner('overlap');
    const young = await second.next();
    expect(compareEpochs(young.epoch, old.epoch)).toBeGreaterThan(0);
    expect(old.signal.aborted).toBe(false);
    // What the origin's 409 does.
    first.end();
    await closed;
    await second.runner.close('done');
    await queue.close('done');
  });

  it('gets the job that a Redis without its data is given again', async () => {
    const queue = openJobQueue(redis.location, 'lost', silentLogger);
    let considered = 0;
    const { runner, next, started, end } = lingeringRunner('lost', {
      concurrency: 2,
      consider: () => {
        considered += 1;
        return Promise.resolve('run');
      },
    });
    await queue.ensure('demo.main.0', { n: 1 });
    const job = await next();
    const store = await connectStore(redis.location, silentLogger);
    for (const key of ['demo.main.0', 'demo.main.0:lock', 'active']) {
      await store.remove(`bull:lost:${key}`);
    }
    const isLocked = async (): Promise<boolean> =>
      (await store.get('bull:lost:demo.main.0:lock')) !== undefined;
    await vi.waitUntil(
      async () => {
        await queue.ensure('demo.main.0', { n: 1 });
        return isLocked();
      },
      { timeout: 12_000, interval: 200 },
    );
    expect(job.signal.aborted).toBe(false);
    expect(started).toEqual([]);
    // It runs here: nobody keeps another seat for it.
    expect(considered).toBe(1);
    end();
    await runner.close('done');
    await store.close('done');
    await queue.close('done');
  }, 20_000);

  it('makes room for the job that takes its place, where all seats are taken', async () => {
    const queue = openJobQueue(redis.location, 'replaced', silentLogger);
    let newestMs = 0;
    const { runner, next, end } = holdingRunner('replaced', {
      isReplaced: ({ epoch }) => Promise.resolve(epoch.timestamp <= newestMs),
    });
    await queue.ensure('demo.main.0', {});
    const old = await next();
    await queue.ensure('demo.main.0.1-1', {});
    newestMs = old.epoch.timestamp;
    const young = await next();
    expect(young.id).toBe('demo.main.0.1-1');
    expect([old, young].map(({ signal }) => signal.aborted)).toEqual([false, false]);
    // What the origin's 409 does, to both here.
    end();
    await runner.close('done');
    await queue.close('done');
  }, 20_000);

  it('is left to another runner where this one says so, and dropped where nobody needs it', async () => {
    const queue = openJobQueue(redis.location, 'offers', silentLogger);
    const offers: Offer[] = ['leave', 'drop'];
    const picky = lingeringRunner('offers', {
      consider: () => Promise.resolve(offers.shift() ?? 'run'),
    });
    await queue.ensure('one', {});
    await vi.waitUntil(() => offers.length === 0, { timeout: 10_000 });
    await queue.ensure('two', {});
    expect((await picky.next()).id).toBe('two');
    picky.end();
    await picky.runner.close('done');
    await queue.close('done');
  }, 20_000);
});

describe('an epoch', () => {
  it('counts runs, not the times that a job was left to others; each run is higher than the last', async () => {
    const queue = openJobQueue(redis.location, 'counts', silentLogger);
    const offers: Offer[] = ['leave', 'run', 'leave'];
    const seen: number[] = [];
    const consider = ({ epoch }: Pick<JobContext, 'epoch'>): Promise<Offer> => {
      seen.push(epoch.attempt);
      return Promise.resolve(offers.shift() ?? 'run');
    };
    const first = holdingRunner('counts', { consider });
    await queue.ensure('demo.main.0', {});
    const job = await first.next();
    expect([job.epoch.attempt, ...seen]).toEqual([1, 1, 1]);

    await first.runner.close('shutdown');
    const second = holdingRunner('counts', { consider });
    const again = await second.next();
    expect([again.epoch.attempt, ...seen.slice(2)]).toEqual([2, 2, 2]);
    expect(again.epoch.timestamp).toBe(job.epoch.timestamp);
    await second.runner.close('done');
    await queue.close('done');
  }, 20_000);

  it('takes nothing back for one that lost its lock meanwhile: another may run as what it counts', async () => {
    const queue = openJobQueue(redis.location, 'late', silentLogger);
    const store = await connectStore(redis.location, silentLogger);
    const lock = 'bull:late:demo.main.0:lock';
    // The first stood still before it said no; by then the job was somebody else's, who died.
    const isLate = [true];
    const slow = holdingRunner('late', {
      async consider() {
        if (isLate.shift() !== true) {
          return 'run';
        }
        await store.lease(lock, 'another', 1000);
        return 'leave';
      },
    });
    await queue.ensure('demo.main.0', {});
    expect((await slow.next()).epoch.attempt).toBe(2);
    await slow.runner.close('done');
    await store.close('done');
    await queue.close('done');
  }, 20_000);
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
    expect(await stores[0]!.hashReplace('t:new', 'one', 'second', 'third')).toBe(false);
    expect(await stores[1]!.hashReplace('t:new', 'one', 'first', 'third')).toBe(true);
    expect(await stores[2]!.hashGet('t:new', 'one')).toBe('third');
    expect(await stores[0]!.hashReplace('t:new', 'none', 'first', 'third')).toBe(false);
    await stores[2]!.hashRemove('t:new', 'one');
    expect(await stores[0]!.hashGet('t:new', 'one')).toBeUndefined();
    await Promise.all(stores.map((store) => store.close('done')));
  });
});
