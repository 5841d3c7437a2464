import { describe, expect, it } from 'vitest';
import { runWhileWanted, type Want, wantOf, watchJob } from './jobWatch.ts';
import { DEMO_BROADCAST } from './fixtures.ts';
import { type Broadcast } from '../kernel/wire.ts';

const MINE = DEMO_BROADCAST;

describe('a job', () => {
  it.each([
    ['wanted', 'the broadcast runs', MINE],
    ['over', 'it was stopped', { ...MINE, endedMs: 2000 }],
    ['over', 'it was stopped and started again', { ...MINE, startedMs: 3000 }],
    ['over', 'it was made anew', { ...MINE, createdMs: 4000 }],
    ['idle', 'nobody knows it: Redis may have lost it', undefined],
  ] satisfies [Want, string, Broadcast | undefined][])('is %s where %s', (want, _why, now) => {
    expect(wantOf(MINE, now)).toBe(want);
  });

  it('ends at once when it is over, and not because Redis is away', async () => {
    const answers: (() => Promise<Want>)[] = [
      () => Promise.reject(new Error('Redis is away')),
      () => Promise.resolve('over'),
    ];
    const going = new AbortController();
    const away = watchJob(going.signal, answers[0]!);
    const over = watchJob(going.signal, answers[1]!);
    await new Promise((resolve) => {
      over.signal.addEventListener('abort', resolve, { once: true });
    });
    expect(over.signal.reason).toMatch(/nobody wants/);
    expect(away.signal.aborted).toBe(false);
    going.abort('lock lost');
    expect(away.signal.aborted).toBe(true);
    away.close();
  });

  it('that is refused because it is over has not failed', async () => {
    const refused = (): Promise<never> => Promise.reject(new Error('409: the broadcast has ended'));
    const { signal } = new AbortController();
    await expect(
      runWhileWanted(signal, () => Promise.resolve('over'), refused),
    ).resolves.toBeUndefined();
    await expect(runWhileWanted(signal, () => Promise.resolve('wanted'), refused)).rejects.toThrow(
      '409',
    );
  });
});
