/**
 * The source grows while somebody watches: rungs that were above it are encoded by another run, which
 * takes over under both players, and are there for who comes next.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { getText } from '../support/delivery.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { type KillableStreamer, startStreamer } from '../support/interruption.ts';
import { watchPublished } from '../support/mediaWatch.ts';
import { until } from '../support/until.ts';
import { untilPlaying, watchStats } from '../support/watchPage.ts';

const FPS = 30;
let gateway: GatewayProcess;
let browser: TestBrowser;
let streamer: KillableStreamer;
const stop = new AbortController();

beforeAll(async () => {
  // Its one seat is taken when the other run is to begin.
  const environment = { GRANDSTAND_WORKER_CONCURRENCY: '1' };
  gateway = await startGatewayProcess({ isDemo: false, environment });
  streamer = startStreamer(gateway.streamerUrl, '640x360');
  browser = await launchBrowser();
});

afterAll(async () => {
  stop.abort();
  await streamer.kill();
  await browser.close('done');
  await gateway.stop();
});

async function listedRungs(): Promise<string[]> {
  const text = await getText(`${gateway.url}/live/demo/main.m3u8`);
  return [...text.matchAll(/^(v\d+)\/media\.m3u8$/gm)].flatMap(([, name]) => name ?? []);
}

it('has no rung above its source, and more of them under its viewers once that has grown', async () => {
  const { health } = await gateway.untilLive('demo', 60_000);
  expect(await gateway.broadcast('demo')).toMatchObject({
    leftOut: { tracks: ['v720', 'v480'], reason: 'above the source, which is 360 pixels high' },
  });
  expect(await listedRungs()).toEqual(['v360']);
  const pages = await Promise.all(
    ['hls', 'dash'].map(async (player) => {
      const page = await browser.context.newPage();
      await page.goto(`${gateway.url}/watch/demo?player=${player}`);
      return page;
    }),
  );
  for (const page of pages) {
    await untilPlaying(page);
    await page.evaluate('window.isFirstLoad = true');
  }
  const track = `${gateway.url}/live/demo/v360`;
  const published = watchPublished(track, (health.lastMsn ?? 0) + 1, stop.signal);

  await streamer.kill();
  streamer = startStreamer(gateway.streamerUrl, '1280x720');
  await until('all rungs are listed', 60_000, async () => (await listedRungs()).length === 3);
  expect(await listedRungs()).toEqual(['v720', 'v480', 'v360']);
  const grownMs = published.at(-1)?.stampMs ?? 0;
  const now = await gateway.untilLive('demo', 20_000);
  expect(now).toMatchObject({ leftOut: null, health: { encoderRestarts: 0 } });

  // Another run, and every frame of the rung that was there before.
  await until('it is published', 20_000, () => published.at(-1)!.stampMs > grownMs + 3000);
  const steps = published.slice(1).map(({ stampMs }, index) => stampMs - published[index]!.stampMs);
  expect(Math.min(...steps)).toBeCloseTo(1000 / FPS, 1);
  expect(Math.max(...steps)).toBeCloseTo(1000 / FPS, 1);
  for (const page of pages) {
    await until('the page plays on', 30_000, async () => {
      return (await watchStats(page)).currentTimeUnixMs > grownMs + 2000;
    });
    expect(await page.evaluate('window.isFirstLoad')).toBe(true);
  }
  const late = await browser.context.newPage();
  await late.goto(`${gateway.url}/watch/demo?player=hls&level=v720`);
  await untilPlaying(late);
  expect((await watchStats(late)).level).toContain('720');
});
