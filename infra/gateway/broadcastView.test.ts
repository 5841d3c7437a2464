import { describe, expect, it } from 'vitest';
import { stateOf, type StreamerState } from './broadcastView.ts';
import type { RoleStatuses } from './directory.ts';
import { unixMs } from '../kernel/time.ts';

const NOW = unixMs(1_795_204_000_000);
const CONNECTED: StreamerState = { isConnected: true, presenter: null };
const GONE: StreamerState = { isConnected: false, presenter: null };
const NOTHING: RoleStatuses = { ingest: undefined, transcode: undefined, origin: undefined };
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
      { ingest: INGEST, transcode: TRANSCODE, origin: { newestMs: NOW - 100, tracks: [] } },
      CONNECTED,
    ],
    [
      'live',
      {
        ingest: INGEST,
        transcode: TRANSCODE,
        origin: { lastMsn: 5, newestMs: NOW - 100, tracks: [] },
      },
      CONNECTED,
    ],
    ['interrupted', { ...NOTHING, origin: { lastMsn: 5, newestMs: NOW - 4000, tracks: [] } }, GONE],
  ] satisfies [string, RoleStatuses, StreamerState][])('is %s', (state, statuses, streamer) => {
    expect(stateOf(statuses, streamer, NOW).state).toBe(state);
  });
});
