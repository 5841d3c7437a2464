/**
 * Child processes that never outlive their owner: array arguments, the tail of stderr kept for
 * the error, TERM then KILL on close.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Closeable } from './lifecycle.ts';

/** How a child ended. */
export type ChildExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running child. */
export type RunningChild = Closeable & {
  readonly process: ChildProcess;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<ChildExit>;
  /** Last lines of its stderr, oldest first. */
  stderrTail(): readonly string[];
};

const STDERR_TAIL_LINES = 50;
const KILL_AFTER_MS = 2000;
const living = new Set<ChildProcess>();
let isExitHooked = false;

/**
 * Keeps `child` from outliving this process and collects its stderr.
 *
 * @param onLine told of each stderr line
 */
export function superviseChild(
  child: ChildProcess,
  onLine: (line: string) => void = () => undefined,
): RunningChild {
  hookExit();
  living.add(child);
  const tail: string[] = [];
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      tail.push(line.slice(0, 1000));
      if (tail.length > STDERR_TAIL_LINES) {
        tail.shift();
      }
      onLine(line);
    });
  }
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('error', (error) => {
      tail.push(error.message);
      living.delete(child);
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => {
      living.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    process: child,
    exited,
    stderrTail: () => tail,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) {
        return;
      }
      // ffmpeg notices SIGTERM only when a read of its input returns.
      child.stdin?.destroy();
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
      }, KILL_AFTER_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/**
 * Spawns and supervises. `stdio` as for node:child_process; stderr is a pipe unless told. The child
 * gets a process group of its own: Ctrl-C in a terminal reaches its owner only, who closes in order.
 */
export function startChild(
  command: string,
  args: readonly string[],
  options: {
    readonly stdio?: ('ignore' | 'pipe' | 'ipc')[];
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly onLine?: (line: string) => void;
  } = {},
): RunningChild {
  const child = spawn(command, [...args], {
    stdio: options.stdio ?? ['ignore', 'ignore', 'pipe'],
    detached: true,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return superviseChild(child, options.onLine);
}

function hookExit(): void {
  if (isExitHooked) {
    return;
  }
  isExitHooked = true;
  process.once('exit', () => {
    for (const child of living) {
      child.kill('SIGKILL');
    }
  });
}
