/**
 * `npm run bench -- libwebrtc [seconds]`: a real libwebrtc streamer (Chromium) at a maximum of
 * 4 Mbps; what its bandwidth estimate and encoder target reach, second by second.
 */
import { pause } from '../../infra/kernel/lifecycle.ts';
import { startChromiumStreamer } from '../support/chromiumStreamer.ts';
import { startGatewayProcess } from '../support/gatewayProcess.ts';

/** Streams for `seconds` (20) and prints a row each second. */
export async function benchLibwebrtc([secondsText = '20']: readonly string[]): Promise<void> {
  const gateway = await startGatewayProcess({ isDemo: false });
  const streamer = await startChromiumStreamer({
    signallingUrl: gateway.streamerUrl,
    streamerId: 'chromium',
  });
  try {
    console.log('\nsecond  encoder target kbps  sent kbps  fps  codec');
    let sentBytes = 0;
    for (let second = 1; second <= Number(secondsText); second += 1) {
      await pause(1000);
      for (const peer of await streamer.stats()) {
        const kbps = ((peer.bytesSent - sentBytes) * 8) / 1000;
        sentBytes = peer.bytesSent;
        const columns = [
          second,
          Math.round(peer.targetBitrateBps / 1000),
          Math.round(kbps),
          peer.fps,
        ];
        console.log(
          `${columns.map((column) => String(column).padStart(6)).join('  ')}  ${peer.codec.slice(0, 10)}`,
        );
      }
    }
    const { health } = await gateway.broadcast('chromium');
    console.log(JSON.stringify(health));
  } finally {
    await streamer.close('done');
    await gateway.stop();
  }
}
