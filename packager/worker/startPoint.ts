/** Where an encoder run starts on the grid (architecture §2). Pure. */
import type { Grid } from '../../infra/kernel/grid.ts';
import {
  AUDIO_TIMESCALE,
  rescale,
  type Ticks,
  ticks,
  type UnixMs,
  unixMs,
  VIDEO_TIMESCALE,
} from '../../infra/kernel/time.ts';

/** Samples of an AAC-LC frame (ISO/IEC 14496-3 §4.5.1.1). */
export const AAC_FRAME_TICKS = 1024;

/** Start of an encoder run: every track begins in the segment that starts at `t0Ms`. */
export type StartPoint = {
  /** T0, a multiple of the segment duration. */
  readonly t0Ms: UnixMs;
  /** First decode time of every video track (90 kHz): T0 exactly. */
  readonly videoTicks: Ticks;
  /** K, first decode time of the audio track (48 kHz): T0 rounded up to a multiple of 1024. */
  readonly audioTicks: Ticks;
};

/**
 * How far behind the newest stamp a run may begin that takes the place of another. Every slot past the
 * stamp is missing already, and the feed begins with what came since a keyframe: chunks that are late
 * until ffmpeg has caught up are better than another segment without any. Were that keyframe behind T0,
 * its picture stands for those before.
 */
const TAKEOVER_BEHIND_MS = 250;

/** What a run has to look to besides the feed. */
export type StartRules = {
  /** Least distance from the newest stamp: ffmpeg is surely up, and its first chunk on time. */
  readonly leadMs: number;
  /** End of what this job has already published. */
  readonly notBeforeMs?: number;
  /** Somebody published this slot before: no lead, but up to 250 ms behind the stamp. */
  readonly isTakeover?: boolean;
};

/**
 * T0 is the first multiple of the segment duration at least `leadMs` past the newest stamp in the
 * feed (not past the worker's own clock), or 250 ms behind it where the run takes over, and never before
 * `notBeforeMs`.
 */
export function startPoint(
  newestMs: UnixMs,
  grid: Pick<Grid, 'segmentMs'>,
  { leadMs, notBeforeMs = 0, isTakeover = false }: StartRules,
): StartPoint {
  const nearestMs = newestMs + (isTakeover ? -TAKEOVER_BEHIND_MS : leadMs);
  const msn = Math.ceil(Math.max(nearestMs, notBeforeMs) / grid.segmentMs);
  const t0Ms = msn * grid.segmentMs;
  const audioStart = rescale(t0Ms, 1000, AUDIO_TIMESCALE, 'ceil');
  return {
    t0Ms: unixMs(t0Ms),
    videoTicks: rescale(t0Ms, 1000, VIDEO_TIMESCALE, 'ceil'),
    audioTicks: ticks(Math.ceil(audioStart / AAC_FRAME_TICKS) * AAC_FRAME_TICKS),
  };
}
