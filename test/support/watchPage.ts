/** What tests and benchmarks read of a watch page, and of the picture it shows. */
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { until } from './until.ts';

const TIMECODE = join(import.meta.dirname, '..', '..', 'infra', 'demo', 'timecodeLayout.ts');

const statsSchema = z.looseObject({
  player: z.string(),
  latencyMs: z.number().nullish(),
  bufferS: z.number(),
  level: z.string().nullish(),
  stalls: z.number(),
  stalledMs: z.number(),
  droppedFrames: z.number().nullish(),
  currentTimeUnixMs: z.number().nullish(),
});

/** Measurements that the page shows. Times in ms unless named otherwise. */
export type WatchStats = z.output<typeof statsSchema> & { readonly currentTimeUnixMs: number };

/** One frame as it was shown: when, what the page said its latency was, and the UTC time drawn in it. */
export type ShownFrame = {
  readonly shownMs: number;
  readonly stripMs: number;
  readonly pageLatencyMs: number | null;
};

/** `window.grandstand.stats()` of the page. */
export async function watchStats(page: Page): Promise<WatchStats> {
  const stats = statsSchema.parse(await page.evaluate('window.grandstand.stats()'));
  return { ...stats, currentTimeUnixMs: stats.currentTimeUnixMs ?? 0 };
}

/** Waits until the page's picture moves. */
export async function untilPlaying(page: Page, timeoutMs = 40_000): Promise<void> {
  await page.waitForFunction(`'grandstand' in window`, undefined, { timeout: timeoutMs });
  let first: number | undefined;
  await until('the watch page plays', timeoutMs, async () => {
    const { currentTimeUnixMs, latencyMs } = await watchStats(page);
    if (currentTimeUnixMs === 0 || latencyMs == null) {
      return false;
    }
    first ??= currentTimeUnixMs;
    return currentTimeUnixMs > first + 1000;
  });
}

/** From now on the page collects the frames it shows, every `everyMs`, with the time drawn in them. */
export async function collectShownFrames(page: Page, everyMs: number): Promise<void> {
  const source = stripTypeScriptTypes(await readFile(TIMECODE, 'utf8')).replaceAll(
    /^export /gm,
    '',
  );
  await page.evaluate(`(() => { ${source}
    const frames = (window.shownFrames = []);
    const video = document.querySelector('video');
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true });
    let next = 0;
    const onFrame = (now, metadata) => {
      video.requestVideoFrameCallback(onFrame);
      if (now < next) return;
      next = now + ${everyMs};
      const { top, rows } = timecodeRows(video.videoHeight);
      canvas.width = video.videoWidth;
      canvas.height = rows;
      context.drawImage(video, 0, top, video.videoWidth, rows, 0, 0, video.videoWidth, rows);
      const stripMs = decodeTimecodeRows(context.getImageData(0, 0, canvas.width, rows));
      if (stripMs === undefined) return;
      const shownMs = performance.timeOrigin + metadata.expectedDisplayTime;
      frames.push({ shownMs, stripMs, pageLatencyMs: window.grandstand.stats().latencyMs ?? null });
    };
    video.requestVideoFrameCallback(onFrame);
  })()`);
}

/** The frames collected so far. */
export async function shownFrames(page: Page): Promise<readonly ShownFrame[]> {
  return page.evaluate<ShownFrame[]>('window.shownFrames');
}

/** Where the demo's orange comet is in the page's picture, as fractions of it; undefined while unseen. */
export async function cometPlace(
  page: Page,
): Promise<{ readonly x: number; readonly y: number } | undefined> {
  const place = await page.evaluate<{ x: number; y: number } | null>(`(() => {
    const video = document.querySelector('video');
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 320, 180);
    // Above the level meters, which pass through the comet's colours nowhere but are many.
    const { data } = context.getImageData(0, 0, 320, 138);
    let count = 0, x = 0, y = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] > 200 && data[at + 1] > 110 && data[at + 2] < 120) {
        count += 1;
        x += (at / 4) % 320;
        y += Math.floor(at / 4 / 320);
      }
    }
    return count < 5 ? null : { x: x / count / 320, y: y / count / 180 };
  })()`);
  return place ?? undefined;
}
