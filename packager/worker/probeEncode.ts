/** One short encode with the arguments that a broadcast gets: whether it works, and how fast it is. */
import { createInterface } from 'node:readline';
import { startChild } from '../../infra/kernel/childProcess.ts';
import type { VideoRung } from '../../infra/kernel/wire.ts';
import { type EncoderChoice, videoEncoderArguments, type VideoTiming } from './encoder.ts';
import { GPUS } from './encoderTable.ts';
import { label, videoGraph } from './filterGraph.ts';

/** What to encode. */
export type ProbeJob = {
  readonly encoder: EncoderChoice;
  /** All at once. */
  readonly rungs: readonly VideoRung[];
  /** The source, as a lavfi graph. */
  readonly picture: string;
  readonly timing: VideoTiming;
  readonly frames: number;
};

/** What came of it. */
export type ProbeOutcome = {
  /** One line; absent where it worked. */
  readonly fault?: string;
  /** It is the time that ran out: the fault is that alone. */
  readonly isCutShort: boolean;
  /** Pictures of each rung per second, from the first that was made on; undefined where too few were. */
  readonly fps?: number;
};

const PROBE_TIMEOUT_MS = 10_000;

/** Encodes for at most 10 s, to nothing but a line for each packet (`framecrc`). */
export async function probeEncode(ffmpegPath: string, job: ProbeJob): Promise<ProbeOutcome> {
  const child = startChild(ffmpegPath, probeArguments(job), { stdio: ['ignore', 'pipe', 'pipe'] });
  const pace = new Pace(job.rungs.length);
  if (child.process.stdout !== null) {
    createInterface({ input: child.process.stdout }).on('line', (line) => {
      pace.take(line, performance.now());
    });
  }
  const timer = setTimeout(() => {
    child.process.kill('SIGKILL');
  }, PROBE_TIMEOUT_MS);
  const { code, signal } = await child.exited;
  clearTimeout(timer);
  const { fps } = pace;
  const outcome = { isCutShort: child.process.killed, ...(fps === undefined ? {} : { fps }) };
  if (code === 0) {
    return outcome;
  }
  if (outcome.isCutShort) {
    return { ...outcome, fault: `not done within ${PROBE_TIMEOUT_MS / 1000} s` };
  }
  const line = child.stderrTail().find((text) => isTelling(text));
  const fault = line?.replace(/^\[[^\]]* @ 0x[0-9a-f]+\] /, '');
  return { ...outcome, fault: fault ?? `ended with ${signal ?? code ?? '?'}` };
}

/** How fast packets come: ffmpeg's own start, and opening the encoder, come before the first. */
class Pace {
  readonly #rungs: number;
  #packets = 0;
  #firstMs = 0;
  #lastMs = 0;

  constructor(rungs: number) {
    this.#rungs = rungs;
  }

  take(line: string, nowMs: number): void {
    if (line.startsWith('#')) {
      return;
    }
    this.#firstMs = this.#packets === 0 ? nowMs : this.#firstMs;
    this.#lastMs = nowMs;
    this.#packets += 1;
  }

  get fps(): number | undefined {
    const tookMs = this.#lastMs - this.#firstMs;
    const frames = this.#packets / this.#rungs - 1;
    return frames > 0 && tookMs > 0 ? (frames * 1000) / tookMs : undefined;
  }
}

function probeArguments({ encoder, rungs, picture, timing, frames }: ProbeJob): string[] {
  return [
    ...['-hide_banner', '-nostdin', '-loglevel', 'error'],
    ...(encoder.class === 'x264' ? [] : GPUS[encoder.class].device(encoder.device)),
    ...['-f', 'lavfi', '-i', picture, '-filter_complex'],
    `[0:v]${videoGraph({ encoder, ladder: { video: [...rungs], audio: [] } })}`,
    ...rungs.flatMap((rung) => [
      ...['-map', `[${label(rung)}]`, ...videoEncoderArguments(encoder, rung, timing)],
      ...['-frames:v', `${frames}`, '-flush_packets', '1', '-f', 'framecrc', 'pipe:1'],
    ]),
  ];
}

/** SVT-AV1 greets on stderr whatever the log level. */
function isTelling(line: string): boolean {
  return line.trim() !== '' && !/^Svt\[(info|warn)\]/.test(line);
}
