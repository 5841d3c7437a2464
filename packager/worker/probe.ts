/** Finds out which encoder works on this machine, by encoding with it. Used by start and doctor. */
import { availableParallelism } from 'node:os';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { startChild } from '../../infra/kernel/childProcess.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import type { WorkerConfig } from './config.ts';
import {
  type EncoderChoice,
  videoEncoderArguments,
  x264PresetFor,
  x264ThreadsFor,
} from './encoder.ts';

const PROBE_TIMEOUT_MS = 10_000;
const NVENC_REASON = 'a probe encode of the ladder succeeded on the GPU';

/**
 * Encodes a few frames of the default ladder, all rungs at once (a GPU limits its sessions), with
 * the arguments that a broadcast gets: NVENC, then libx264.
 *
 * @throws GatewayError `missing_tool` where the encoder that is left or configured does not work
 */
export async function probeEncoder(config: WorkerConfig, logger: Logger): Promise<EncoderChoice> {
  const nvenc = { name: 'h264_nvenc', class: 'nvenc', reason: NVENC_REASON } as const;
  let whyNotNvenc = 'libx264 is configured';
  if (config.encoder !== 'libx264') {
    const fault = await probe(config.ffmpegPath, nvenc);
    if (fault === undefined) {
      return nvenc;
    }
    logger.debug({ fault }, 'h264_nvenc probe failed');
    if (config.encoder === 'h264_nvenc') {
      throw new GatewayError('missing_tool', `h264_nvenc is configured but fails: ${fault}`);
    }
    whyNotNvenc = `no NVENC here: ${fault}`;
  }
  const x264 = x264Choice(config, whyNotNvenc, availableParallelism());
  const fault = await probe(config.ffmpegPath, x264);
  if (fault !== undefined) {
    throw new GatewayError('missing_tool', `ffmpeg cannot encode with libx264: ${fault}`);
  }
  return x264;
}

/** The libx264 choice on `cores` cores; the reason names preset and what ruled NVENC out. */
export function x264Choice(
  config: Pick<WorkerConfig, 'x264Preset'>,
  whyNotNvenc: string,
  cores: number,
): EncoderChoice {
  const fitting = x264PresetFor(cores);
  const { preset, reason } =
    config.x264Preset === 'auto'
      ? fitting
      : { preset: config.x264Preset, reason: `${config.x264Preset} is configured` };
  return {
    name: 'libx264',
    class: 'x264',
    reason: `${whyNotNvenc}; ${reason}`,
    preset,
    threads: x264ThreadsFor(cores),
  };
}

/** Encodes; gives the fault as one line, or undefined where it worked. */
async function probe(ffmpegPath: string, encoder: EncoderChoice): Promise<string | undefined> {
  const rungs = DEFAULT_LADDER.video;
  const splits = rungs.map((rung) => `[s_${rung.name}]`).join('');
  const scales = rungs.map(
    (rung) => `[s_${rung.name}]scale=${rung.width}:${rung.height},format=yuv420p[${rung.name}]`,
  );
  const child = startChild(ffmpegPath, [
    ...['-hide_banner', '-nostdin', '-loglevel', 'error', '-f', 'lavfi'],
    ...['-i', 'color=size=640x360:rate=30', '-filter_complex'],
    [`[0:v]split=${rungs.length}${splits}`, ...scales].join(';'),
    ...rungs.flatMap((rung) => [
      ...['-map', `[${rung.name}]`, ...videoEncoderArguments(encoder, rung, TIMING)],
      ...['-frames:v', '4', '-f', 'null', '-'],
    ]),
  ]);
  const timer = setTimeout(() => {
    child.process.kill('SIGKILL');
  }, PROBE_TIMEOUT_MS);
  const { code, signal } = await child.exited;
  clearTimeout(timer);
  if (code === 0) {
    return undefined;
  }
  const line = child.stderrTail().find((text) => text.trim() !== '');
  return line?.replace(/^\[[^\]]* @ 0x[0-9a-f]+\] /, '') ?? `ended with ${signal ?? code ?? '?'}`;
}

const TIMING = { fps: 30, segmentMs: 2000 };
