/**
 * `npm run bench -- origin [part]...`: an origin alone in a process, fed with replayed segments. Side by side
 * with nginx serving the same bytes from tmpfs: requests per second and CPU per request under wrk.
 * Then what a crowd sees: a thousand held playlist requests, a thousand readers of one growing
 * segment, ten thousand waiters that leave.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { getBytes, getPlaylist } from '../support/delivery.ts';
import { until } from '../support/until.ts';
import { ask, get, openSockets, quantile } from './crowd.ts';
import type { OriginSays } from './originProcess.ts';
import { BENCH_BROADCAST, recordTracks, type Replay, replay } from './replay.ts';
import { type Load, load, missingTools, startNginx } from './sideBySide.ts';

const CROWD = 1000;
const ROUNDS = 10;
/** Taken in turns, and the median of them: on a shared machine one run says little. */
const WRK_ROUNDS = 5;
const WRK_S = 3;
const { segmentMs, chunkMs, partMs } = BENCH_BROADCAST.grid;
const MEDIA = '/live/bench/v480';

type Target = {
  readonly child: ChildProcess;
  readonly port: number;
  readonly internalPort: number;
};

const PARTS: Readonly<Record<string, (target: Target, feed: Replay) => Promise<void>>> = {
  wrk: benchWrk,
  held: benchHeldPlaylists,
  growing: benchGrowingSegment,
  aborts: benchAborts,
};

/** Prints the tables of the named parts, or of all: `wrk`, `held`, `growing`, `aborts`. */
export async function benchOrigin(parts: readonly string[]): Promise<void> {
  const missing = await missingTools();
  if (missing.length > 0) {
    console.error(
      `${missing.join(' and ')} missing; this bench needs them: sudo apt-get install nginx-light wrk`,
    );
    process.exitCode = 2;
    return;
  }
  const recordings = await recordTracks();
  const target = await startOrigin();
  const feed = replay(target.internalPort, recordings);
  try {
    await until('the window is full', 40_000, async () => {
      return (await playlist(target)).segments.length >= 8;
    });
    for (const [name, part] of Object.entries(PARTS)) {
      if (parts.length === 0 || parts.includes(name)) {
        await part(target, feed);
      }
    }
  } finally {
    feed.stop();
    target.child.kill('SIGKILL');
  }
}

async function benchWrk(target: Target): Promise<void> {
  const base = `http://127.0.0.1:${target.port}${MEDIA}`;
  const { segments } = await playlist(target);
  const msn = segments.at(-1)?.msn ?? 0;
  const files = {
    'media.m3u8': {
      bytes: await getBytes(`${base}/media.m3u8`),
      type: 'application/vnd.apple.mpegurl',
    },
    'segment.m4s': { bytes: await getBytes(`${base}/${msn}.m4s`), type: 'video/mp4' },
  };
  const port = await freePort();
  const nginx = await startNginx(port, files);
  const rows: string[][] = [];
  try {
    for (const [what, file, path] of [
      ['playlist', 'media.m3u8', 'media.m3u8'],
      ['segment', 'segment.m4s', `${msn}.m4s`],
    ] as const) {
      const rounds: { theirs: Load; ours: Load }[] = [];
      for (let round = 0; round < WRK_ROUNDS; round += 1) {
        const theirs = await load(`http://127.0.0.1:${port}/${file}`, nginx.pid, WRK_S);
        const ours = await load(`${base}/${path}`, target.child.pid ?? 0, WRK_S);
        rounds.push({ theirs, ours });
      }
      const median = (of: (round: { theirs: Load; ours: Load }) => number): number =>
        quantile(rounds.map(of), 0.5);
      const ratios = rounds.map(({ theirs, ours }) => ours.perSecond / theirs.perSecond);
      rows.push([
        `${what}, ${files[file].bytes.length} bytes`,
        median(({ ours }) => ours.perSecond).toFixed(0),
        median(({ theirs }) => theirs.perSecond).toFixed(0),
        `${quantile(ratios, 0.5).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
        median(({ ours }) => ours.cpuUsPerRequest).toFixed(1),
        median(({ theirs }) => theirs.cpuUsPerRequest).toFixed(1),
      ]);
    }
  } finally {
    await nginx.close('done');
  }
  console.log(`\nwrk -t1 -c64 on one core each, median of ${WRK_ROUNDS} turns\n`);
  table(['', 'origin req/s', 'nginx req/s', 'ratio', 'origin CPU us', 'nginx CPU us'], rows);
}

/** CROWD requests held for one part: are the bodies one, how far apart do they arrive? */
async function benchHeldPlaylists(target: Target): Promise<void> {
  const spreads: number[] = [];
  let bodies = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const sockets = await openSockets(target.port, CROWD);
    // Two parts ahead: the answer comes in 0.5 to 1 s, when all are waiting.
    const partsNow = Math.floor(Date.now() / partMs) + 2;
    const msn = Math.floor((partsNow * partMs) / segmentMs);
    const part = partsNow % (segmentMs / partMs);
    const path = `${MEDIA}/media.m3u8?_HLS_msn=${msn}&_HLS_part=${part}`;
    const answers = await Promise.all(sockets.map((socket) => get(socket, path)));
    const arrived = answers.map(({ steps }) => steps.at(-1)?.atMs ?? 0);
    const first = Math.min(...arrived);
    spreads.push(...arrived.map((atMs) => atMs - first));
    bodies = Math.max(
      bodies,
      new Set(answers.map(({ status, body }) => `${status} ${body.toString()}`)).size,
    );
  }
  console.log(`\n${CROWD} playlist requests held for one part, ${ROUNDS} times\n`);
  table(
    ['different bodies at most', 'spread p50 ms', 'spread p95 ms', 'spread max ms'],
    [[String(bodies), ...[0.5, 0.95, 1].map((share) => quantile(spreads, share).toFixed(1))]],
  );
}

/** CROWD readers of the segment that is growing: from a chunk's sending to its arrival. */
async function benchGrowingSegment(target: Target, feed: Replay): Promise<void> {
  const sockets = await openSockets(target.port, CROWD);
  const msn = Math.floor(Date.now() / segmentMs) + 1;
  await until(
    'the segment grows',
    5000,
    () => feed.sentMs(msn * segmentMs + chunkMs) !== undefined,
  );
  const answers = await Promise.all(sockets.map((socket) => get(socket, `${MEDIA}/${msn}.m4s`)));
  const whole = answers[0]?.body ?? Buffer.alloc(0);
  const ends = chunkEnds(whole);
  const delays = answers.flatMap(({ steps }) =>
    // What was there before the reader came is no delay.
    ends.flatMap((end, index) => {
      const sent = feed.sentMs(msn * segmentMs + (index + 1) * chunkMs);
      const step = steps.find(({ bytes }) => bytes >= end);
      return sent === undefined || step === undefined || index < 8 ? [] : [step.atMs - sent];
    }),
  );
  const isSame = answers.every(({ status, body }) => status === 200 && body.equals(whole));
  console.log(`\n${CROWD} readers of one growing segment of ${whole.length} bytes\n`);
  table(
    ['complete and equal', 'chunks', 'delay p50 ms', 'delay p95 ms', 'delay max ms'],
    [
      [
        isSame ? 'yes' : 'NO',
        String(ends.length),
        ...[0.5, 0.95, 1].map((share) => quantile(delays, share).toFixed(1)),
      ],
    ],
  );
}

/** CROWD waiters, ROUNDS times, that leave without an answer. */
async function benchAborts(target: Target): Promise<void> {
  const before = await heap(target);
  const gone: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const sockets = await openSockets(target.port, CROWD);
    // The newest that may be asked for: it is complete in 2 to 4 s.
    const msn = Math.floor(Date.now() / segmentMs) + 1;
    for (const socket of sockets) {
      ask(socket, `${MEDIA}/media.m3u8?_HLS_msn=${msn}`);
    }
    await until('all wait', 5000, async () => (await heap(target)).held === CROWD);
    for (const socket of sockets) {
      socket.destroy();
    }
    const leftMs = performance.now();
    await until('nobody is waited for', 5000, async () => (await heap(target)).held === 0);
    gone.push(performance.now() - leftMs);
  }
  const after = await heap(target);
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(2);
  console.log(`\n${CROWD * ROUNDS} held requests aborted\n`);
  table(
    ['heap before MB', 'heap after MB', 'held after', 'forgotten within ms'],
    [[mb(before.heapBytes), mb(after.heapBytes), String(after.held), Math.max(...gone).toFixed(0)]],
  );
}

/** Where each chunk (`moof mdat`) ends. */
function chunkEnds(segment: Buffer): number[] {
  const ends: number[] = [];
  for (let offset = 0; offset + 8 <= segment.length;) {
    const isMedia = segment.toString('latin1', offset + 4, offset + 8) === 'mdat';
    offset += Math.max(8, segment.readUInt32BE(offset));
    if (isMedia) {
      ends.push(offset);
    }
  }
  return ends;
}

async function playlist(target: Target): ReturnType<typeof getPlaylist> {
  return getPlaylist(`http://127.0.0.1:${target.port}${MEDIA}/media.m3u8`);
}

async function startOrigin(): Promise<Target> {
  const child = fork(join(import.meta.dirname, 'originProcess.ts'), {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said = await message(child, 'up');
  return { child, port: said.publicPort, internalPort: said.internalPort };
}

async function heap({ child }: Target): Promise<Extract<OriginSays, { kind: 'heap' }>> {
  const answer = message(child, 'heap');
  child.send('heap');
  return answer;
}

async function message<K extends OriginSays['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<OriginSays, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => {
      reject(new Error(`the origin has ended with ${code}`));
    };
    child.once('exit', onExit);
    child.once('message', (said: OriginSays) => {
      child.off('exit', onExit);
      if (said.kind === kind) {
        resolve(said as Extract<OriginSays, { kind: K }>);
      }
    });
  });
}

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(
    [head, head.map(() => '--'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n'),
  );
}
