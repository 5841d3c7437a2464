/**
 * ffmpeg's stderr as log lines: levelled, repeated lines counted, at most a few texts a second;
 * and its last lines for the error, without the repeats that would push everything else out (a
 * source that changed its size is worth one warning per frame to ffmpeg).
 */
import type { Logger } from '../../infra/kernel/logger.ts';

/** Texts reported per flush; the rest is only counted. */
const MAX_TEXTS = 5;
/** Texts told apart between flushes. */
const MAX_KNOWN = 64;

/** A line of `-loglevel level+…` without its context address. */
export function parseStderrLine(line: string): { level: 'warn' | 'debug'; text: string } {
  const match = /^(?:\[([^\]]{1,80}) @ 0x[0-9a-f]+\] )?(?:\[(\w+)\] )?/.exec(line);
  const [prefix, context, level] = match ?? [''];
  const isFault = level === 'error' || level === 'fatal' || level === 'panic';
  return {
    level: isFault ? 'warn' : 'debug',
    text: `${context === undefined ? '' : `${context}: `}${line.slice(prefix.length)}`.slice(
      0,
      300,
    ),
  };
}

type KnownText = { readonly level: 'warn' | 'debug'; readonly text: string; count: number };

/** Lines kept for an error. */
const TAIL_LINES = 50;

/** Collects lines; whoever owns the timer calls `flush` each second. */
export class StderrLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, KnownText>();
  readonly #tail: string[] = [];
  #lastKey: string | undefined;
  #suppressed = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Last lines, oldest first; of lines that differ in numbers only and follow each other, one. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  push(line: string): void {
    const { level, text } = parseStderrLine(line);
    const key = text.replaceAll(/\d+/g, '#');
    if (key !== this.#lastKey) {
      this.#lastKey = key;
      this.#tail.push(text);
      this.#tail.splice(0, this.#tail.length - TAIL_LINES);
    }
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.count += 1;
    } else if (this.#counts.size < MAX_KNOWN) {
      this.#counts.set(key, { level, text, count: 1 });
    } else {
      this.#suppressed += 1;
    }
  }

  /** Reports what was pushed since the last flush. */
  flush(): void {
    let reported = 0;
    for (const { level, text, count } of this.#counts.values()) {
      if (reported < MAX_TEXTS) {
        this.#logger[level]({ text, count }, 'ffmpeg says');
      } else {
        this.#suppressed += count;
      }
      reported += 1;
    }
    if (this.#suppressed > 0) {
      this.#logger.debug({ lines: this.#suppressed }, 'ffmpeg says more');
    }
    this.#counts.clear();
    this.#suppressed = 0;
  }
}
