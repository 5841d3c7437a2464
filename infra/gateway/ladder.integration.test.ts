/** One gateway, a source of 360 lines and the default ladder: what is listed of it, in every text. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../test/support/gatewayProcess.ts';
import { type KillableStreamer, startStreamer } from '../../test/support/interruption.ts';

const LIVE_MS = 60_000;

let gateway: GatewayProcess;
let streamer: KillableStreamer;

beforeAll(async () => {
  gateway = await startGatewayProcess({
    isDemo: false,
    environment: { GRANDSTAND_BROADCAST_SOURCE_HEIGHT: '360' },
  });
  streamer = startStreamer(gateway.streamerUrl, '640x360');
}, LIVE_MS);

afterAll(async () => {
  await streamer.kill();
  await gateway.stop();
});

it('rungs above the declared source are in no playlist, and the API says why', async () => {
  const { tracks, leftOut } = await gateway.untilLive('demo', LIVE_MS);
  expect(tracks.map(({ name }) => name)).toEqual(['v360', 'a128']);
  expect(leftOut).toEqual({
    tracks: ['v720', 'v480'],
    reason: 'above the source, which is declared to be 360 pixels high',
  });
  const text = async (name: string): Promise<string> =>
    (await fetch(`${gateway.url}/live/demo/${name}`)).text();
  const named = (list: string): unknown => [...new Set(list.match(/\bv\d{3,4}\b/g))];
  expect(named(await text('main.m3u8'))).toEqual(['v360']);
  expect(named(await text('manifest.mpd'))).toEqual(['v360']);
  expect(gateway.log.join('\n')).toContain('rungs are left out');
});
