/**
 * `npm run bench -- sync [seconds] [loss %]`: flash against beep on the published segments of the
 * demo, which comes over a relay of ours that loses packets and, half-way, is dark for a second.
 */
import { pause } from '../../infra/kernel/lifecycle.ts';
import { measureSync, type SyncPoint } from '../support/avSync.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { startStreamer } from '../support/interruption.ts';
import { startRelayedSignalling } from '../support/relayedSignalling.ts';

const TRACK = 'v360';
const BLACKOUT_MS = 1000;
/** Half a round trip. */
const DELAY_MS = 10;
/** Measured at once, of the 30 that are listed. */
const SEGMENTS = 12;
const SEGMENT_MS = 2000;

/** Prints the offsets as they come, and at the end what they say. */
export async function benchSync([
  secondsText = '40',
  lossText = '1',
]: readonly string[]): Promise<void> {
  const seconds = Number(secondsText);
  const lossPercent = Number(lossText);
  const network = await startRelayedSignalling({ lossPercent, delayMs: DELAY_MS });
  const gateway = await startGatewayProcess({
    isDemo: false,
    environment: {
      GRANDSTAND_BROADCAST_LADDER_VIDEO: JSON.stringify([
        { name: TRACK, width: 640, height: 360, bitrateBps: 700_000 },
      ]),
    },
  });
  const streamer = startStreamer(network.signalling.streamerUrl, '640x360');
  try {
    await network.signalling.identified;
    await create(gateway, network.signalling.playerUrl);
    const first = (await gateway.untilLive('demo', 60_000)).health.lastMsn ?? 0;
    const points: SyncPoint[] = [];
    let isDark = false;
    for (let msn = first + 1; points.length < seconds;) {
      if (!isDark && points.length >= seconds / 2) {
        isDark = true;
        network.relay.blackout(BLACKOUT_MS);
        console.log(`blackout of ${BLACKOUT_MS} ms`);
      }
      const last = (await gateway.broadcast('demo')).health.lastMsn ?? 0;
      if (last < msn + SEGMENTS) {
        await pause(SEGMENT_MS);
        continue;
      }
      const msns = Array.from({ length: SEGMENTS }, (_, index) => msn + index);
      const found = await measureSync(`${gateway.url}/live/demo`, TRACK, msns);
      points.push(...found);
      msn += SEGMENTS;
      console.log(
        `${points.length} of ${seconds} s; beep - flash ms: ${found.map((point) => offsetOf(point).toFixed(0)).join(' ')}`,
      );
    }
    const { health } = await gateway.broadcast('demo');
    report(points, network.relay.dropped(), health);
  } finally {
    await streamer.kill();
    await gateway.stop();
    await network.close('measured');
  }
}

async function create({ url }: GatewayProcess, signallingUrl: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/broadcasts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      id: 'demo',
      source: { kind: 'pixel-streaming', streamerId: 'demo', url: signallingUrl },
    }),
  });
  if (!response.ok) {
    throw new Error(`the broadcast is not created: ${await response.text()}`);
  }
}

function offsetOf({ beepMs, flashMs }: SyncPoint): number {
  return beepMs - flashMs;
}

function report(
  points: readonly SyncPoint[],
  dropped: { readonly toPlayer: number; readonly toStreamer: number },
  health: Readonly<Record<string, unknown>>,
): void {
  const offsets = points.map(offsetOf);
  const sizes = offsets.map(Math.abs).sort((a, b) => a - b);
  const p95 = sizes[Math.floor((sizes.length - 1) * 0.95)] ?? Number.NaN;
  const seen = points.length === 0 ? 0 : points.at(-1)!.second - points[0]!.second + 1;
  const counts = ['framesIn', 'framesDamaged', 'nacksSent', 'plisSent', 'encoderRestarts'];
  console.log(
    [
      '',
      `${points.length} flashes with their beep in ${seen} s`,
      `beep - flash: min ${Math.min(...offsets).toFixed(1)}, max ${Math.max(...offsets).toFixed(1)} ms; |offset| p95 ${p95.toFixed(1)} ms (aim 45)`,
      `drift: ${slopePerMinute(points).toFixed(2)} ms per minute`,
      `lost on the way: ${dropped.toPlayer} packets of media, ${dropped.toStreamer} of feedback`,
      counts.map((name) => `${name} ${JSON.stringify(health[name])}`).join(', '),
    ].join('\n'),
  );
}

/** Least squares of the offset over time. */
function slopePerMinute(points: readonly SyncPoint[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanS = mean(points.map(({ second }) => second));
  const meanMs = mean(points.map(offsetOf));
  const covariance = mean(
    points.map((point) => (point.second - meanS) * (offsetOf(point) - meanMs)),
  );
  const variance = mean(points.map(({ second }) => (second - meanS) ** 2));
  return (covariance / variance) * 60;
}
