/** `npm run bench -- sync [seconds]`: flash against beep on the published segments of the demo. */
import { pause } from '../../infra/kernel/lifecycle.ts';
import { measureSync } from '../support/avSync.ts';
import { startGatewayProcess } from '../support/gatewayProcess.ts';

/** Lets the demo run for `seconds` (40) and measures its last 20 s. */
export async function benchSync([secondsText = '40']: readonly string[]): Promise<void> {
  const gateway = await startGatewayProcess({ isDemo: true });
  try {
    await gateway.untilLive('demo', 60_000);
    await pause(Number(secondsText) * 1000);
    const last = (await gateway.broadcast('demo')).health.lastMsn ?? 0;
    const msns = Array.from({ length: 10 }, (_, index) => last - 10 + index);
    for (const track of ['v720', 'v360']) {
      const points = await measureSync(`${gateway.url}/live/demo`, track, msns);
      const offsets = points.map((point) => point.beepMs - point.flashMs);
      console.log(
        `${track}: ${points.length} seconds; beep - flash ms: min ${Math.min(...offsets).toFixed(1)} max ${Math.max(...offsets).toFixed(1)}; ` +
          `flash after the second: ${points.map((point) => point.flashMs.toFixed(0)).join(' ')}; beep: ${points.map((point) => point.beepMs.toFixed(0)).join(' ')}`,
      );
    }
  } finally {
    await gateway.stop();
  }
}
