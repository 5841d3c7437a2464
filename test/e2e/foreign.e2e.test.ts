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

  // A state each second may miss an interruption that is over by then; the log does not.
  const said = (text: string): number => ours.log.filter((line) => line.includes(text)).length;
  const [lost, joined] = [said('ingest is without a picture'), said('peer connected')];
  await theirs.killAndRestart();
  await until('it is noticed', 20_000, () => said('ingest is without a picture') > lost);
  await until('it has joined again', 40_000, () => said('peer connected') > joined);
  await ours.untilLive('guest', 40_000);
  const all = JSON.stringify(await ours.broadcast('guest')) + ours.log.join('\n');
  expect(all).not.toContain('their-secret');
});
