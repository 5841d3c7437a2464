import { describe, expect, it } from 'vitest';
import { broadcastView, stateOf, type StreamerState } from './broadcastView.ts';
import type { RoleStatuses } from './directory.ts';
import { DEMO_BROADCAST } from './fixtures.ts';
import { unixMs } from '../kernel/time.ts';
import { type Broadcast } from '../kernel/wire.ts';

const NOW = unixMs(1_795_204_000_000);
const DEMO: Broadcast = { ...DEMO_BROADCAST, createdMs: NOW - 60_000, measuredHeight: 720 };
const EXTERNAL: Broadcast = { ...DEMO, id: 'ext', source: { kind: 'publish' } };
const ENDED: Broadcast = { ...DEMO, endedMs: NOW - 1000 };
const TRACKS = [{ name: 'v720', kind: 'video', codec: 'avc1.64001f', bitrateBps: 1 }] as const;
const CONNECTED: StreamerState = { isConnected: true, presenter: null };
const GONE: StreamerState = { isConnected: false, presenter: null };
const NOTHING: RoleStatuses = {
  ingest: undefined,
  transcode: undefined,
  slots: 0,
  origin: undefined,
};
const INGEST: RoleStatuses['ingest'] = {
  state: 'live',
  framesIn: 1,
  framesDamaged: 0,
  plisSent: 0,
  nacksSent: 0,
};
const TRANSCODE: RoleStatuses['transcode'] = {
  state: 'encoding',
  encoder: 'libx264',
  encoderReason: 'why',
  framesIn: 1,
  framesOut: 1,
  restarts: 0,
  epoch: '1.1',
};

describe('the state of a broadcast', () => {
  it.each([
    ['idle', NOTHING, GONE],
    ['starting', NOTHING, CONNECTED],
    ['queued', { ...NOTHING, ingest: INGEST }, CONNECTED],
    ['starting', { ...NOTHING, ingest: INGEST, transcode: TRANSCODE }, CONNECTED],
    // Published, but no playlist yet: the first segment grows.
    [
      'starting',
      {
        ingest: INGEST,
        transcode: TRANSCODE,
        slots: 1,
        origin: { newestMs: NOW - 100, tracks: [] },
      },
      CONNECTED,
    ],
    [
      'live',
      {
        ingest: INGEST,
        transcode: TRANSCODE,
        slots: 1,
        origin: { lastMsn: 5, newestMs: NOW - 100, tracks: [] },
      },
      CONNECTED,
    ],
    // The slate stands for the picture, and media goes on.
    [
      'interrupted',
      {
        ...NOTHING,
        ingest: { ...INGEST, state: 'interrupted' },
        transcode: TRANSCODE,
        origin: { lastMsn: 5, newestMs: NOW - 100, tracks: [] },
      },
      GONE,
    ],
    ['interrupted', { ...NOTHING, origin: { lastMsn: 5, newestMs: NOW - 4000, tracks: [] } }, GONE],
  ] satisfies [string, RoleStatuses, StreamerState][])('is %s', (state, statuses, streamer) => {
    expect(stateOf(DEMO, statuses, streamer, NOW).state).toBe(state);
  });
});

it('a broadcast whose source is measured says so', () => {
  const statuses = { ...NOTHING, ingest: INGEST };
  expect(stateOf({ ...DEMO, measuredHeight: undefined }, statuses, CONNECTED, NOW)).toEqual({
    state: 'starting',
    reason: 'measuring the source: rungs above it are left out',
  });
});

describe('the state of a broadcast that somebody else publishes', () => {
  it.each([
    ['idle', /nobody publishes/, undefined],
    ['starting', /first whole segment/, { tracks: [...TRACKS] }],
    ['live', /^$/, { lastMsn: 5, newestMs: NOW - 100, tracks: [...TRACKS] }],
    ['interrupted', /publisher is gone/, { lastMsn: 5, newestMs: NOW - 4000, tracks: [] }],
    // Started again after an end: what the origin still says is of the run before.
    ['idle', /nobody publishes/, { lastMsn: 5, newestMs: NOW - 100, isEnded: true, tracks: [] }],
  ] satisfies [string, RegExp, RoleStatuses['origin']][])('is %s (%s)', (state, why, origin) => {
    const found = stateOf(EXTERNAL, { ...NOTHING, origin }, GONE, NOW);
    expect(found.state).toBe(state);
    expect(found.reason ?? '').toMatch(why);
  });
});

describe('the end of a broadcast', () => {
  const at = { nowMs: NOW, since: NOW };

  it('is what is desired, at once, with a word while the origin closes', () => {
    const origin = { lastMsn: 5, newestMs: NOW - 100, tracks: [...TRACKS] };
    expect(stateOf(ENDED, { ...NOTHING, origin }, CONNECTED, NOW)).toEqual({
      state: 'ended',
      reason: 'the last segments are closed',
    });
    expect(stateOf(ENDED, NOTHING, GONE, NOW)).toEqual({ state: 'ended' });
  });

  it('tells where the recording is, how the disk does, and when it was', () => {
    const storage = { state: 'full', reason: 'no space left', bytes: 9 } as const;
    const origin = {
      lastMsn: 5,
      isEnded: true,
      recording: '20261120t220409z',
      storage,
      tracks: [],
    };
    expect(broadcastView(ENDED, { ...NOTHING, origin }, CONNECTED, at)).toMatchObject({
      state: 'ended',
      since: new Date(NOW - 1000).toISOString(),
      storage,
      recording: {
        id: '20261120t220409z',
        isComplete: true,
        hls: '/vod/demo/20261120t220409z/main.m3u8',
        dash: '/vod/demo/20261120t220409z/manifest.mpd',
      },
    });
  });

  it('offers a stage only where there is a streamer', () => {
    expect(broadcastView(DEMO, NOTHING, GONE, at).urls.present).toBe('/present/demo');
    expect(broadcastView(EXTERNAL, NOTHING, GONE, at).urls.present).toBeNull();
  });
});
