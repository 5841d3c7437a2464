/**
 * The streamer is killed while somebody watches: the slate, and the picture again, in one timeline,
 * with two audio rungs.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { findSlate, type KillableStreamer, startStreamer } from '../support/interruption.ts';
import { watchFeed, watchPublished } from '../support/mediaWatch.ts';
import { until } from '../support/until.ts';
import { untilPlaying, watchStats } from '../support/watchPage.ts';

const FPS = 30;
const AUDIO = [
  { name: 'a128', bitrateBps: 128_000 },
  { name: 'a64', bitrateBps: 64_000 },
];
let gateway: GatewayProcess;
let browser: TestBrowser;
let streamer: KillableStreamer;
const stop = new AbortController();

beforeAll(async () => {
  gateway = await startGatewayProcess({
    isDemo: false,
    environment: {
      GRANDSTAND_BROADCAST_LADDER_AUDIO: JSON.stringify(AUDIO),
      GRANDSTAND_BROADCAST_SOURCE_HEIGHT: '720',
    },
  });
  streamer = startStreamer(gateway.streamerUrl, '640x360');
  browser = await launchBrowser();
});

afterAll(async () => {
  stop.abort();
  await streamer.kill();
  await browser.close('done');
  await gateway.stop();
});

it('shows a slate one frame after the last picture and the picture again, and the encoder goes on', async () => {
  const { health } = await gateway.untilLive('demo', 60_000);
  const page = await browser.context.newPage();
  const sounds = [soundOf(page)];
  await page.goto(`${gateway.url}/watch/demo?player=hls&level=v360`);
  await untilPlaying(page);
  const feed = watchFeed(`${gateway.internalUrl}/feed/demo`, gateway.internalToken, stop.signal);
  const track = `${gateway.url}/live/demo/v360`;
  const published = watchPublished(track, (health.lastMsn ?? 0) + 1, stop.signal);
  await until('the feed is read', 10_000, () => feed.length > 0);
  const killedMs = Date.now();
  await streamer.kill();
  const slate = await until('the slate', 10_000, () => findSlate(feed, killedMs, FPS));
  expect(slate.firstSlate.stampMs - slate.lastLive.stampMs).toBeCloseTo(1000 / FPS, 0);
  const away = await until('it is said', 10_000, async () => {
    const now = await gateway.broadcast('demo');
    return now.state === 'interrupted' ? now : undefined;
  });
  expect(away).toMatchObject({ isOnAir: true });
  // Who comes now sees the slate too.
  const late = await browser.context.newPage();
  sounds.push(soundOf(late));
  await late.goto(`${gateway.url}/watch/demo?player=dash&level=v360`);
  await untilPlaying(late);

  streamer = startStreamer(gateway.streamerUrl, '640x360');
  const { lastSlate, firstLive } = await until('the picture is back', 30_000, () => {
    const found = findSlate(feed, killedMs, FPS);
    return found?.firstLive === undefined ? undefined : found;
  });
  expect(firstLive).toMatchObject({ isKeyframe: true });
  expect(firstLive!.stampMs).toBeGreaterThan(lastSlate!.stampMs);
  await gateway.untilLive('demo', 20_000);
  await until(
    'it is published',
    20_000,
    () => published.at(-1)!.stampMs > firstLive!.stampMs + 1000,
  );
  const steps = published.slice(1).map(({ stampMs }, index) => stampMs - published[index]!.stampMs);
  expect(Math.min(...steps)).toBeCloseTo(1000 / FPS, 1);
  expect(Math.max(...steps)).toBeCloseTo(1000 / FPS, 1);
  const { health: healthAfter } = await gateway.broadcast('demo');
  expect(healthAfter).toMatchObject({ encoderRestarts: health['encoderRestarts'] });
  for (const open of [page, late]) {
    const before = await watchStats(open);
    await until('the page plays on', 20_000, async () => {
      return (await watchStats(open)).currentTimeUnixMs > before.currentTimeUnixMs + 1000;
    });
  }
  // Of two audio rungs hls.js has the one of the lowest picture, dash.js the best.
  expect(sounds.map((tracks) => [...tracks])).toEqual([['a64'], ['a128']]);
});

/** Audio rungs of which the page asks for media, from now on. */
function soundOf(page: Page): ReadonlySet<string> {
  const tracks = new Set<string>();
  page.on('request', (request) => {
    const track = /\/(a\d+)\/\d[\d.]*\.m4s/.exec(request.url())?.[1];
    if (track !== undefined) {
      tracks.add(track);
    }
  });
  return tracks;
}
