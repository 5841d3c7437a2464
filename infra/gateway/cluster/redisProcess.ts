/** The Redis of a cluster on this machine: on loopback, with a password, append-only. */
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startChild, type RunningChild } from '../../kernel/childProcess.ts';
import { GatewayError } from '../../kernel/errors.ts';
import { type Closeable, pause } from '../../kernel/lifecycle.ts';

const UP_MS = 5000;
const PROBE_MS = 50;

/** The running Redis. */
export type ClusterRedis = Closeable & {
  readonly url: string;
  readonly pid: number | undefined;
  /** Ends it as a crash would, its data stays. */
  kill(): Promise<void>;
  /** Runs it again; with `isEmpty` without what it held. */
  start(options?: { readonly isEmpty?: boolean }): Promise<void>;
};

/** Starts it. @param directory of its data, which exists */
export async function startClusterRedis(options: {
  readonly directory: string;
  readonly port: number;
  readonly password: string;
}): Promise<ClusterRedis> {
  const { directory, port, password } = options;
  let child: RunningChild | undefined;
  const redis: ClusterRedis = {
    url: `redis://:${password}@127.0.0.1:${port}`,
    get pid() {
      return child?.process.pid;
    },
    async kill() {
      child?.process.kill('SIGKILL');
      await child?.exited;
      child = undefined;
    },
    async start({ isEmpty = false } = {}) {
      if (isEmpty) {
        await rm(join(directory, 'appendonlydir'), { recursive: true, force: true });
      }
      child = startChild('redis-server', [
        ...['--port', String(port), '--bind', '127.0.0.1', '--requirepass', password],
        ...['--save', '', '--appendonly', 'yes', '--dir', directory, '--daemonize', 'no'],
        ...['--maxmemory-policy', 'noeviction', '--logfile', join(directory, 'redis.log')],
      ]);
      await untilListening(port);
    },
    async close(reason) {
      child?.process.kill('SIGCONT');
      await child?.close(reason);
      child = undefined;
    },
  };
  try {
    await redis.start();
  } catch (error) {
    await redis.close('start failed');
    throw error;
  }
  return redis;
}

async function untilListening(port: number): Promise<void> {
  const deadlineMs = performance.now() + UP_MS;
  while (!(await isListening(port))) {
    if (performance.now() > deadlineMs) {
      throw new GatewayError(
        'redis_unavailable',
        `redis-server does not listen on 127.0.0.1:${port}: is it installed, is the port free?`,
      );
    }
    await pause(PROBE_MS);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
