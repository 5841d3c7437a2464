/** A real gateway in a process of its own, on ports of its own, for e2e tests and benchmarks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { until } from './until.ts';

const BIN = join(import.meta.dirname, '..', '..', 'infra', 'gateway', 'bin.mjs');
const START_MS = 30_000;
/** A gateway that has not ended by then after a signal is killed with all that is below it. */
const STOP_MS = 30_000;

const broadcastSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  reason: z.string().optional(),
  encoder: z.string().nullable(),
  tracks: z.array(z.looseObject({ name: z.string(), kind: z.string() })),
  leftOut: z.looseObject({ tracks: z.array(z.string()) }).nullable(),
  presenter: z.looseObject({ connected: z.boolean() }).nullable(),
  health: z.looseObject({ lastMsn: z.number().nullable() }),
});

/** What the API says of a broadcast. */
export type BroadcastAnswer = z.output<typeof broadcastSchema>;

/** A running gateway process. */
export type GatewayProcess = {
  readonly url: string;
  readonly streamerUrl: string;
  readonly internalUrl: string;
  readonly internalToken: string;
  readonly process: ChildProcess;
  /** Lines of its log so far (the last 500). */
  readonly log: readonly string[];
  broadcast(id: string): Promise<BroadcastAnswer>;
  /** Waits until the API says that the broadcast is live. */
  untilLive(id: string, timeoutMs: number): Promise<BroadcastAnswer>;
  /** Every living process below the gateway: pid and command line. */
  descendants(): Promise<{ readonly pid: number; readonly command: string }[]>;
  /**
   * Kills the gateway as a fault would (SIGKILL, nobody is told, what is below it is left to itself)
   * and starts it again on the same ports and data; resolves once it says that it is up.
   */
  killAndRestart(): Promise<void>;
  /** Sends a signal and waits for the end; the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
};

/** Starts `grandstand start` on free ports and waits until it says that it is up. */
export async function startGatewayProcess(options: {
  readonly isDemo: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<GatewayProcess> {
  const [http, internal, streamers] = (await freePorts(3)) as [number, number, number];
  const directory = await mkdtemp(join(tmpdir(), 'gs-'));
  const internalToken = 'test-token-of-this-run';
  const log: string[] = [];
  const launch = (): Launched =>
    launchGateway(
      options.isDemo ? ['--demo'] : [],
      {
        GRANDSTAND_DATA_DIR: directory,
        GRANDSTAND_HTTP_LISTEN: `127.0.0.1:${http}`,
        GRANDSTAND_INTERNAL_LISTEN: `127.0.0.1:${internal}`,
        GRANDSTAND_INTERNAL_TOKEN: internalToken,
        GRANDSTAND_SIGNALLING_STREAMERS_PORT: String(streamers),
        ...options.environment,
      },
      log,
    );
  let running = launch();
  const orphans: number[] = [];
  // A test that fails before its clean-up must not leave a gateway behind.
  process.once('exit', () => running.child.kill('SIGTERM'));
  const url = `http://127.0.0.1:${http}`;
  const gateway: GatewayProcess = {
    url,
    streamerUrl: `ws://127.0.0.1:${streamers}`,
    internalUrl: `http://127.0.0.1:${internal}`,
    internalToken,
    get process() {
      return running.child;
    },
    log,
    async broadcast(id) {
      const response = await fetch(`${url}/api/v1/broadcasts/${id}`);
      return broadcastSchema.parse(await response.json());
    },
    async untilLive(id, timeoutMs) {
      let last = '';
      return until(`broadcast ${id} live`, timeoutMs, async () => {
        const answer = await gateway.broadcast(id);
        last = `${answer.state} ${answer.reason ?? ''}`;
        return answer.state === 'live' ? answer : undefined;
      }).catch((error: unknown) => {
        throw new Error(
          `broadcast ${id} is not live but '${last}'; log:\n${log.slice(-40).join('\n')}`,
          { cause: error },
        );
      });
    },
    // Never a default pid: below 0 lies every process of the machine.
    descendants: async () =>
      running.child.pid === undefined ? [] : descendantsOf(running.child.pid),
    async killAndRestart() {
      orphans.push(...(await gateway.descendants()).map(({ pid }) => pid));
      running.child.kill('SIGKILL');
      await running.exited;
      running = launch();
      await untilUp(running, log);
    },
    async stop(signal = 'SIGINT') {
      const { child, exited } = running;
      // A killed gateway cannot close its children; one that was asked closes them itself.
      let below = signal === 'SIGKILL' ? await gateway.descendants() : [];
      child.kill(signal);
      const deadline = setTimeout(() => {
        void gateway.descendants().then((hung) => {
          below = hung;
          child.kill('SIGKILL');
        });
      }, STOP_MS);
      const code = await exited;
      clearTimeout(deadline);
      for (const pid of [...below.map(({ pid: own }) => own), ...(await ours(orphans))]) {
        killIfAlive(pid);
      }
      await rm(directory, { recursive: true, force: true });
      return code;
    },
  };
  try {
    await untilUp(running, log);
  } catch (error) {
    await gateway.stop('SIGKILL');
    throw error;
  }
  return gateway;
}

type Launched = {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  isUp: boolean;
};

function launchGateway(
  flags: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string[],
): Launched {
  const child = spawn(process.execPath, [BIN, 'start', '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    log.splice(0, Math.max(0, log.length - 500));
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      resolve(code);
    });
  });
  const launched: Launched = { child, exited, isUp: false };
  createInterface({ input: child.stdout }).on('line', () => {
    launched.isUp = true;
  });
  return launched;
}

async function untilUp(launched: Launched, log: readonly string[]): Promise<void> {
  try {
    const isGone = launched.exited.then((code) => {
      throw new Error(`it has exited with ${code}`);
    });
    await Promise.race([until('the gateway is up', START_MS, () => launched.isUp), isGone]);
  } catch (error) {
    throw new Error(`the gateway did not start:\n${log.join('\n')}`, { cause: error });
  }
}

/** Of `pids` those that nobody owns any more: a pid may have been given to another process since. */
async function ours(pids: readonly number[]): Promise<number[]> {
  const commands = await Promise.all(
    pids.map(async (pid) => ({
      pid,
      command: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      parent: /\) \S (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))?.[1],
    })),
  );
  return commands
    .filter(({ command, parent }) => parent === '1' && /redis-server|ffmpeg|demo/.test(command))
    .map(({ pid }) => pid);
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return; // It is gone already.
  }
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  for (const server of servers) {
    server.close();
  }
  return ports;
}

async function descendantsOf(root: number): Promise<{ pid: number; command: string }[]> {
  const children = new Map<number, number[]>();
  const commands = new Map<number, string>();
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) {
      continue;
    }
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const parent = Number(/\) \S (\d+)/.exec(stat)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
    commands.set(
      pid,
      (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim(),
    );
  }
  const found: { pid: number; command: string }[] = [];
  const visit = (pid: number): void => {
    for (const child of children.get(pid) ?? []) {
      found.push({ pid: child, command: commands.get(child) ?? '' });
      visit(child);
    }
  };
  visit(root);
  return found;
}
