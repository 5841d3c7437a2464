/** One short encode with the arguments that a broadcast gets: whether it works, and how long it takes. */
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

/** What came of it; `fault` is one line, absent where it worked. */
export type ProbeOutcome = {
  readonly fault?: string;
  /** It was ended for taking too long; `tookMs` is the least that it takes. */
  readonly isCutShort: boolean;
  readonly tookMs: number;
};

const PROBE_TIMEOUT_MS = 10_000;

/** Encodes for at most 10 s, to nowhere. */
export async function probeEncode(ffmpegPath: string, job: ProbeJob): Promise<ProbeOutcome> {
  const beganMs = performance.now();
  const child = startChild(ffmpegPath, probeArguments(job));
  let isCutShort = false;
  const timer = setTimeout(() => {
    isCutShort = true;
    child.process.kill('SIGKILL');
  }, PROBE_TIMEOUT_MS);
  const { code, signal } = await child.exited;
  clearTimeout(timer);
  const outcome = { isCutShort, tookMs: performance.now() - beganMs };
  if (code === 0) {
    return outcome;
  }
  const line = child.stderrTail().find((text) => isTelling(text));
  const fault = line?.replace(/^\[[^\]]* @ 0x[0-9a-f]+\] /, '');
  return { ...outcome, fault: fault ?? `ended with ${signal ?? code ?? '?'}` };
}

function probeArguments({ encoder, rungs, picture, timing, frames }: ProbeJob): string[] {
  return [
    ...['-hide_banner', '-nostdin', '-loglevel', 'error'],
    ...(encoder.class === 'x264' ? [] : GPUS[encoder.class].device(encoder.device)),
    ...['-f', 'lavfi', '-i', picture, '-filter_complex'],
    `[0:v]${videoGraph({ encoder, ladder: { video: [...rungs], audio: [] } })}`,
    ...rungs.flatMap((rung) => [
      ...['-map', `[${label(rung)}]`, ...videoEncoderArguments(encoder, rung, timing)],
      ...['-frames:v', `${frames}`, '-f', 'null', '-'],
    ]),
  ];
}

/** SVT-AV1 greets on stderr whatever the log level. */
function isTelling(line: string): boolean {
  return line.trim() !== '' && !/^Svt\[(info|warn)\]/.test(line);
}
