/** `grandstand cluster`: a small cluster of separate processes here, and who does what in it. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createLogger } from '../../kernel/logger.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import type { LogRecord } from '../cluster/doing.ts';
import type { Member } from '../cluster/member.ts';
import { clusterLadder, clusterSource } from '../cluster/plan.ts';
import { onStopSignals } from './stopSignals.ts';

/** A change is shown with what follows it at once. */
const SETTLE_MS = 300;
const WARN_LEVEL = 40;

/** Runs until a signal; resolves when everything is closed. */
export async function runCluster(options: {
  readonly dataDir: string;
  readonly http: number;
  readonly streamers: number;
  readonly workers: number;
  readonly origins: number;
  readonly redundancy: 1 | 2;
  readonly source: Parameters<typeof clusterSource>[0];
  readonly rungs: number;
  readonly json: boolean;
}): Promise<void> {
  const source = clusterSource(options.source);
  const directory = resolve(options.dataDir);
  // What an earlier cluster said of itself belongs to other ports and another Redis.
  await rm(join(directory, 'logs'), { recursive: true, force: true });
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const stopListening = onStopSignals(end);
  const board = new Board(options.json);
  const starting = startCluster(
    {
      ...{ directory, source, workers: options.workers, origins: options.origins, isKept: true },
      ...{ httpPort: options.http, streamersPort: options.streamers },
      redundancy: options.redundancy,
      ladder: clusterLadder(source, options.rungs),
      onChange: (member, event) => {
        board.heard(member, event);
      },
    },
    createLogger({ level: 'warn', format: options.json ? 'json' : 'pretty' }),
  );
  const first = await Promise.race([starting, ended]);
  const cluster = await starting;
  if (typeof first !== 'string') {
    board.opened(cluster, directory);
    await ended;
  }
  board.close();
  await cluster.close('stopped');
  stopListening();
  process.exit(0);
}

/** Prints the table anew when what a process works on has changed, and what goes wrong at once. */
class Board {
  readonly #isJson: boolean;
  #cluster: Cluster | undefined;
  #timer: NodeJS.Timeout | undefined;
  #last = '';

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  opened(cluster: Cluster, directory: string): void {
    this.#cluster = cluster;
    if (!this.#isJson) {
      console.log(intro(cluster, directory));
    }
    this.#show();
  }

  heard(member: Member, event: string | LogRecord): void {
    if (typeof event === 'string') {
      this.#say(member.plan.name, event);
    } else if (event.level >= WARN_LEVEL) {
      this.#say(member.plan.name, event.msg);
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#show();
    }, SETTLE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#cluster = undefined;
  }

  #say(name: string, text: string): void {
    if (this.#cluster !== undefined && !this.#isJson) {
      console.log(`  ${new Date().toISOString().slice(11, 23)}  ${name}: ${text}`);
    }
  }

  #show(): void {
    if (this.#cluster === undefined) {
      return;
    }
    const rows = this.#cluster.members.map(rowOf);
    const text = this.#isJson ? JSON.stringify(rows) : table(rows);
    if (text !== this.#last) {
      this.#last = text;
      console.log(text);
    }
  }
}

type Row = ReturnType<typeof rowOf>;

function rowOf({ plan, pid, isUp, doing }: Member) {
  return {
    ...{ name: plan.name, role: plan.role, url: plan.url, internalUrl: plan.internalUrl },
    pid: pid ?? null,
    state: pid === undefined ? 'gone' : isUp ? 'up' : 'starting',
    doing: [...doing.values()],
  };
}

function table(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ name, pid, state, url, doing }) =>
    [doing[0] ?? '-', ...doing.slice(1)].map((work, index) =>
      index === 0
        ? `  ${name.padEnd(13)} ${String(pid ?? '-').padStart(7)}  ${state.padEnd(8)}  ${url.padEnd(22)}  ${work}`
        : `  ${''.padEnd(56)}${work}`,
    ),
  );
  return [
    '',
    `  ${'process'.padEnd(13)}     pid  state     public listener         works on`,
    ...lines,
    '',
  ].join('\n');
}

function intro(cluster: Cluster, directory: string): string {
  const rows = [
    [
      'watch',
      `${cluster.front.url}/watch/${cluster.broadcast}  (the front: media come from an origin that lives)`,
    ],
    ...cluster.of('origin').flatMap(({ plan }) => [
      [plan.name, `${plan.url}/live/${cluster.broadcast}/main.m3u8`],
      ['', `${plan.url}/live/${cluster.broadcast}/manifest.mpd`],
    ]),
    ['present', `${cluster.front.url}/present/${cluster.broadcast}`],
    ['API', `${cluster.front.url}/api`],
    ['streamers', cluster.streamerUrl],
    ['Redis', `127.0.0.1:${new URL(cluster.redis.url).port}, process ${cluster.redis.pid ?? '-'}`],
    ['logs', join(directory, 'logs')],
  ];
  return [
    '',
    '  Grandstand as a cluster on this machine',
    '',
    ...rows.map(([name = '', text = '']) => `  ${name.padEnd(9)}  ${text}`),
    '',
    '  Kill any of them (kill -9 PID): it is started again. Ctrl-C stops all.',
  ].join('\n');
}
