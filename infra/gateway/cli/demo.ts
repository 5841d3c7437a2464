/** The demo streamer as a child: restarted when it ends, gone when its owner is. */
import { join } from 'node:path';
import { startChild, type RunningChild } from '../../kernel/childProcess.ts';
import { backoffMs, type Closeable, pause } from '../../kernel/lifecycle.ts';
import type { Logger } from '../../kernel/logger.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'demo', 'main.ts');
/** A demo that ran this long has not failed at its start: the next restart is quick again. */
const HEALTHY_MS = 10_000;

/** The demo streamer beside a gateway. */
export type DemoChild = Closeable & { readonly id: string };

/** Starts the demo and starts it again whenever it ends. */
export function startDemoChild(streamerUrl: string, logger: Logger): DemoChild {
  const stopped = new AbortController();
  let child: RunningChild | undefined;
  const loop = (async () => {
    for (let attempt = 0; !stopped.signal.aborted; attempt += 1) {
      const startedMs = performance.now();
      child = startChild(process.execPath, [MAIN, '--url', streamerUrl], {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        onLine: (line) => logger.info({}, line),
      });
      const { code, signal } = await child.exited;
      if (stopped.signal.aborted) {
        return;
      }
      attempt = performance.now() - startedMs > HEALTHY_MS ? 0 : attempt;
      logger.warn(
        { code, signal, stderr: child.stderrTail().slice(-5) },
        'the demo streamer ended; it is started again',
      );
      await pause(backoffMs(attempt, { baseMs: 1000 }), stopped.signal);
    }
  })();
  return {
    id: 'demo',
    async close(reason) {
      stopped.abort();
      await child?.close(reason);
      await loop;
    },
  };
}

/** `grandstand demo`: the demo in the foreground, until a signal. */
export async function runDemo(options: {
  readonly url: string;
  readonly id: string;
  readonly size: string;
  readonly fps: number;
  readonly bitrate: number;
  readonly codec: string;
}): Promise<void> {
  const names = ['url', 'id', 'size', 'fps', 'bitrate', 'codec'] as const;
  const args = names.flatMap((name) => [`--${name}`, String(options[name])]);
  const child = startChild(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    onLine: (line) => console.error(line),
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void child.close(signal));
  }
  const { code } = await child.exited;
  process.exitCode = code ?? 0;
}
