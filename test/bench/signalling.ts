/**
 * `npm run bench -- signalling [seconds]`: signalling alone in a process, this process its peers:
 * 2,000 players that sit there, 50 streamers, and each second 50 of the players that subscribe, talk
 * as Epic's frontend and a streamer do (offer, answer, nine candidates each way) and leave. What a
 * relayed message takes, from send to arrival and so with both processes' loops, and what a socket
 * costs.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { pause } from '../../infra/kernel/lifecycle.ts';
import { quantile } from './crowd.ts';
import { cpuSecondsOf } from './cpu.ts';
import type { SignallingSays } from './signallingProcess.ts';

const PLAYERS = 2000;
const STREAMERS = 50;
const SUBSCRIBES_PER_S = 50;
const DEFAULT_S = 20;
/** How long a player stays: half a turn of the streamers, so that no seat is taken twice. */
const STAY_MS = 500;
/** As seen from Epic's streamers and frontend (pixel-streaming.md section 1.3). */
const CANDIDATES = 9;
const OFFER_BYTES = 6000;
const ANSWER_BYTES = 3000;
/** Handshakes at once while the crowd comes in. */
const AT_ONCE = 100;
const LIMIT_MS = 10;

type Tally = { readonly tookMs: number[]; subscribed: number; answered: number };

/** Prints the table. */
export async function benchSignalling([seconds]: readonly string[]): Promise<void> {
  const durationS = Number(seconds ?? DEFAULT_S);
  const child = fork(join(import.meta.dirname, 'signallingProcess.ts'), {
    execArgv: ['--expose-gc', '--no-warnings'],
  });
  try {
    const up = await nextWord(child, 'up');
    const tally: Tally = { tookMs: [], subscribed: 0, answered: 0 };
    await Promise.all(
      Array.from({ length: STREAMERS }, (_, index) =>
        openStreamer(`ws://127.0.0.1:${up.streamersPort}`, `bench-${index}`, tally),
      ),
    );
    const empty = await holds(child);
    const players = await openPlayers(`ws://127.0.0.1:${up.playersPort}/`, tally);
    const full = await holds(child);
    const pid = child.pid ?? 0;
    const cpuBefore = await cpuSecondsOf(pid);
    await subscribeAll(players, durationS, tally);
    const cpuS = (await cpuSecondsOf(pid)) - cpuBefore;
    const after = await holds(child);
    report({ tally, durationS, cpuS, empty, full, after });
  } finally {
    child.kill('SIGKILL');
  }
}

type Holds = Extract<SignallingSays, { kind: 'holds' }>;

function report(seen: {
  readonly tally: Tally;
  readonly durationS: number;
  readonly cpuS: number;
  readonly empty: Holds;
  readonly full: Holds;
  readonly after: Holds;
}): void {
  const { tally, durationS, cpuS, empty, full, after } = seen;
  const perSocket = (what: 'heapBytes' | 'residentBytes'): string =>
    `${((full[what] - empty[what]) / 1024 / (full.players - empty.players)).toFixed(1)} KiB`;
  const ms = (share: number): string => `${quantile(tally.tookMs, share).toFixed(2)} ms`;
  const p95 = quantile(tally.tookMs, 0.95);
  console.log(
    [
      '',
      `${full.players} players, ${STREAMERS} streamers, ${(tally.subscribed / durationS).toFixed(1)} subscribes/s for ${durationS} s`,
      `relayed        ${tally.tookMs.length} messages (${(tally.tookMs.length / durationS).toFixed(0)}/s), ${tally.answered} of ${tally.subscribed} answered`,
      `p50, p95, p99  ${ms(0.5)}, ${ms(0.95)}, ${ms(0.99)}; longest ${ms(1)}`,
      `memory         ${perSocket('heapBytes')} of heap, ${perSocket('residentBytes')} resident for each socket; heap ${mib(full.heapBytes)}, after the load ${mib(after.heapBytes)}`,
      `CPU            ${((cpuS / durationS) * 100).toFixed(1)} % of a core; load of this machine ${loadavg()[0]?.toFixed(1) ?? ''}`,
      `p95 at most ${LIMIT_MS} ms: ${p95 <= LIMIT_MS ? 'yes' : 'NO'}`,
      '',
    ].join('\n'),
  );
  if (p95 > LIMIT_MS || tally.answered < tally.subscribed) {
    process.exitCode = 1;
  }
}

const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/** Players one after the other take the seats of streamers one after the other, and leave. */
async function subscribeAll(
  players: readonly WebSocket[],
  durationS: number,
  tally: Tally,
): Promise<void> {
  const total = durationS * SUBSCRIBES_PER_S;
  const startedMs = performance.now();
  for (let turn = 0; turn < total; turn += 1) {
    await pause(Math.max(0, startedMs + (turn * 1000) / SUBSCRIBES_PER_S - performance.now()));
    const player = players[turn % players.length];
    tally.subscribed += 1;
    player?.send(JSON.stringify({ type: 'subscribe', streamerId: `bench-${turn % STREAMERS}` }));
    setTimeout(() => player?.send('{"type":"unsubscribe"}'), STAY_MS);
  }
  await pause(2 * STAY_MS);
}

/** Answers each player as a streamer does. */
async function openStreamer(url: string, id: string, tally: Tally): Promise<void> {
  await open(url, 'endpointIdConfirm', (message, streamer) => {
    note(message, tally);
    if (message.type === 'identify') {
      streamer.send(JSON.stringify({ type: 'endpointId', id }));
    } else if (message.type === 'playerConnected') {
      const { playerId } = message;
      say(streamer, { type: 'offer', playerId, sdp: sdpOf(OFFER_BYTES) });
      sayCandidates(streamer, { playerId });
    } else if (message.type === 'answer') {
      tally.answered += 1;
    }
  });
}

/** Players answer each offer that comes. */
async function openPlayers(url: string, tally: Tally): Promise<WebSocket[]> {
  const players: WebSocket[] = [];
  while (players.length < PLAYERS) {
    const opened = Array.from({ length: AT_ONCE }, () =>
      open(url, 'config', (message, player) => {
        note(message, tally);
        if (message.type === 'offer') {
          say(player, { type: 'answer', sdp: sdpOf(ANSWER_BYTES) });
          sayCandidates(player, {});
        }
      }),
    );
    players.push(...(await Promise.all(opened)));
  }
  return players;
}

/** What of a message this bench reads. */
type Message = {
  readonly type: string;
  readonly playerId?: string;
  /** When it was sent, by this process's clock: extra fields are relayed untouched. */
  readonly sentMs?: number;
};

function note({ sentMs }: Message, tally: Tally): void {
  if (sentMs !== undefined) {
    tally.tookMs.push(performance.now() - sentMs);
  }
}

function say(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify({ ...message, sentMs: performance.now() }));
}

function sdpOf(bytes: number): string {
  const line = 'a=rtcp-fb:96 transport-cc\r\n';
  return `v=0\r\n${line.repeat(bytes / line.length)}`;
}

function sayCandidates(socket: WebSocket, to: object): void {
  for (let index = 0; index < CANDIDATES; index += 1) {
    const candidate = {
      candidate: `candidate:${index} 1 udp 2122260223 192.0.2.${index} 50000 typ host`,
      sdpMid: '0',
      sdpMLineIndex: 0,
    };
    say(socket, { type: 'iceCandidate', ...to, candidate });
  }
}

/** Resolves with the first message of type `ready`. */
function open(
  url: string,
  ready: string,
  onMessage: (message: Message, socket: WebSocket) => void,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once('error', reject);
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      onMessage(message, socket);
      if (message.type === ready) {
        resolve(socket);
      }
    });
  });
}

async function holds(child: ChildProcess): Promise<Holds> {
  const answer = nextWord(child, 'holds');
  child.send('holds?');
  return answer;
}

function nextWord<K extends SignallingSays['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<SignallingSays, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error('signalling has ended'));
    const listen = (word: SignallingSays): void => {
      if (word.kind === kind) {
        child.off('message', listen).off('exit', onExit);
        resolve(word as Extract<SignallingSays, { kind: K }>);
      }
    };
    child.on('message', listen).once('exit', onExit);
  });
}
