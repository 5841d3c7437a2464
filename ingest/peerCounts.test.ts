import { expect, it } from 'vitest';
import { createMetrics } from '../infra/kernel/metrics.ts';
import { PeerCounts } from './peerCounts.ts';
import type { PeerStats } from './webrtc/messages.ts';

const STATS: PeerStats = {
  ...{ framesIn: 30, framesDamaged: 1, packetsReceived: 150, packetsRecovered: 4, packetsLost: 2 },
  ...{ packetsUnknown: 0, plisSent: 3, plisByReason: { start: 1, loss: 2 }, nacksSent: 5 },
  ...{ bytes: 125_000, roundTripMs: 41.6, reorderMs: 200, unauthentic: 7, replayed: 0 },
  control: { hasInputControl: false } as PeerStats['control'],
  unitsDropped: 0,
};

it('sums over peers, each of which counts from 0, and says why keyframes were asked for', async () => {
  const metrics = createMetrics();
  const counts = new PeerCounts(metrics);
  counts.take(STATS, 1000);
  counts.take({ ...STATS, framesIn: 60, bytes: 250_000, plisByReason: { start: 1, loss: 3 } }, 500);
  expect(counts.status).toEqual({
    ...{ framesIn: 60, framesDamaged: 1, plisSent: 3, nacksSent: 5 },
    ...{ bitrateBps: 2_000_000, roundTripMs: 42, reorderMs: 200 },
  });
  counts.endPeer();
  expect(counts.status).toEqual({ framesIn: 60, framesDamaged: 1, plisSent: 3, nacksSent: 5 });
  counts.take(STATS, 1000);
  expect(counts.status).toMatchObject({ framesIn: 90, bitrateBps: 1_000_000 });
  const lines = (await metrics.render()).body.split('\n');
  expect(lines).toContain('grandstand_ingest_events_total{event="unauthentic"} 14');
  expect(lines).toContain('grandstand_ingest_keyframe_requests_total{reason="loss"} 5');
  expect(lines).toContain('grandstand_ingest_keyframe_requests_total{reason="reader"} 0');
  expect(lines).toContain('grandstand_ingest_round_trip_ms_count 3');
});
