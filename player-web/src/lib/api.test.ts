import { describe, expect, it } from 'vitest';
import { broadcastIdInPath, parseBroadcast, parseRecording, problemText } from './api.ts';

describe('parseBroadcast', () => {
  it('reads the shape of architecture §5', () => {
    const broadcast = parseBroadcast({
      id: 'demo',
      state: 'live',
      source: { kind: 'pixel-streaming', streamerId: 'Demo 1' },
      since: '2026-11-20T19:00:00.000Z',
      tracks: [
        {
          name: 'v720',
          kind: 'video',
          codec: 'avc1.4D401F',
          width: 1280,
          height: 720,
          fps: 30,
          bitrate: 2_500_000,
        },
        { name: 'odd', kind: 'text' },
        { name: 'a128', kind: 'audio', codec: 'mp4a.40.2', bitrate: 128_000 },
      ],
      leftOut: { tracks: ['v1080', 'v900'], reason: 'above the source' },
      encoder: 'libx264',
      urls: { hls: '/live/demo/main.m3u8', dash: '/live/demo/manifest.mpd' },
      presenter: { connected: true, playerId: '101' },
      health: { lastMsn: 897_598_202, publishDelayMs: 104 },
    });
    expect(broadcast).toMatchObject({
      streamerId: 'Demo 1',
      leftOut: 'Without v1080, v900: above the source',
      sinceMs: Date.UTC(2026, 10, 20, 19),
      isPresenterConnected: true,
      lastMsn: 897_598_202,
    });
    expect(broadcast?.tracks.map((track) => track.name)).toEqual(['v720', 'a128']);
  });

  it('lives with a broadcast that says almost nothing', () => {
    expect(parseBroadcast({ id: 'demo', state: 'idle', presenter: null })).toMatchObject({
      tracks: [],
      leftOut: undefined,
      isPresenterConnected: false,
      urls: { hls: '/live/demo/main.m3u8', dash: '/live/demo/manifest.mpd' },
    });
  });

  it.each([[null], [[]], [7], ['x'], [{ id: 'demo' }], [{ id: 'demo', state: 'odd' }]])(
    'refuses %j',
    (input) => {
      expect(parseBroadcast(input)).toBeUndefined();
    },
  );
});

describe('what is kept', () => {
  it('reads the window and the recording', () => {
    const broadcast = parseBroadcast({
      id: 'demo',
      state: 'ended',
      urls: { dvrHls: '/x/dvr.m3u8', present: null },
      recording: { id: '20261120t220408z', isComplete: true },
      storage: { state: 'full', reason: 'the disk is full', bytes: 7, fromMs: 1_795_212_248_000 },
    });
    expect(broadcast).toMatchObject({
      windowUrls: { hls: '/x/dvr.m3u8', dash: '/live/demo/dvr.mpd' },
      windowFromMs: 1_795_212_248_000,
      storageTrouble: 'the disk is full',
      recording: { id: '20261120t220408z', isComplete: true },
      canPresent: false,
    });
  });

  it('has no trouble with storage that is off or well', () => {
    for (const state of ['ok', 'off']) {
      const broadcast = parseBroadcast({ id: 'demo', state: 'live', storage: { state } });
      expect(broadcast?.storageTrouble).toBeUndefined();
    }
  });

  it('reads a recording, its instants as text or as numbers', () => {
    const wanted = {
      id: 'r1',
      fromMs: 1_795_212_248_000,
      toMs: undefined,
      expiresMs: undefined,
      urls: { hls: '/vod/demo/r1/main.m3u8', dash: '/vod/demo/r1/manifest.mpd' },
    };
    expect(parseRecording('demo', { id: 'r1', fromMs: 1_795_212_248_000 })).toEqual(wanted);
    expect(parseRecording('demo', { id: 'r1', from: '2026-11-20T22:04:08Z' })).toEqual(wanted);
    expect(parseRecording('demo', { id: 'r1' })).toBeUndefined();
  });
});

describe('broadcastIdInPath', () => {
  it.each([
    ['/watch/demo', 'demo'],
    ['/present/s-my-cam_2/', 's-my-cam_2'],
    ['/watch/', undefined],
    ['/watch/Demo', undefined],
    ['/watch/a/b', undefined],
    ['/', undefined],
  ])('%s is %s', (path, id) => {
    expect(broadcastIdInPath(path)).toBe(id);
  });
});

it('says what a problem of the API says, and else its status', () => {
  const problem = { type: 'about:blank', title: 'Conflict', status: 409, detail: 'stop it first' };
  expect(problemText(problem, 409)).toBe('stop it first');
  expect(problemText(undefined, 502)).toBe('the gateway answered 502');
});
