/**
 * What a viewer of the page goes through: spans in which playback stood still, spans in which the
 * picture did, media that was left out, and whether the page had to start anew.
 */
import type { Page } from 'playwright-core';
import { z } from 'zod';

const spanSchema = z.object({ atMs: z.number(), lengthMs: z.number() });
const seenSchema = z.object({
  stalls: z.array(spanSchema),
  freezes: z.array(spanSchema),
  skips: z.array(spanSchema),
  builds: z.number(),
  lastFault: z.string().nullable(),
  latestTickMs: z.number(),
});

/** A span: when it began (Unix ms), how long it was. */
export type Span = z.output<typeof spanSchema>;

/** What was seen since the watch began. */
export type PageSeen = z.output<typeof seenSchema>;

/** Shorter than this is not seen, and a busy machine makes it anyway (ms). */
export const MIN_SPAN_MS = 100;
const TICK_MS = 20;
/** Media between two pictures that follow each other, beyond which some was left out (s). */
const SKIP_S = 0.25;

/** Begins to watch; a page that loads anew forgets it, which `readPage` tells. */
export async function watchPage(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    const video = document.querySelector('video');
    const unix = (now) => performance.timeOrigin + now;
    const builds = window.grandstand.stats().builds;
    const seen = (window.chaos = {
      stalls: [], freezes: [], skips: [], latestTickMs: 0,
      read() {
        const stats = window.grandstand.stats();
        const open = performance.now() - movedMs;
        const stalls = open < ${MIN_SPAN_MS} ? seen.stalls
          : [...seen.stalls, { atMs: unix(movedMs), lengthMs: open }];
        return { stalls, freezes: seen.freezes, skips: seen.skips, latestTickMs: seen.latestTickMs,
          builds: stats.builds - builds, lastFault: stats.lastFault ? JSON.stringify(stats.lastFault) : null };
      },
    });
    let position = video.currentTime;
    let movedMs = performance.now();
    let tickMs = movedMs;
    // Playback that stands still, whatever the reason: the element's own position, 50 times a second.
    setInterval(() => {
      const now = performance.now();
      seen.latestTickMs = Math.max(seen.latestTickMs, now - tickMs);
      tickMs = now;
      if (video.currentTime === position) return;
      position = video.currentTime;
      if (now - movedMs >= ${MIN_SPAN_MS}) seen.stalls.push({ atMs: unix(movedMs), lengthMs: now - movedMs });
      movedMs = now;
    }, ${TICK_MS});
    // A picture that stands still while the sound goes on. Pictures that this callback missed count.
    let last;
    const onFrame = (now, frame) => {
      video.requestVideoFrameCallback(onFrame);
      if (last !== undefined) {
        const count = frame.presentedFrames - last.presentedFrames;
        const lengthMs = (frame.presentationTime - last.presentationTime) / Math.max(1, count);
        const mediaS = frame.mediaTime - last.mediaTime;
        if (count >= 1 && lengthMs >= ${MIN_SPAN_MS}) seen.freezes.push({ atMs: unix(last.presentationTime), lengthMs });
        if (count === 1 && mediaS > ${SKIP_S}) seen.skips.push({ atMs: unix(now), lengthMs: mediaS * 1000 });
      }
      last = frame;
    };
    video.requestVideoFrameCallback(onFrame);
  })()`);
}

/** What was seen; undefined where the page was loaded anew since. */
export async function readPage(page: Page): Promise<PageSeen | undefined> {
  const seen = await page.evaluate('window.chaos === undefined ? null : window.chaos.read()');
  return seen === null ? undefined : seenSchema.parse(seen);
}
