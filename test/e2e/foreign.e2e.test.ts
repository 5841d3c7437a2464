/** A broadcast of a streamer that is at another, separately started signalling server. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { type KillableStreamer, startStreamer } from '../support/interruption.ts';
import { until } from '../support/until.ts';

let theirs: GatewayProcess;
let ours: GatewayProcess;
let streamer: KillableStreamer;

beforeAll(async () => {
  // In mode open it behaves as Epic's own server: any player may subscribe.
  const environment = { GRANDSTAND_SIGNALLING_MODE: 'open', GRANDSTAND_AUTO_BROADCAST: 'false' };
  theirs = await startGatewayProcess({ isDemo: false, environment });
  ours = await startGatewayProcess({ isDemo: false });
  streamer = startStreamer(theirs.streamerUrl, '640x360');
});

afterAll(async () => {
  await streamer.kill();
  await ours.stop();
  await theirs.stop();
});

it('joins the other server as a player, names no streamer, keeps its secret, and comes back after it', async () => {
  const url = `${theirs.url.replace('http', 'ws')}/?token=their-secret`;
  const created = await fetch(`${ours.url}/api/v1/broadcasts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'guest', source: { kind: 'pixel-streaming', url } }),
  });
  expect(created.status).toBe(201);
  await ours.untilLive('guest', 60_000);
  const players = (await (await fetch(`${theirs.url}/api/players`)).json()) as unknown[];
  expect(players.length).toBe(1);

  await theirs.killAndRestart();
  await until('it is noticed', 20_000, async () => {
    const { state } = await ours.broadcast('guest');
    return state === 'interrupted' ? state : undefined;
  });
  await ours.untilLive('guest', 40_000);
  const said = JSON.stringify(await ours.broadcast('guest')) + ours.log.join('\n');
  expect(said).not.toContain('their-secret');
});
