import { expect, it } from 'vitest';
import type { WorkerReport } from '../kernel/workerReport.ts';
import { transcodeQueues } from './transcodeQueues.ts';
import type { JobFault } from './workerBoard.ts';

type Class = 'nvenc' | 'x264';

function setUp() {
  const jobs = new Set<string>();
  const kept = new Map<string, string>();
  const waits = new Map<string, string>();
  let living: readonly WorkerReport[] = [];
  let fault: JobFault | undefined;
  let adds = 0;
  const queue = transcodeQueues({
    open: (name) => ({
      ensure: (id) => {
        adds += 1;
        return Promise.resolve(void jobs.add(`${name}/${id}`));
      },
      remove: (id) => Promise.resolve(void jobs.delete(`${name}/${id}`)),
      close: () => Promise.resolve(),
    }),
    board: {
      workers: () => Promise.resolve(living),
      faultOf: () => Promise.resolve(fault),
      saveWait: (id, reason) => Promise.resolve(void waits.set(id, reason)),
    },
    store: {
      get: (key) => Promise.resolve(kept.get(key)),
      lease: (key, value) => Promise.resolve(void kept.set(key, value)),
    },
    nowMs: () => 0,
  });
  const ensure = async (...now: Class[]): Promise<string[]> => {
    living = now.map((one) => ({
      ...{ instance: one, host: 'h', jobs: [] },
      encoders: [
        {
          ...{ class: one, name: one, reason: '', capacity: 1, capacityReason: '' },
          ...{ limit: 1, running: 0 },
        },
      ],
    }));
    await queue.ensure('a.main.0', {});
    return [...jobs];
  };
  return {
    ...{ queue, jobs, ensure, waits },
    adds: () => adds,
    fail: (one: JobFault) => {
      fault = one;
    },
  };
}

it('asks the preferred encoder that lives, stays with it, and moves only when it is gone', async () => {
  const { queue, jobs, ensure, waits } = setUp();
  expect(await ensure()).toEqual([]);
  expect(waits.get('a')).toBe('no worker lives');
  expect(await ensure('x264')).toEqual(['transcode-x264/a.main.0']);
  expect(await ensure('x264', 'nvenc')).toEqual(['transcode-x264/a.main.0']);
  expect(await ensure('nvenc')).toEqual(['transcode-nvenc/a.main.0']);
  await queue.remove('a.main.0');
  expect(jobs.size).toBe(0);
});

it('does not ask for a job that is held back, however often it is wished for', async () => {
  const { ensure, fail, adds, waits } = setUp();
  fail({ reason: 'the feed is not Matroska', count: 3, avoid: [], untilMs: 9000 });
  for (let turn = 0; turn < 18; turn += 1) {
    expect(await ensure('x264')).toEqual([]);
  }
  expect(adds()).toBe(0);
  expect(waits.get('a')).toMatch(/^it failed 3 times, .*: the feed is not Matroska$/);
});
