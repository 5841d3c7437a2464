/**
 * `npm run bench -- codecs [seconds] [codec …]`: Chromium streams each codec at 640x360 (AV1 at
 * 15 fps) to a ladder of one 360p rung, hls.js and then dash.js play it, and the streamer changes
 * its size three times under each. Wants 0 stalls and no DISCONTINUITY.
 */
import { pause } from '../../infra/kernel/lifecycle.ts';
import { launchBrowser } from '../support/browser.ts';
import { type ChromiumStreamer, startChromiumStreamer } from '../support/chromiumStreamer.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { until } from '../support/until.ts';
import { untilPlaying, watchStats } from '../support/watchPage.ts';

const CODECS = ['H264', 'VP8', 'VP9', 'AV1'] as const;
const SIZES = [
  [480, 270],
  [854, 480],
  [640, 360],
] as const;
const RUNG = '[{"name":"v360","width":640,"height":360,"bitrateBps":700000}]';

/** Plays `seconds` (5) before and after each change of size, with each player; prints a row each. */
export async function benchCodecs([secondsText = '5', ...only]: readonly string[]): Promise<void> {
  const codecs = only.length === 0 ? CODECS : CODECS.filter((codec) => only.includes(codec));
  console.log(
    '\ncodec  player  live after s  stalls  stalled ms  sizes in              discontinuities',
  );
  for (const codec of codecs) {
    const gateway = await startGatewayProcess({
      isDemo: false,
      environment: {
        GRANDSTAND_BROADCAST_LADDER_VIDEO: RUNG,
        GRANDSTAND_BROADCAST_LADDER_AUDIO: '[{"name":"a128","bitrateBps":128000}]',
      },
    });
    const startMs = performance.now();
    const streamer = await startChromiumStreamer({
      ...{ signallingUrl: gateway.streamerUrl, streamerId: 'codec', codec },
      ...{ width: 640, height: 360, fps: codec === 'AV1' ? 15 : 30, maxBitrateBps: 1_500_000 },
    });
    try {
      await gateway.untilLive('codec', 60_000);
      const liveS = ((performance.now() - startMs) / 1000).toFixed(1);
      for (const player of ['hls', 'dash']) {
        const row = await play(gateway, streamer, player, Number(secondsText));
        console.log([codec.padEnd(5), player.padEnd(6), liveS.padStart(12), row].join('  '));
      }
    } finally {
      await streamer.close('done');
      await gateway.stop();
    }
  }
}

async function play(
  gateway: GatewayProcess,
  streamer: ChromiumStreamer,
  player: string,
  seconds: number,
): Promise<string> {
  const browser = await launchBrowser();
  try {
    const page = await browser.context.newPage();
    await page.goto(`${gateway.url}/watch/codec?player=${player}&level=v360`);
    await untilPlaying(page);
    await pause(seconds * 1000);
    const before = await watchStats(page);
    const sizes: string[] = [];
    for (const [width, height] of SIZES) {
      await streamer.resize(width, height);
      const size = await until(`${width}x${height}`, 20_000, async () => {
        const { health } = await gateway.broadcast('codec');
        const { sourceWidth, sourceHeight } = health;
        return sourceHeight === height ? `${String(sourceWidth)}x${height}` : undefined;
      });
      sizes.push(size);
      await pause(seconds * 1000);
    }
    const after = await watchStats(page);
    const playlist = await (await fetch(`${gateway.url}/live/codec/v360/media.m3u8`)).text();
    return [
      String(after.stalls - before.stalls).padStart(6),
      (after.stalledMs - before.stalledMs).toFixed(0).padStart(10),
      sizes.join(' ').padEnd(21),
      String(playlist.split('#EXT-X-DISCONTINUITY\n').length - 1),
    ].join('  ');
  } finally {
    await browser.close('done');
  }
}
