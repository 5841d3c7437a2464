/** One process of a cluster: started, watched by its log, killed and started again. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { startChild, type RunningChild } from '../../kernel/childProcess.ts';
import { GatewayError } from '../../kernel/errors.ts';
import { backoffMs, type Closeable, pause, withDeadline } from '../../kernel/lifecycle.ts';
import { afterRecord, type Doing, type LogRecord, parseRecord } from './doing.ts';
import type { MemberPlan } from './plan.ts';

const MAIN = join(import.meta.dirname, '..', 'cli', 'main.ts');
const UP_MS = 30_000;
const STOP_MS = 20_000;
const KEPT_RECORDS = 2000;
/** A run that lasted this long has not failed at its start: the next restart is quick again. */
const HEALTHY_MS = 10_000;
const NOTHING: Doing = new Map();

/** A process of the cluster. */
export type Member = Closeable & {
  readonly plan: MemberPlan;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly isUp: boolean;
  readonly doing: Doing;
  /** What it logged, the last 2000 lines over all its lives. */
  readonly records: readonly LogRecord[];
  /** Runs it; resolves once it says that it is up. */
  start(): Promise<void>;
  /** Sends a signal to the process alone; resolves when it has ended, where the signal ends it. */
  signal(signal: NodeJS.Signals): Promise<void>;
};

/**
 * A member, not started yet.
 *
 * @param options.isKept it is started again by itself when it ends
 * @param options.onChange told of lines, starts and ends
 */
export function createMember(
  plan: MemberPlan,
  options: {
    readonly logFile: string;
    readonly isKept: boolean;
    readonly onChange: (member: Member, event: string | LogRecord) => void;
  },
): Member {
  let child: RunningChild | undefined;
  let isUp = false;
  let doing = NOTHING;
  const records: LogRecord[] = [];
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const isRunning = (): boolean => child !== undefined;
  let log: WriteStream | undefined;
  let restarts = 0;

  const onLine = (line: string): void => {
    log?.write(`${line}\n`);
    const record = parseRecord(line);
    if (record === undefined) {
      return;
    }
    records.push(record);
    records.splice(0, Math.max(0, records.length - KEPT_RECORDS));
    doing = afterRecord(doing, record);
    options.onChange(member, record);
  };
  const onEnd = async (ended: RunningChild, startedMs: number): Promise<void> => {
    const { code, signal } = await ended.exited;
    child = undefined;
    isUp = false;
    doing = NOTHING;
    if (isStopping()) {
      return;
    }
    options.onChange(member, `ended (${signal ?? `exit ${String(code)}`})`);
    if (options.isKept) {
      restarts = performance.now() - startedMs > HEALTHY_MS ? 0 : restarts + 1;
      await pause(backoffMs(restarts, { baseMs: 500 }), stopping.signal);
      if (!isStopping() && !isRunning()) {
        await member.start().catch(() => undefined);
      }
    }
  };
  const member: Member = {
    plan,
    get pid() {
      return child?.process.pid;
    },
    get isUp() {
      return isUp;
    },
    get doing() {
      return doing;
    },
    records,
    async start() {
      if (isRunning() || isStopping()) {
        return;
      }
      await mkdir(dirname(options.logFile), { recursive: true });
      log ??= createWriteStream(options.logFile, { flags: 'a' });
      const startedMs = performance.now();
      const running = startChild(process.execPath, [MAIN, 'start', '--json'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, GRANDSTAND_LOG_FORMAT: 'json', ...plan.environment },
        onLine,
      });
      child = running;
      void onEnd(running, startedMs);
      const said = new Promise<'up'>((resolve) => {
        if (running.process.stdout !== null) {
          createInterface({ input: running.process.stdout }).on('line', () => {
            resolve('up');
          });
        }
      });
      const outcome = await withDeadline(Promise.race([said, running.exited]), UP_MS).catch(
        () => 'late' as const,
      );
      if (outcome !== 'up') {
        throw new GatewayError(
          'process_failed',
          `${plan.name} did not start: ${running.stderrTail().slice(-5).join('\n')}`,
        );
      }
      isUp = true;
      options.onChange(member, 'is up');
    },
    async signal(signal) {
      const running = child;
      running?.process.kill(signal);
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') {
        await running?.exited;
      }
    },
    async close() {
      stopping.abort();
      const running = child;
      running?.process.kill('SIGCONT');
      running?.process.kill('SIGTERM');
      if (running !== undefined) {
        await withDeadline(running.exited, STOP_MS).catch(() => running.close('too slow'));
      }
      log?.end();
    },
  };
  return member;
}
