/** One gateway, a source of 360 lines, the default ladder and another audio rung: what is listed of it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../test/support/gatewayProcess.ts';
import { type KillableStreamer, startStreamer } from '../../test/support/interruption.ts';

const LIVE_MS = 60_000;

let gateway: GatewayProcess;
let streamer: KillableStreamer;

beforeAll(async () => {
  gateway = await startGatewayProcess({
    isDemo: false,
    environment: {
      GRANDSTAND_BROADCAST_SOURCE_HEIGHT: '360',
      GRANDSTAND_BROADCAST_LADDER_AUDIO: JSON.stringify([
        { name: 'a128', bitrateBps: 128_000 },
        { name: 'a64', bitrateBps: 64_000 },
      ]),
    },
  });
  streamer = startStreamer(gateway.streamerUrl, '640x360');
}, LIVE_MS);

afterAll(async () => {
  await streamer.kill();
  await gateway.stop();
});

it('rungs above the declared source are in no playlist, and the API says why', async () => {
  const { tracks, leftOut } = await gateway.untilLive('demo', LIVE_MS);
  expect(tracks.map(({ name }) => name)).toEqual(['v360', 'a128', 'a64']);
  expect(leftOut).toEqual({
    tracks: ['v720', 'v480'],
    reason: 'above the source, which is declared to be 360 pixels high',
  });
  const text = async (name: string): Promise<string> =>
    (await fetch(`${gateway.url}/live/demo/${name}`)).text();
  const found = (list: string, pattern: RegExp): unknown =>
    [...list.matchAll(pattern)].map(([, name]) => name);
  const hls = await text('main.m3u8');
  expect(found(hls, /\n(\w+)\/media/g)).toEqual(['v360', 'a128', 'a64']);
  expect(found(hls, /GROUP-ID="(\w+)"/g)).toEqual(['a128', 'a64']);
  const dash = await text('manifest.mpd');
  expect(found(dash, /<AdaptationSet id="(\d)"/g)).toEqual(['1', '2']);
  expect(found(dash, /<Representation id="(\w+)"/g)).toEqual(['v360', 'a128', 'a64']);
  expect(gateway.log.join('\n')).toContain('rungs are left out');
});
