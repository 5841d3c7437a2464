import { describe, expect, it } from 'vitest';
import { noticeFor, type Situation } from './notice.ts';

const PLAYING: Situation = {
  api: 'live',
  reason: undefined,
  hasStarted: true,
  stillForMs: 0,
  isPaused: false,
  needsGesture: false,
  hasEnded: false,
  resumesLive: true,
  recording: undefined,
  hasRecording: false,
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
    ['the recording, once it is complete', { hasRecording: true }, 'watchRecording'],
    ['nothing without one', {}, undefined],
    ['to see the recording again', { recording: 'known' }, 'replay'],
    ['the broadcast, where it is live again', { recording: 'known', api: 'live' }, 'watchLive'],
  ])('offers at the end %s', (_name, change, action) => {
    const notice = noticeFor({ ...PLAYING, api: 'ended', hasEnded: true, ...change });
    expect(notice?.action).toBe(action);
  });

  it('says where playback goes on after a pause', () => {
    const paused = { ...PLAYING, isPaused: true };
    expect(noticeFor(paused)?.detail).toContain('live moment');
    expect(noticeFor({ ...paused, resumesLive: false })?.detail).toContain('from here');
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
    ['played out, the API late', { hasEnded: true }, 'The broadcast has ended'],
    ['played out', { hasEnded: true, api: 'ended' }, 'The broadcast has ended'],
    ['starting again', { hasEnded: true, api: 'starting' }, 'The broadcast is starting again'],
    ['a recording', { api: 'ended', recording: 'known' }, undefined],
    [
      'a recording that is fetched',
      { api: 'ended', recording: 'loading', hasStarted: false },
      'Loading',
    ],
    ['a recording at its end', { recording: 'known', hasEnded: true }, 'The recording has ended'],
    [
      'a recording that is gone',
      { recording: 'missing', hasStarted: false },
      'This recording is not kept any more',
    ],
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
