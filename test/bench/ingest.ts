/**
 * `npm run bench -- ingest [Mbps ...]`: what receiving costs, from the socket to the feed. A sender
 * of random H.264 in a process of its own, the ingest role in another, its feed read in this one.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { pause } from '../../infra/kernel/lifecycle.ts';
import { until } from '../support/until.ts';
import { cpuSecondsOf } from './cpu.ts';
import type { IngestSays } from './ingestProcess.ts';
import { BENCH_TOKEN } from './replay.ts';

const WARM_UP_MS = 4000;
const MEASURE_MS = 10_000;

/** Prints a row for each bit rate (2, 10 and 20 Mbit/s). */
export async function benchIngest(args: readonly string[]): Promise<void> {
  const rates = args.length === 0 ? [2, 10, 20] : args.map(Number);
  console.log('\nsent Mbps  received Mbps  frames/s  damaged  % of a core  % per Mbps');
  for (const rate of rates) {
    await measure(rate);
  }
}

async function measure(rateMbps: number): Promise<void> {
  const ingest = fork(new URL('./ingestProcess.ts', import.meta.url));
  const statuses: Extract<IngestSays, { kind: 'status' }>[] = [];
  const up = Promise.withResolvers<Extract<IngestSays, { kind: 'up' }>>();
  ingest.on('message', (message: IngestSays) => {
    if (message.kind === 'up') {
      up.resolve(message);
    } else {
      statuses.push(message);
    }
  });
  let sender: ChildProcess | undefined;
  try {
    const { streamerUrl, feedUrl } = await up.promise;
    sender = fork(new URL('../support/syntheticStreamer.ts', import.meta.url), [
      streamerUrl,
      String(rateMbps * 1e6),
    ]);
    await until('pictures', 20_000, () => (statuses.at(-1)?.framesIn ?? 0) > 0);
    const readBytes = await until('the feed', 10_000, () => readFeed(feedUrl));
    await pause(WARM_UP_MS);
    const before = { ...statuses.at(-1), cpuS: await cpuSecondsOf(ingest.pid ?? 0) };
    const startBytes = readBytes();
    const startMs = performance.now();
    await pause(MEASURE_MS);
    const seconds = (performance.now() - startMs) / 1000;
    const percent = (((await cpuSecondsOf(ingest.pid ?? 0)) - before.cpuS) / seconds) * 100;
    const after = statuses.at(-1);
    const mbps = ((readBytes() - startBytes) * 8) / seconds / 1e6;
    const columns = [
      rateMbps.toFixed(0).padStart(9),
      mbps.toFixed(2).padStart(14),
      (((after?.framesIn ?? 0) - (before.framesIn ?? 0)) / seconds).toFixed(1).padStart(8),
      String((after?.framesDamaged ?? 0) - (before.framesDamaged ?? 0)).padStart(7),
      percent.toFixed(1).padStart(11),
      (percent / mbps).toFixed(2).padStart(10),
    ];
    console.log(columns.join('  '));
  } finally {
    sender?.kill();
    ingest.kill();
  }
}

/** Reads the feed as a worker does; how many bytes came so far. Undefined while there is none. */
async function readFeed(url: string): Promise<(() => number) | undefined> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${BENCH_TOKEN}` } });
  if (!response.ok || response.body === null) {
    return undefined;
  }
  let bytes = 0;
  const sink = new WritableStream<Uint8Array>({
    write(chunk) {
      bytes += chunk.length;
    },
  });
  response.body.pipeTo(sink).catch(() => undefined); // until the process is killed
  return () => bytes;
}
