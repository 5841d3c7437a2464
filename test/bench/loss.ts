/**
 * `npm run bench -- loss [seconds] [transport-cc|remb|none]`: a real libwebrtc streamer (Chromium,
 * 640x360, at most 1.5 Mbit/s so that its encoder is no limit) through a UDP relay that loses,
 * delays, reorders and doubles; what comes out of the ingest's peer. Each row is a new connection.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pause } from '../../infra/kernel/lifecycle.ts';
import type { IngestConfig } from '../../ingest/config.ts';
import { monotonicMs, type PeerEvent, type PeerStats } from '../../ingest/webrtc/messages.ts';
import { type ChromiumStreamer, startChromiumStreamer } from '../support/chromiumStreamer.ts';
import type { Conditions } from '../support/impairment.ts';
import { type RelayedPlayer, startRelayedPlayer } from '../support/relayedPlayer.ts';
import { until } from '../support/until.ts';

const MAX_BITRATE_BPS = 1_500_000;
const WARM_UP_MS = 4000;
const BLACKOUT_MS = 1000;

type Row = { readonly name: string; readonly conditions: Conditions; readonly hasBlackout?: true };

/** Loss applies to each direction; the delay is half the round trip. */
const ROWS: readonly Row[] = [
  ...[0, 1, 3, 5].flatMap((lossPercent) =>
    [10, 40, 100].map((roundTripMs) => ({
      name: `${lossPercent} %, ${roundTripMs} ms`,
      conditions: { lossPercent, delayMs: roundTripMs / 2 },
    })),
  ),
  {
    name: 'reordering 5 %',
    conditions: { delayMs: 20, reorderPercent: 5, reorderMs: 8 },
  },
  { name: 'doubling 5 %', conditions: { delayMs: 20, duplicatePercent: 5 } },
  { name: '1 s blackout', conditions: { delayMs: 20 }, hasBlackout: true },
];

const HEAD =
  'loss, round trip   sent  published  damaged      %  broken  NACKs  PLIs  repaired  added ms p50/p95/max   target kbps  of max  reached s  recovery';

/** Prints the table. */
export async function benchLoss([
  secondsText = '15',
  feedback = 'transport-cc',
  only = '',
]: readonly string[]): Promise<void> {
  console.log(`\nfeedback ${feedback}, ${secondsText} s each\n${HEAD}`);
  for (const row of ROWS.filter(({ name }) => name.includes(only))) {
    const config = { feedback: feedback as IngestConfig['feedback'], startBitrateBps: 1_000_000 };
    const player = await startRelayedPlayer(row.conditions, config);
    const streamer = await startChromiumStreamer({
      signallingUrl: player.streamerUrl,
      streamerId: 'chromium',
      width: 640,
      height: 360,
      maxBitrateBps: MAX_BITRATE_BPS,
    });
    try {
      console.log(await measure(row, player, streamer, Number(secondsText)));
    } finally {
      await streamer.close('measured');
      await player.close('measured');
    }
  }
}

/** Waits for `WARM_UP_MS`; after how many seconds the encoder's target was 80 % of the maximum. */
async function warmUp(streamer: ChromiumStreamer): Promise<string> {
  const startMs = monotonicMs();
  let reachedS: string | undefined;
  while (monotonicMs() < startMs + WARM_UP_MS) {
    const targetBps = (await streamer.stats())[0]?.targetBitrateBps ?? 0;
    if (targetBps >= MAX_BITRATE_BPS * 0.8) {
      reachedS ??= ((monotonicMs() - startMs) / 1000).toFixed(1);
    }
    await pause(250);
  }
  return reachedS ?? `> ${WARM_UP_MS / 1000}`;
}

/** What came while it was looked at. */
class Watch {
  readonly units: { readonly atMs: number; readonly rtpTime: number; readonly data: Uint8Array }[] =
    [];
  stats: PeerStats | undefined;

  take(event: PeerEvent): void {
    if (event.kind === 'unit' && event.unit.kind === 'video') {
      const { rtpTime, data } = event.unit;
      this.units.push({ atMs: monotonicMs(), rtpTime, data });
    } else if (event.kind === 'stats') {
      this.stats = event.stats;
    }
  }
}

async function measure(
  { name, hasBlackout }: Row,
  player: RelayedPlayer,
  streamer: ChromiumStreamer,
  seconds: number,
): Promise<string> {
  const watch = new Watch();
  await player.watch((event) => watch.take(event));
  await until('pictures', 20_000, () => watch.units.length > 0);
  const reachedS = await warmUp(streamer);
  const before = { stats: watch.stats, units: watch.units.length };
  const [sentBefore] = await streamer.stats();
  const targets: number[] = [];
  let recovery = '';
  for (let second = 0; second < seconds; second += 1) {
    if (hasBlackout === true && second === 3) {
      player.relay.blackout(BLACKOUT_MS);
      const endMs = monotonicMs() + BLACKOUT_MS;
      const first = await until('pictures after the blackout', 10_000, () =>
        watch.units.find(({ atMs }) => atMs > endMs),
      );
      recovery = `${Math.round(first.atMs - endMs)} ms`;
    }
    await pause(1000);
    targets.push((await streamer.stats())[0]?.targetBitrateBps ?? 0);
  }
  const [sentAfter] = await streamer.stats();
  await pause(500); // what is still on its way
  const units = watch.units.slice(before.units);
  const since = (key: 'framesDamaged' | 'nacksSent' | 'plisSent' | 'packetsRecovered'): number =>
    (watch.stats?.[key] ?? 0) - (before.stats?.[key] ?? 0);
  const sent = (sentAfter?.framesEncoded ?? 0) - (sentBefore?.framesEncoded ?? 0);
  const target = targets.reduce((sum, bps) => sum + bps, 0) / targets.length;
  const damaged = since('framesDamaged');
  const columns: (readonly [string | number, number])[] = [
    [sent, 5],
    [units.length, 9],
    [damaged, 7],
    [((damaged / Math.max(1, sent)) * 100).toFixed(2), 5],
    [await countBroken(watch.units.map(({ data }) => data)), 6],
    [since('nacksSent'), 5],
    [since('plisSent'), 4],
    [since('packetsRecovered'), 8],
    [addedDelays(units), 20],
    [Math.round(target / 1000), 12],
    [`${Math.round((target / MAX_BITRATE_BPS) * 100)} %`, 6],
    [reachedS, 9],
    [recovery, 8],
  ];
  const text = columns.map(([value, width]) => String(value).padStart(width)).join('  ');
  return `${name.padEnd(16)}  ${text}`;
}

/** Publication against the capture time that RTP says, over the quickest picture of the run. */
function addedDelays(units: readonly { atMs: number; rtpTime: number }[]): string {
  const delays = units.map(({ atMs, rtpTime }) => atMs - rtpTime / 90).sort((a, b) => a - b);
  const [least = 0] = delays;
  const at = (share: number): number =>
    Math.round((delays[Math.floor((delays.length - 1) * share)] ?? least) - least);
  return `${at(0.5)}/${at(0.95)}/${at(1)}`;
}

/** What ffmpeg finds wrong in what was published, as a decoder that knows nothing of us. */
async function countBroken(units: readonly Uint8Array[]): Promise<number> {
  const args = ['-v', 'error', '-f', 'h264', '-i', 'pipe:0', '-f', 'null', '-'];
  const child = spawn('ffmpeg', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let faults = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    faults += text;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(Buffer.concat(units.map(annexB)));
  await once(child, 'close');
  return faults.split('\n').filter((line) => line !== '').length;
}

/** Start codes in the place of four-byte lengths. */
function annexB(unit: Uint8Array): Uint8Array {
  const bytes = Buffer.from(unit);
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    bytes.writeUInt32BE(1, at);
    at += 4 + length;
  }
  return bytes;
}
