import { expect, it } from 'vitest';
import { transcodeQueues } from './transcodeQueues.ts';

function setUp() {
  const jobs = new Set<string>();
  const kept = new Map<string, string>();
  let living: readonly string[] = [];
  const queue = transcodeQueues({
    open: (name) => ({
      ensure: (id) => Promise.resolve(void jobs.add(`${name}/${id}`)),
      remove: (id) => Promise.resolve(void jobs.delete(`${name}/${id}`)),
      close: () => Promise.resolve(),
    }),
    encoders: () => Promise.resolve(living),
    store: {
      get: (key) => Promise.resolve(kept.get(key)),
      lease: (key, value) => Promise.resolve(void kept.set(key, value)),
    },
  });
  const ensure = async (...now: string[]): Promise<string[]> => {
    living = now;
    await queue.ensure('a.main.0', {});
    return [...jobs];
  };
  return { queue, jobs, ensure };
}

it('asks the preferred encoder that lives, stays with it, and moves only when it is gone', async () => {
  const { queue, jobs, ensure } = setUp();
  expect(await ensure()).toEqual([]);
  expect(await ensure('x264')).toEqual(['transcode-x264/a.main.0']);
  expect(await ensure('x264', 'nvenc')).toEqual(['transcode-x264/a.main.0']);
  expect(await ensure('nvenc')).toEqual(['transcode-nvenc/a.main.0']);
  expect(await ensure()).toEqual(['transcode-nvenc/a.main.0']);
  await queue.remove('a.main.0');
  expect(jobs.size).toBe(0);
});
