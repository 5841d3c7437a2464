import { describe, expect, it } from 'vitest';
import { broadcastIdInPath, parseBroadcast } from './api.ts';

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
      encoder: 'libx264',
      urls: { hls: '/live/demo/main.m3u8', dash: '/live/demo/manifest.mpd' },
      presenter: { connected: true, playerId: '101' },
      health: { lastMsn: 897_598_202, publishDelayMs: 104 },
    });
    expect(broadcast).toMatchObject({
      streamerId: 'Demo 1',
      sinceMs: Date.UTC(2026, 10, 20, 19),
      isPresenterConnected: true,
      lastMsn: 897_598_202,
    });
    expect(broadcast?.tracks.map((track) => track.name)).toEqual(['v720', 'a128']);
  });

  it('lives with a broadcast that says almost nothing', () => {
    expect(parseBroadcast({ id: 'demo', state: 'idle', presenter: null })).toMatchObject({
      tracks: [],
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
