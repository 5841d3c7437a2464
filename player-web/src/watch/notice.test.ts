import { describe, expect, it } from 'vitest';
import { noticeFor, type Situation } from './notice.ts';

const PLAYING: Situation = {
  api: 'live',
  reason: undefined,
  hasStarted: true,
  stillForMs: 0,
  isPaused: false,
  needsGesture: false,
};

describe('noticeFor', () => {
  it('says why where the gateway knows', () => {
    const notice = noticeFor({
      ...PLAYING,
      api: 'queued',
      hasStarted: false,
      reason: 'no worker is free',
    });
    expect(notice?.detail).toBe('It starts here by itself. (no worker is free)');
  });

  it.each<[string, Partial<Situation>, string | undefined]>([
    ['playing', {}, undefined],
    ['playing on from the buffer while the source is away', { api: 'interrupted' }, undefined],
    ['still while live', { stillForMs: 2000 }, 'Catching up'],
    ['still and interrupted', { api: 'interrupted', stillForMs: 2000 }, 'Interrupted, coming back'],
    ['still and the streamer gone', { api: 'idle', stillForMs: 2000 }, 'Interrupted, coming back'],
    [
      'still and the API away',
      { api: 'unreachable', stillForMs: 2000 },
      'Interrupted, coming back',
    ],
    ['ended', { api: 'ended', stillForMs: 2000 }, 'The broadcast has ended'],
    ['ended before', { api: 'ended', hasStarted: false }, 'The broadcast has ended'],
    ['paused', { isPaused: true }, 'Paused'],
    ['autoplay refused', { needsGesture: true, hasStarted: false }, 'Ready'],
    ['first answer awaited', { api: undefined, hasStarted: false }, 'Loading'],
    ['joining', { hasStarted: false }, 'Loading'],
    ['unknown name', { api: 'missing', hasStarted: false }, 'Waiting for the broadcast'],
    ['starting', { api: 'starting', hasStarted: false }, 'Waiting for the broadcast'],
    ['server away', { api: 'unreachable', hasStarted: false }, 'Waiting for the server'],
  ])('%s', (_name, change, title) => {
    expect(noticeFor({ ...PLAYING, ...change })?.title).toBe(title);
  });
});
