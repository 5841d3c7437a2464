/**
 * `npm run bench -- slate [seconds]`: the streamer is killed for `seconds` (20) while hls.js and
 * dash.js play; when the slate and the picture after it were stamped and published, and what the
 * players did.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { pause } from '../../infra/kernel/lifecycle.ts';
import { launchBrowser } from '../support/browser.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { findSlate, type SlateSpan, startStreamer } from '../support/interruption.ts';
import { type PublishedPicture, watchFeed, watchPublished } from '../support/mediaWatch.ts';
import { until } from '../support/until.ts';
import { untilPlaying, type WatchStats, watchStats } from '../support/watchPage.ts';

const ARTIFACTS = join(import.meta.dirname, '..', '.artifacts');
const FPS = 30;
const SETTLE_MS = 10_000;
const LEVEL = 'v360';
const SIZE = '640x360';

/** Prints the figures and leaves a picture of the slate in test/.artifacts/slate-*.png. */
export async function benchSlate([
  secondsText = '20',
  ...players
]: readonly string[]): Promise<void> {
  const seconds = Number(secondsText);
  await mkdir(ARTIFACTS, { recursive: true });
  const gateway = await startGatewayProcess({
    isDemo: false,
    environment: {
      // One rung: what is measured is the way, not what this machine can encode beside two players.
      GRANDSTAND_BROADCAST_LADDER_VIDEO: JSON.stringify([
        { name: LEVEL, width: 640, height: 360, bitrateBps: 700_000 },
      ]),
      GRANDSTAND_BROADCAST_LADDER_AUDIO: JSON.stringify([{ name: 'a128', bitrateBps: 128_000 }]),
    },
  });
  const streamer = startStreamer(gateway.streamerUrl, SIZE);
  const browser = await launchBrowser();
  const stop = new AbortController();
  try {
    const { health } = await gateway.untilLive('demo', 60_000);
    const pages = new Map<string, Page>();
    for (const player of players.length === 0 ? ['hls', 'dash'] : players) {
      const page = await browser.context.newPage();
      await page.goto(`${gateway.url}/watch/demo?player=${player}&level=${LEVEL}`);
      await untilPlaying(page);
      pages.set(player, page);
    }
    const feed = watchFeed(`${gateway.internalUrl}/feed/demo`, gateway.internalToken, stop.signal);
    const published = watchPublished(
      `${gateway.url}/live/demo/${LEVEL}`,
      (health.lastMsn ?? 0) + 1,
      stop.signal,
    );
    const sound = watchPublished(
      `${gateway.url}/live/demo/a128`,
      (health.lastMsn ?? 0) + 1,
      stop.signal,
    );
    await pause(SETTLE_MS);
    const before = await statsOf(pages);
    const restarts = (await gateway.broadcast('demo')).health['encoderRestarts'];
    const killedMs = Date.now();
    await streamer.kill();
    await pause(seconds * 500);
    const { state, reason } = await gateway.broadcast('demo');
    for (const [player, page] of pages) {
      await page.bringToFront();
      await page.screenshot({ path: join(ARTIFACTS, `slate-${player}.png`) });
    }
    await pause(seconds * 500);
    const away = await statsOf(pages);
    const startedMs = Date.now();
    const next = startStreamer(gateway.streamerUrl, SIZE);
    const span = await until('the picture is back', 30_000, () => {
      const found = findSlate(feed, killedMs, FPS);
      return found?.firstLive === undefined ? undefined : found;
    });
    await pause(SETTLE_MS);
    const after = await statsOf(pages);
    const offeredMs = offerOf(gateway, startedMs);
    report(span, published, { killedMs, startedMs, offeredMs });
    reportLateness({ video: published, audio: sound }, killedMs + 2000);
    console.log(
      `state ${state} (${reason ?? ''}); encoder restarts ${
        Number((await gateway.broadcast('demo')).health['encoderRestarts']) - Number(restarts)
      }`,
    );
    reportPlayers([before, away, after], Date.now() - killedMs);
    await next.kill();
  } finally {
    stop.abort();
    await streamer.kill();
    await browser.close('done');
    await gateway.stop();
  }
}

const late = ({ stampMs, arrivedMs }: PublishedPicture): number => arrivedMs - stampMs;

function reportLateness(
  tracks: Readonly<Record<string, readonly PublishedPicture[]>>,
  sinceMs: number,
): void {
  for (const [name, pictures] of Object.entries(tracks)) {
    const since = pictures.filter(({ arrivedMs }) => arrivedMs > sinceMs);
    const worst = since.reduce((a, b) => (late(b) > late(a) ? b : a), { stampMs: 0, arrivedMs: 0 });
    console.log(
      `${name} after the slate came: published at most ${Math.round(late(worst))} ms after its stamp`,
    );
  }
}

function reportPlayers([before, away, after]: readonly Stats[], elapsedMs: number): void {
  for (const [player, first] of before ?? []) {
    const second = away?.get(player) ?? first;
    const third = after?.get(player) ?? second;
    const stalls = (from: WatchStats, to: WatchStats): string =>
      `${to.stalls - from.stalls} (${Math.round(to.stalledMs - from.stalledMs)} ms)`;
    const movedMs = Math.round(third.currentTimeUnixMs - first.currentTimeUnixMs);
    console.log(
      `${player}: stalls at the loss ${stalls(first, second)}, at the return ${stalls(second, third)}; ` +
        `moved ${movedMs} ms of media in ${elapsedMs} ms`,
    );
  }
}

type Stats = ReadonlyMap<string, WatchStats>;

type Moments = {
  readonly killedMs: number;
  readonly startedMs: number;
  readonly offeredMs: number | undefined;
};

function report(
  { lastLive, firstSlate, lastSlate, firstLive }: SlateSpan,
  published: readonly PublishedPicture[],
  { killedMs, startedMs, offeredMs }: Moments,
): void {
  const frameMs = 1000 / FPS;
  const publishedMs = (stampMs: number): number =>
    published.find((picture) => picture.stampMs >= stampMs - frameMs / 2)?.arrivedMs ?? Number.NaN;
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const delays = published
    .filter(({ stampMs }) => stampMs < lastLive.stampMs && stampMs > lastLive.stampMs - 5000)
    .map(({ stampMs, arrivedMs }) => arrivedMs - stampMs)
    .sort((a, b) => a - b);
  console.log(
    `before: published ${ms(delays[delays.length >> 1] ?? Number.NaN)} after the stamp (median of 5 s)`,
  );
  const slateAtMs = publishedMs(firstSlate.stampMs);
  console.log(
    `slate: stamped ${(firstSlate.stampMs - lastLive.stampMs).toFixed(1)} ms after the last picture; ` +
      `in the feed ${ms(firstSlate.arrivedMs - lastLive.arrivedMs)} after it came, ` +
      `published ${ms(slateAtMs - lastLive.stampMs)} after it was stamped, ${ms(slateAtMs - killedMs)} after the kill`,
  );
  const liveMs = firstLive?.stampMs ?? Number.NaN;
  const liveAtMs = publishedMs(liveMs);
  console.log(
    `live: stamped ${(liveMs - (lastSlate?.stampMs ?? 0)).toFixed(1)} ms after the last of the slate; published ` +
      `${ms(liveAtMs - (offeredMs ?? Number.NaN))} after the offer, ${ms(liveAtMs - startedMs)} after the process was started`,
  );
  const steps = published
    .slice(1)
    .map((picture, index) => picture.stampMs - (published[index]?.stampMs ?? 0));
  console.log(
    `published: ${published.length} pictures, steps ${Math.min(...steps).toFixed(1)} to ${Math.max(...steps).toFixed(1)} ms`,
  );
}

/** When the streamer offered again, by the log of the ingest. */
function offerOf(gateway: GatewayProcess, sinceMs: number): number | undefined {
  const times = gateway.log.flatMap((line) => {
    if (!line.includes('subscribed to the streamer')) {
      return [];
    }
    const { time } = JSON.parse(line) as { time: number | string };
    return [new Date(time).getTime()];
  });
  return times.find((time) => time >= sinceMs);
}

async function statsOf(pages: ReadonlyMap<string, Page>): Promise<Stats> {
  const entries = [...pages].map(async ([name, page]) => [name, await watchStats(page)] as const);
  return new Map(await Promise.all(entries));
}
