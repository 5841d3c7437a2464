/** Finds out which encoders work on this machine, by encoding with them. Used by start and doctor. */
import { availableParallelism } from 'node:os';
import { ENCODER_CLASSES, type EncoderClass } from '../../infra/kernel/encoders.ts';
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Ladder, VideoRung } from '../../infra/kernel/wire.ts';
import { gpuCapacity, mostSessions, softwareCapacity } from './capacity.ts';
import type { WorkerConfig } from './config.ts';
import { type EncoderChoice, x264PresetFor, x264ThreadsFor } from './encoder.ts';
import { GPU_ENCODERS, GPUS } from './encoderTable.ts';
import { probeEncode } from './probeEncode.ts';

/** An encoder that works here, and how many jobs it carries. */
export type EncoderOffer = {
  readonly encoder: EncoderChoice;
  /** Jobs at once. */
  readonly capacity: number;
  /** Where the capacity comes from. */
  readonly capacityReason: string;
  /** Encodes that a GPU opens at once. */
  readonly sessions?: number;
};

/** What was tried. */
export type ProbeReport = {
  /** What works, the preferred one first. */
  readonly offers: readonly [EncoderOffer, ...EncoderOffer[]];
  /** What does not, each with the reason in a line. */
  readonly failed: readonly { readonly name: string; readonly fault: string }[];
};

const PICTURE = 'color=size=640x360:rate=30';
const TIMING = { fps: 30, segmentMs: 2000 };
const TITLES = { nvenc: 'NVENC', qsv: 'Quick Sync', vaapi: 'VAAPI' } as const;
/** Small, and larger than the least that any GPU encodes. */
const DUMMY = { width: 320, height: 180, bitrateBps: 300_000 };

/**
 * Encodes a few frames of `ladder`, all rungs at once, with the arguments that a broadcast gets:
 * GPUs in the order of preference until one works, then libx264, which takes what a GPU cannot.
 *
 * @param isThorough tries every class, for `doctor`
 * @throws GatewayError `missing_tool` where nothing works, or what is configured does not
 */
export async function probeEncoders(
  config: WorkerConfig,
  ladder: Pick<Ladder, 'video'>,
  logger: Logger,
  isThorough = false,
): Promise<ProbeReport> {
  const offers: EncoderOffer[] = [];
  const failed: { name: string; fault: string }[] = [];
  for (const one of ENCODER_CLASSES) {
    const name = encoderName(one);
    const isWanted = config.encoder === 'auto' || config.encoder === name;
    // One GPU is enough; software takes what is beyond it.
    const isServed = one !== 'x264' && offers.length > 0;
    if (!isWanted || (isServed && !isThorough)) {
      continue;
    }
    const found = await probeClass(one, config, ladder, failed);
    if (typeof found === 'string') {
      logger.debug({ encoder: name, fault: found }, 'probe encode failed');
      failed.push({ name, fault: found });
    } else {
      offers.push(found);
    }
  }
  const [first, ...others] = offers;
  if (first === undefined) {
    const faults = failed.map(({ name, fault }) => `${name}: ${fault}`).join('; ');
    const how = config.encoder === 'auto' ? 'no encoder works' : 'the configured encoder fails';
    throw new GatewayError('missing_tool', `${how}: ${faults}`);
  }
  return { offers: [first, ...others], failed };
}

/** The libx264 choice on `cores` cores; the reason names preset and what ruled GPUs out. */
export function x264Choice(
  config: Pick<WorkerConfig, 'x264Preset'>,
  whyNotGpu: string,
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
    reason: `${whyNotGpu}; ${reason}`,
    preset,
    threads: x264ThreadsFor(cores),
  };
}

function encoderName(one: EncoderClass): string {
  return one === 'x264' ? 'libx264' : GPU_ENCODERS[one].h264.name;
}

/** An offer, or the fault. */
async function probeClass(
  one: EncoderClass,
  config: WorkerConfig,
  { video }: Pick<Ladder, 'video'>,
  failed: ProbeReport['failed'],
): Promise<EncoderOffer | string> {
  if (one === 'x264') {
    const encoder = x264Choice(config, whyNotGpu(config, failed), availableParallelism());
    const fault = await probe(config.ffmpegPath, encoder, video);
    return fault ?? { encoder, ...softwareCapacity(config.concurrency, availableParallelism()) };
  }
  const gpu = (isGpuScaled: boolean): EncoderChoice => ({
    ...{ class: one, name: encoderName(one), device: config.device, isGpuScaled },
    reason: `a probe encode of the ladder succeeded, scaled on the ${isGpuScaled ? 'GPU' : 'processor'}`,
  });
  let encoder = gpu(true);
  let fault = await probe(config.ffmpegPath, encoder, video);
  if (fault !== undefined && isFilterFault(fault, GPUS[one].scale)) {
    encoder = gpu(false);
    fault = await probe(config.ffmpegPath, encoder, video);
  }
  if (fault !== undefined) {
    return fault;
  }
  const sessions =
    config.sessions ??
    (await mostSessions(async (count) => {
      const rungs = Array.from({ length: count }, (_, index) => ({
        ...{ ...DUMMY, name: `v${index}` },
      }));
      return (await probe(config.ffmpegPath, encoder, rungs)) === undefined;
    }, video.length));
  return { encoder, sessions, ...gpuCapacity(config.concurrency, sessions, video.length) };
}

/** The build lacks the filter, or the driver cannot run it: the encoder may work all the same. */
function isFilterFault(fault: string, filter: string): boolean {
  return fault.includes(filter) || /No such filter|reinitializing filters/.test(fault);
}

function whyNotGpu({ encoder }: WorkerConfig, failed: ProbeReport['failed']): string {
  if (encoder !== 'auto') {
    return `${encoder} is configured`;
  }
  const faults = Object.entries(TITLES).flatMap(([one, title]) => {
    const name = encoderName(one as EncoderClass);
    const fault = failed.find((each) => each.name === name)?.fault;
    return fault === undefined ? [] : [`no ${title}: ${fault}`];
  });
  return faults.length === 0 ? 'takes what the GPU cannot' : faults.join('; ');
}

/** Encodes; gives the fault as one line, or undefined where it worked. */
async function probe(
  ffmpegPath: string,
  encoder: EncoderChoice,
  rungs: readonly VideoRung[],
): Promise<string | undefined> {
  const job = { encoder, rungs, picture: PICTURE, timing: TIMING, frames: 4 };
  const { fault } = await probeEncode(ffmpegPath, job);
  return fault;
}
