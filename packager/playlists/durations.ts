/**
 * Durations that every playlist and the MPD of a broadcast must agree on (rfc8216bis §6.2.4), all
 * derived from the grid: nothing here depends on what is in the window.
 */
import { type Grid, partTargetMs } from '../../infra/kernel/grid.ts';

/** Samples of an AAC frame (ISO/IEC 14496-3 §4.5.1.1). */
const AAC_FRAME_SAMPLES = 1024;

/** Live window in ms where the presentation does not say another (architecture §2). */
export const LIVE_WINDOW_MS = 60_000;

/**
 * Longest segment of any track in ms, rounded up: a segment of whole AAC frames at 48 kHz may pass
 * the grid by less than one frame (2006 at the defaults).
 */
export function maxSegmentMs(grid: Grid): number {
  const frameMs = (AAC_FRAME_SAMPLES * 1000) / 48_000;
  return Math.max(grid.segmentMs, Math.ceil(Math.ceil(grid.segmentMs / frameMs) * frameMs));
}

/** EXT-X-TARGETDURATION in seconds, the same in every playlist (rfc8216bis §4.4.3.1, §6.2.4). */
export function targetDurationSeconds(grid: Grid): number {
  return Math.round(maxSegmentMs(grid) / 1000);
}

/** PART-HOLD-BACK in ms: three part targets (Apple authoring specification 14.3). */
export function partHoldBackMs(grid: Grid): number {
  return 3 * partTargetMs(grid);
}

/** HOLD-BACK in ms: three target durations (rfc8216bis §4.4.3.8). */
export function holdBackMs(grid: Grid): number {
  return 3000 * targetDurationSeconds(grid);
}

/** CAN-SKIP-UNTIL in ms: six target durations, the least that §4.4.3.8 allows. */
export function canSkipUntilMs(grid: Grid): number {
  return 6000 * targetDurationSeconds(grid);
}

/** Seconds as text, up to three decimals and at least one: 1536 → `1.536`, 6000 → `6.0`. */
export function formatMsAsSeconds(ms: number): string {
  return (ms / 1000).toFixed(3).replace(/0{1,2}$/, '');
}
