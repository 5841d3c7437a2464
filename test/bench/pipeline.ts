/**
 * `npm run bench -- pipeline [seconds]`: CPU of ingest, worker and origin per stream second, and
 * ffmpeg's against the same ladder run by plain ffmpeg into null, from the same feed at the same time;
 * delay from feed to publish as the worker reports it; bit rates of the rungs.
 *
 * The gateway runs with V8's sampling profiler; each sample counts for the nearest caller that is
 * ours. The whole process and ffmpeg are read from /proc, so the split can be checked against it.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { workersSchema } from '../../infra/gateway/http/api/schemas.ts';
import { startChild } from '../../infra/kernel/childProcess.ts';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER, FEED_NEWEST_HEADER } from '../../infra/kernel/wire.ts';
import { ffmpegArguments } from '../../packager/worker/arguments.ts';
import { probeEncoders, workerConfigSchema } from '../../packager/worker/index.ts';
import { startPoint } from '../../packager/worker/startPoint.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { cpuSecondsOf } from './cpu.ts';
import { secondsByFolder } from './profile.ts';
import { announcedBps, type RungFigures, rungFigures } from './rungs.ts';

const FOLDERS = [
  'ingest',
  'packager/worker',
  'packager/origin',
  'packager/playlists',
  'packager/cmaf',
  'signalling',
  'infra',
];

/**
 * Runs the demo at 5 Mbps through the gateway for `seconds` (60) and prints the table: totals from
 * a run without the profiler, the split from a second one with it.
 */
export async function benchPipeline([secondsText = '60']: readonly string[]): Promise<void> {
  const seconds = Number(secondsText);
  const directory = await mkdtemp(join(tmpdir(), 'gs-bench-'));
  try {
    const totals = await measure(seconds, {});
    const profiled = await measure(Math.min(30, seconds), {
      NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory} --cpu-prof-interval=500`,
    });
    const shares = await profileShares(directory, profiled);
    print(totals, shares);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Measured = {
  readonly pid: number;
  readonly wallS: number;
  readonly mbps: number;
  readonly node: number;
  readonly ffmpeg: number;
  readonly plain: number;
  readonly delays: Readonly<Record<'video' | 'audio', readonly number[]>>;
  readonly rungs: readonly RungFigures[];
  readonly announced: readonly ReadonlyMap<string, number>[];
  /** From the end of the measurement to the end of the process. */
  readonly tailS: number;
};

async function measure(
  seconds: number,
  environment: Readonly<Record<string, string>>,
): Promise<Measured> {
  const gateway = await startGatewayProcess({ isDemo: true, environment });
  try {
    await gateway.untilLive('demo', 60_000);
    const firstAnnounced = await announcedBps(gateway.url, 'demo');
    const plain = await startPlainLadder(gateway);
    try {
      return await measureLive(gateway, plain, seconds, firstAnnounced);
    } finally {
      plain.stop();
    }
  } finally {
    await gateway.stop('SIGKILL');
  }
}

async function measureLive(
  gateway: GatewayProcess,
  plain: PlainLadder,
  seconds: number,
  firstAnnounced: ReadonlyMap<string, number>,
): Promise<Measured> {
  const ffmpegPid =
    (await gateway.descendants()).find(({ command }) => /ffmpeg.*frag_every_frame/.test(command))
      ?.pid ?? 0;
  const pids = [gateway.process.pid ?? 0, ffmpegPid, plain.pid];
  await plain.started;
  const [firstMsn, firstBytes] = [await lastMsn(gateway), plain.bytes()];
  const before = await Promise.all(pids.map(cpuSecondsOf));
  const startedMs = performance.now();
  const delays = await sampleDelays(gateway, seconds);
  const endedMs = performance.now();
  const after = await Promise.all(pids.map(cpuSecondsOf));
  const wallS = (endedMs - startedMs) / 1000;
  const mbps = ((plain.bytes() - firstBytes) * 8) / 1e6 / wallS;
  const lastOfThem = await lastMsn(gateway);
  const rungs = await rungFigures(gateway.url, 'demo', firstMsn + 1, lastOfThem);
  const announced = [firstAnnounced, await announcedBps(gateway.url, 'demo')];
  await gateway.stop();
  const [node = 0, ffmpeg = 0, plainCpu = 0] = after.map(
    (value, index) => (value - (before[index] ?? 0)) / wallS,
  );
  return {
    ...{ pid: pids[0] ?? 0, wallS, mbps, node, ffmpeg, plain: plainCpu, delays, rungs, announced },
    tailS: (performance.now() - endedMs) / 1000,
  };
}

async function lastMsn(gateway: GatewayProcess): Promise<number> {
  return (await gateway.broadcast('demo')).health.lastMsn ?? 0;
}

/** The medians that the worker reports each second. */
async function sampleDelays(
  gateway: GatewayProcess,
  seconds: number,
): Promise<{ video: number[]; audio: number[] }> {
  const delays: { video: number[]; audio: number[] } = { video: [], audio: [] };
  const untilMs = performance.now() + seconds * 1000;
  while (performance.now() < untilMs) {
    await setTimeout(1000);
    const response = await fetch(`${gateway.url}/api/v1/workers`);
    const { workers } = workersSchema.parse(await response.json());
    for (const { status } of workers.flatMap(({ jobs }) => jobs)) {
      delays.video.push(...(status?.videoDelayMs === undefined ? [] : [status.videoDelayMs]));
      delays.audio.push(...(status?.audioDelayMs === undefined ? [] : [status.audioDelayMs]));
    }
  }
  return delays;
}

type PlainLadder = {
  readonly pid: number;
  /** Resolves when its first second is encoded. */
  readonly started: Promise<unknown>;
  /** Of the feed so far. */
  bytes(): number;
  stop(): void;
};

/** The worker's own command line on the same live feed at the same time, but into null. */
async function startPlainLadder(gateway: GatewayProcess): Promise<PlainLadder> {
  const { offers } = await probeEncoders(
    workerConfigSchema.parse({}),
    DEFAULT_LADDER,
    silentLogger,
  );
  const stop = new AbortController();
  const response = await fetch(`${gateway.internalUrl}/feed/demo`, {
    headers: { Authorization: `Bearer ${gateway.internalToken}` },
    signal: stop.signal,
  });
  if (response.body === null || !response.ok) {
    throw new Error(`the feed answers ${response.status}`);
  }
  const grid = gridSchema.parse({});
  const newestMs = unixMs(Number(response.headers.get(FEED_NEWEST_HEADER)));
  const { input, filter, outputs } = ffmpegArguments({
    ...{ encoder: offers[0].encoder, ladder: DEFAULT_LADDER, grid },
    start: startPoint(newestMs, grid, { leadMs: 700 }),
    targetOf: () => '-',
  });
  const child = startChild(
    'ffmpeg',
    [
      ...[...input, '-i', 'pipe:0', '-filter_complex', filter],
      ...outputs.flatMap(({ options }) => [
        ...options.slice(0, options.indexOf('-map_metadata')),
        ...['-f', 'null', '-'],
      ]),
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  const { stdin } = child.process;
  if (stdin === null) {
    throw new Error('ffmpeg has no stdin');
  }
  let bytes = 0;
  const counted = Readable.fromWeb(response.body).on('data', (slice: Buffer) => {
    bytes += slice.length;
  });
  const done = pipeline(counted, stdin).catch(() => undefined);
  return {
    pid: child.process.pid ?? 0,
    started: setTimeout(4000),
    bytes: () => bytes,
    stop() {
      stop.abort();
      void done.then(() => child.close('measured'));
    },
  };
}

/** Profiles are named `CPU.{date}.{time}.{pid}.{thread}.{n}`; the demo writes one too. */
async function profileShares(directory: string, measured: Measured): Promise<Map<string, number>> {
  const sum = new Map<string, number>();
  for (const file of await readdir(directory)) {
    const match = /^CPU\.\d+\.\d+\.(\d+)\.(\d+)\.\d+\.cpuprofile$/.exec(file);
    if (Number(match?.[1]) !== measured.pid) {
      continue;
    }
    const profile: unknown = JSON.parse(await readFile(join(directory, file), 'utf8'));
    const isMain = match?.[2] === '0';
    for (const [folder, seconds] of secondsByFolder(profile, FOLDERS, measured)) {
      const name = isMain ? folder : 'ingest, peer thread';
      sum.set(name, (sum.get(name) ?? 0) + seconds);
    }
  }
  return sum;
}

function print(totals: Measured, shares: ReadonlyMap<string, number>): void {
  const { wallS, mbps, node, ffmpeg, plain, delays, rungs, announced } = totals;
  const total = [...shares.values()].reduce((a, b) => a + b, 0);
  console.log(`\npipeline: ${wallS.toFixed(1)} s of the demo at ${mbps.toFixed(2)} Mbps in`);
  console.log(
    `load average ${loadavg()[0]?.toFixed(1) ?? '?'} on ${availableParallelism()} cores\n`,
  );
  console.log(`Node, all roles          ${node.toFixed(3)} core   (aim <= 0.200)`);
  for (const [folder, seconds] of [...shares].sort((a, b) => b[1] - a[1])) {
    console.log(
      `  ${folder.padEnd(22)} ${((seconds / total) * node).toFixed(3)} core   ${((seconds / total) * 100).toFixed(0)} % of samples`,
    );
  }
  console.log(`ffmpeg in the gateway    ${ffmpeg.toFixed(3)} core`);
  console.log(`plain ffmpeg, same feed, at the same time, into null ${plain.toFixed(3)} core`);
  console.log(`ratio                    ${(ffmpeg / plain).toFixed(2)}         (aim <= 1.10)`);
  for (const [kind, aim] of [
    ['video', 115],
    ['audio', 140],
  ] as const) {
    const sorted = delays[kind].toSorted((a, b) => a - b);
    const at = (share: number): number | undefined => sorted[Math.floor(share * sorted.length)];
    console.log(
      `feed to publish, ${kind}   p50 ${at(0.5) ?? '?'} ms, worst second ${sorted.at(-1) ?? '?'} ms   (aim <= ${aim})`,
    );
  }
  for (const { name, askedBps, meanBps, peakBps } of rungs) {
    const [first, last] = announced.map((map) => map.get(name) ?? 0) as [number, number];
    console.log(
      `${name.padEnd(6)} mean ${((meanBps / askedBps - 1) * 100).toFixed(1).padStart(5)} % of ${askedBps / 1000} kbit/s (aim +-10)` +
        `, peak ${Math.round(peakBps / 1000)} of BANDWIDTH ${Math.round(first / 1000)} at first, ${Math.round(last / 1000)} at last`,
    );
  }
}
