/** A real libwebrtc streamer: the demo's sender is not one, and Unreal's is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChromiumStreamer, startChromiumStreamer } from '../support/chromiumStreamer.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { until } from '../support/until.ts';

/** Aim of the issue on an idle machine, for a maximum of 4 Mbps. */
const TARGET_BPS = 3_000_000;
const RAMP_MS = 15_000;

let gateway: GatewayProcess;
let streamer: ChromiumStreamer | undefined;

beforeAll(async () => {
  gateway = await startGatewayProcess({ isDemo: false });
  streamer = await startChromiumStreamer({
    signallingUrl: gateway.streamerUrl,
    streamerId: 'Stage 1',
  });
});

afterAll(async () => {
  try {
    await streamer?.close('done');
  } finally {
    await gateway.stop();
  }
});

describe('a libwebrtc streamer', () => {
  it('is asked for 3 Mbps and more within 15 s', async () => {
    const peer = await until('the encoder target', RAMP_MS, async () =>
      (await streamer?.stats())?.find(({ targetBitrateBps }) => targetBitrateBps >= TARGET_BPS),
    );
    expect(peer.codec).toContain('H264');
  });

  it('becomes a broadcast under a valid name and goes live without a damaged picture', async () => {
    await gateway.untilLive('s-stage-1', 40_000);
    // It begins small, and sinks again where this machine is slow: rungs come as its picture grows.
    const { tracks, health } = await until(
      'all that is not above it is encoded',
      40_000,
      async () => {
        const now = await gateway.broadcast('s-stage-1');
        const leftOut = now.leftOut?.tracks ?? [];
        return now.tracks.length + leftOut.length === 4 ? now : undefined;
      },
    );
    const names = tracks.map(({ name }) => name);
    expect(['v720', 'v480', 'v360', 'a128'].slice(-names.length)).toEqual(names);
    expect(names.length).toBeGreaterThan(1);
    expect(health['framesDamaged']).toBe(0);
  });
});
