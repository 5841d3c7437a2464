/**
 * Whether an encoder carries a ladder preset, and the figures that say so. Pure: presetProbe.ts
 * measures. Nothing is concluded from one preset to another, nor from one job to several.
 */
import type { VideoRung } from '../../infra/kernel/wire.ts';
import type { Capacity } from './capacity.ts';

/** What is known of a preset on an encoder. */
export type PresetFacts = {
  readonly fps: number;
  readonly video: readonly VideoRung[];
  /** Jobs at once, as a worker takes them. */
  readonly capacity: Capacity;
  /** Encodes that open at once; absent in software, where nothing limits them. */
  readonly sessions?: number | undefined;
  /** Of one job alone; absent where it was not tried. */
  readonly measured?: PresetMeasure;
};

/** One encode of the whole ladder. */
export type PresetMeasure =
  | { readonly fault: string }
  /** Media time over wall time. */
  | { readonly speed: number };

/** The verdict and its reason in a line. */
export type PresetVerdict = { readonly isCarried: boolean; readonly detail: string };

/**
 * Speed that the encode alone must have. Decoding the feed and the sound, which the probe leaves
 * out, are a quarter of a job (media-facts B.5: 0.103 of 0.393 core-seconds).
 */
const CARRIED_SPEED = 1.4;

/** What stands behind every verdict, and what does not. */
export const PRESETS_MEASURED =
  'measured: two seconds of a light test picture, one job alone, as busy as this machine is now; not measured: ' +
  `the feed's decoding and the sound, for which ${CARRIED_SPEED} times real time leaves room, and several jobs at once`;

/** Whether all rungs fit into the sessions; without that there is nothing to measure. */
export function hasSessions({
  sessions = Infinity,
  video,
}: Pick<PresetFacts, 'sessions' | 'video'>): boolean {
  return sessions >= video.length;
}

/** See the file header. */
export function presetVerdict(facts: PresetFacts): PresetVerdict {
  const { fps, video, capacity, sessions, measured } = facts;
  if (!hasSessions(facts)) {
    const detail = `not carried: ${counted(sessions ?? 0, 'session')} for ${counted(video.length, 'rung')}`;
    return { isCarried: false, detail };
  }
  if (measured === undefined || 'fault' in measured) {
    return { isCarried: false, detail: `not carried: ${measured?.fault ?? 'not tried'}` };
  }
  const isCarried = measured.speed >= CARRIED_SPEED;
  const jobs = `${counted(capacity.capacity, 'job')} at once (${capacity.capacityReason}), one alone`;
  return {
    isCarried,
    detail:
      `${isCarried ? `carried: ${jobs} encodes` : 'not carried: encodes'} ` +
      `at ${measured.speed.toFixed(2)} times real time ` +
      `(${counted(video.length, 'rung')}, ${Math.round(pixelRate(video, fps) / 1e6)} Mpixel/s)`,
  };
}

function pixelRate(video: readonly VideoRung[], fps: number): number {
  return video.reduce((sum, { width, height }) => sum + width * height * fps, 0);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
