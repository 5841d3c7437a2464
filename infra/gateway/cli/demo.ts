/** The demo streamer as a child: restarted when it ends, gone when its owner is. */
import { join } from 'node:path';
import { z } from 'zod';
import { startChild, type RunningChild } from '../../kernel/childProcess.ts';
import { backoffMs, type Closeable, pause } from '../../kernel/lifecycle.ts';
import type { Logger } from '../../kernel/logger.ts';

const logLineSchema = z.looseObject({ level: z.number(), msg: z.string() });

const MAIN = join(import.meta.dirname, '..', '..', 'demo', 'main.ts');
/** A demo that ran this long has not failed at its start: the next restart is quick again. */
const HEALTHY_MS = 10_000;

/** The demo streamer beside a gateway. */
export type DemoChild = Closeable & { readonly id: string };

/** Starts the demo and starts it again whenever it ends. @param args further ones of its own */
export function startDemoChild(
  streamerUrl: string,
  logger: Logger,
  args: readonly string[] = [],
): DemoChild {
  const stopped = new AbortController();
  const isStopped = (): boolean => stopped.signal.aborted;
  let child: RunningChild | undefined;
  const loop = (async () => {
    for (let attempt = 0; !isStopped(); attempt += 1) {
      const startedMs = performance.now();
      child = startChild(process.execPath, [MAIN, '--url', streamerUrl, '--with-parent', ...args], {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        onLine: (line) => relay(line, logger),
      });
      const { code, signal } = await child.exited;
      if (isStopped()) {
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
  readonly json: boolean;
}): Promise<void> {
  const names = ['url', 'id', 'size', 'fps', 'bitrate', 'codec'] as const;
  const args = [
    ...names.flatMap((name) => [`--${name}`, String(options[name])]),
    ...['--log-format', options.json ? 'json' : 'pretty'],
  ];
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

/** A line of the demo's own log (pino's JSON) at its own level; anything else is a warning. */
function relay(line: string, logger: Logger): void {
  const parsed = logLineSchema.safeParse(parseJson(line));
  if (!parsed.success) {
    logger.warn({ line: line.slice(0, 500) }, 'the demo says');
    return;
  }
  const fields = Object.fromEntries(
    Object.entries(parsed.data).filter(
      ([name]) => !['level', 'time', 'area', 'msg'].includes(name),
    ),
  );
  const { level, msg } = parsed.data;
  if (level >= 50) {
    logger.error(fields, msg);
  } else if (level >= 40) {
    logger.warn(fields, msg);
  } else {
    logger.info(fields, msg);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
