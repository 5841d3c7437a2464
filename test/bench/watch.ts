/**
 * `npm run bench -- watch [seconds] [level]`: the watch page in Chromium with each player: stalls,
 * and glass-to-glass latency read from the timecode in the picture beside the one that is shown.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../../infra/kernel/lifecycle.ts';
import { launchBrowser } from '../support/browser.ts';
import { startGatewayProcess } from '../support/gatewayProcess.ts';
import { collectShownFrames, shownFrames, untilPlaying, watchStats } from '../support/watchPage.ts';
import { cpuSecondsOf } from './cpu.ts';

const ARTIFACTS = join(import.meta.dirname, '..', '.artifacts');
const SETTLE_MS = 10_000;

/** Plays `seconds` (180) with hls.js, then with dash.js, at `level` (v360), and prints a row each. */
export async function benchWatch([
  secondsText = '180',
  level = 'v360',
  ...players
]: readonly string[]): Promise<void> {
  const seconds = Number(secondsText);
  await mkdir(ARTIFACTS, { recursive: true });
  const gateway = await startGatewayProcess({ isDemo: true });
  const browser = await launchBrowser();
  try {
    await gateway.untilLive('demo', 60_000);
    console.log(`\nwatch: ${seconds} s each after ${SETTLE_MS / 1000} s, level ${level}\n`);
    console.log(
      'player  stalls  stalled ms  latency p5/p50/p95/max ms (picture)  shown - picture p50/p95|.| ms  dropped  buffer s',
    );
    for (const player of players.length === 0 ? ['hls', 'dash'] : players) {
      const page = await browser.context.newPage();
      await page.goto(`${gateway.url}/watch/demo?player=${player}&level=${level}`);
      await untilPlaying(page);
      await pause(SETTLE_MS);
      const before = await watchStats(page);
      const cpuBefore = await cpuSecondsOf(gateway.process.pid ?? 0);
      await collectShownFrames(page, 200);
      await pause(seconds * 1000);
      const after = await watchStats(page);
      const frames = await shownFrames(page);
      const cpu = ((await cpuSecondsOf(gateway.process.pid ?? 0)) - cpuBefore) / seconds;
      await page.screenshot({ path: join(ARTIFACTS, `watch-${player}.png`) });
      await page.close();
      const latency = sorted(frames.map((frame) => frame.shownMs - frame.stripMs));
      const error = frames.flatMap((frame) =>
        frame.pageLatencyMs === null ? [] : [frame.pageLatencyMs - (frame.shownMs - frame.stripMs)],
      );
      console.log(
        [
          player.padEnd(6),
          String(after.stalls - before.stalls).padStart(7),
          (after.stalledMs - before.stalledMs).toFixed(0).padStart(11),
          `  ${[0.05, 0.5, 0.95, 1].map((part) => at(latency, part).toFixed(0)).join('/')} of ${frames.length} frames`.padEnd(
            38,
          ),
          `${at(sorted(error), 0.5).toFixed(0)}/${at(sorted(error.map(Math.abs)), 0.95).toFixed(0)}`.padStart(
            20,
          ),
          String((after.droppedFrames ?? 0) - (before.droppedFrames ?? 0)).padStart(10),
          after.bufferS.toFixed(2).padStart(8),
          `  gateway node ${cpu.toFixed(2)} core`,
        ].join(' '),
      );
    }
  } finally {
    await browser.close('done');
    await gateway.stop();
  }
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function at(values: readonly number[], part: number): number {
  return values[Math.min(values.length - 1, Math.floor(part * values.length))] ?? Number.NaN;
}
