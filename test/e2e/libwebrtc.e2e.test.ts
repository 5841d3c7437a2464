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
    const { tracks, health } = await gateway.untilLive('s-stage-1', 40_000);
    expect(tracks.map(({ name }) => name)).toEqual(['v720', 'v480', 'v360', 'a128']);
    expect(health['framesDamaged']).toBe(0);
  });
});
