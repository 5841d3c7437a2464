/**
 * `npm run bench -- pipeline [seconds]`: CPU of ingest, worker and origin per stream second, and
 * ffmpeg's against the same ladder run by plain ffmpeg into null, all in one run.
 *
 * The gateway runs with V8's sampling profiler; each sample counts for the nearest caller that is
 * ours. The whole process and ffmpeg are read from /proc, so the split can be checked against it.
 */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { ffmpegArguments } from '../../packager/worker/arguments.ts';
import { probeEncoders, workerConfigSchema } from '../../packager/worker/index.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { gridSchema } from '../../infra/kernel/grid.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { startGatewayProcess } from '../support/gatewayProcess.ts';
import { cpuSecondsOf } from './cpu.ts';
import { secondsByFolder } from './profile.ts';

const run = promisify(execFile);
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
 * Runs the demo at 5 Mbps through the gateway for `seconds` (30) and prints the table: totals from
 * a run without the profiler, the split from a second one with it.
 */
export async function benchPipeline([secondsText = '30']: readonly string[]): Promise<void> {
  const seconds = Number(secondsText);
  const directory = await mkdtemp(join(tmpdir(), 'gs-bench-'));
  const feedFile = join(directory, 'feed.mkv');
  try {
    const totals = await measure(seconds, feedFile, {});
    const feedBytes = (await readFile(feedFile)).length;
    const plain = await plainLadder(feedFile);
    const profiled = await measure(seconds, feedFile, {
      NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory} --cpu-prof-interval=500`,
    });
    const shares = await profileShares(directory, profiled);
    const mbps = (feedBytes * 8) / 1e6 / totals.wallS;
    print({ ...totals, mbps, plain, shares });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Measured = {
  readonly pid: number;
  readonly wallS: number;
  readonly node: number;
  readonly ffmpeg: number;
  /** From the end of the measurement to the end of the process. */
  readonly tailS: number;
};

async function measure(
  seconds: number,
  feedFile: string,
  environment: Readonly<Record<string, string>>,
): Promise<Measured> {
  const gateway = await startGatewayProcess({ isDemo: true, environment });
  try {
    await gateway.untilLive('demo', 60_000);
    const below = await gateway.descendants();
    const ffmpegPid =
      below.find(({ command }) => /ffmpeg.*frag_every_frame/.test(command))?.pid ?? 0;
    const pids = [gateway.process.pid ?? 0, ffmpegPid];
    const before = await Promise.all(pids.map(cpuSecondsOf));
    const startedMs = performance.now();
    await record(gateway.internalUrl, gateway.internalToken, feedFile, seconds);
    const endedMs = performance.now();
    const after = await Promise.all(pids.map(cpuSecondsOf));
    await gateway.stop();
    const wallS = (endedMs - startedMs) / 1000;
    const [node = 0, ffmpeg = 0] = after.map(
      (value, index) => (value - (before[index] ?? 0)) / wallS,
    );
    return {
      pid: gateway.process.pid ?? 0,
      wallS,
      node,
      ffmpeg,
      tailS: (performance.now() - endedMs) / 1000,
    };
  } finally {
    await gateway.stop('SIGKILL');
  }
}

async function record(
  internalUrl: string,
  token: string,
  file: string,
  seconds: number,
): Promise<void> {
  const stop = AbortSignal.timeout(seconds * 1000);
  const response = await fetch(`${internalUrl}/feed/demo`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: stop,
  });
  if (response.body === null || !response.ok) {
    throw new Error(`the feed answers ${response.status}`);
  }
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file)).catch(
    (error: unknown) => {
      if (!stop.aborted) {
        throw error;
      }
    },
  );
}

/** The worker's own filter graph and encoder arguments, on the recorded feed, into null. */
async function plainLadder(feedFile: string): Promise<number> {
  const config = workerConfigSchema.parse({});
  const { offers } = await probeEncoders(config, DEFAULT_LADDER, silentLogger);
  const [{ encoder }] = offers;
  const { stdout } = await run(
    'ffprobe',
    [
      '-v',
      'error',
      '-select_streams',
      'v',
      '-show_entries',
      'packet=pts_time',
      '-of',
      'csv=p=0',
      feedFile,
    ],
    { maxBuffer: 1 << 26 },
  );
  const times = stdout
    .split('\n')
    .map((line) => Number.parseFloat(line))
    .filter(Number.isFinite);
  const firstMs = Math.ceil(((times[0] ?? 0) * 1000) / 2000) * 2000;
  const durationS = (times.at(-1) ?? 0) - firstMs / 1000;
  const start = { t0Ms: firstMs, audioTicks: ticks(Math.ceil((firstMs * 48) / 1024) * 1024) };
  const plain = ffmpegArguments({
    encoder,
    ladder: DEFAULT_LADDER,
    grid: gridSchema.parse({}),
    start: start as Parameters<typeof ffmpegArguments>[0]['start'],
    targetOf: () => '-',
  });
  const outputs = plain.outputs.flatMap(({ options }) => {
    const format = options.lastIndexOf('-f');
    return [...options.slice(0, format), '-f', 'null', '-'];
  });
  const { stderr } = await run(
    'ffmpeg',
    [
      '-benchmark',
      '-hide_banner',
      '-nostdin',
      '-copyts',
      '-threads',
      '1',
      '-filter_complex_threads',
      '1',
      '-i',
      feedFile,
      '-filter_complex',
      plain.filter,
      ...outputs,
    ],
    { maxBuffer: 1 << 26 },
  );
  const match = /utime=([\d.]+)s stime=([\d.]+)s/.exec(stderr);
  return (Number(match?.[1]) + Number(match?.[2])) / durationS;
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

function print(result: {
  wallS: number;
  mbps: number;
  node: number;
  ffmpeg: number;
  plain: number;
  shares: Map<string, number>;
}): void {
  const { wallS, mbps, node, ffmpeg, plain, shares } = result;
  const total = [...shares.values()].reduce((a, b) => a + b, 0);
  console.log(`\npipeline: ${wallS.toFixed(1)} s of the demo at ${mbps.toFixed(2)} Mbps in\n`);
  console.log(`Node, all roles          ${node.toFixed(3)} core   (aim <= 0.200)`);
  for (const [folder, seconds] of [...shares].sort((a, b) => b[1] - a[1])) {
    console.log(
      `  ${folder.padEnd(22)} ${((seconds / total) * node).toFixed(3)} core   ${((seconds / total) * 100).toFixed(0)} % of samples`,
    );
  }
  console.log(`ffmpeg in the gateway    ${ffmpeg.toFixed(3)} core`);
  console.log(`plain ffmpeg, same ladder ${plain.toFixed(3)} core`);
  console.log(`ratio                    ${(ffmpeg / plain).toFixed(2)}         (aim <= 1.15)`);
}
