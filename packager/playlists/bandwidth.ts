/**
 * Bit rates that players choose by: what the origin measured, and before that what a
 * constant-bitrate encoder was told, with the same allowances in every text.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import type { TrackDescription } from './model.ts';

/** Boxes around the samples of a chunk. */
const CHUNK_OVERHEAD_BITS = 200 * 8;

/**
 * What an encoder's VBV holds: a segment may exceed its rate by so much of a second. AAC's reservoir
 * is far smaller.
 */
const VBV_MS = { video: 1000, audio: 500 } as const;

/**
 * Rate of a track in bit/s as it was configured, container included. Representation@bandwidth of a
 * dynamic MPD: a measured one would change the MPD while only segments come (delivery.md M03).
 */
export function declaredBps(track: TrackDescription, grid: Grid): number {
  return track.bitrateBps + Math.ceil((CHUNK_OVERHEAD_BITS * 1000) / grid.chunkMs);
}

/** AVERAGE-BANDWIDTH of a track in bit/s, container included (rfc8216bis §4.4.6.2). */
export function averageBps(track: TrackDescription, grid: Grid): number {
  return track.measured === undefined
    ? declaredBps(track, grid)
    : Math.ceil(track.measured.averageBps);
}

/**
 * BANDWIDTH of a track in bit/s: its largest segment (rfc8216bis §4.4.6.2). Before it is measured:
 * a full VBV makes a segment longer by 50 % at 2 s and by 100 % at 1 s.
 */
export function peakBps(track: TrackDescription, grid: Grid): number {
  return track.measured === undefined
    ? Math.ceil((declaredBps(track, grid) * (grid.segmentMs + VBV_MS[track.kind])) / grid.segmentMs)
    : Math.ceil(Math.max(track.measured.peakBps, track.measured.averageBps));
}

/**
 * BANDWIDTH of a track's I-frame playlist in bit/s (rfc8216bis §4.4.6.3): one picture per segment,
 * and no picture is larger than the VBV.
 */
export function iframePeakBps(track: TrackDescription, grid: Grid): number {
  return (
    track.measured?.iframePeakBps ??
    Math.ceil((peakBps(track, grid) * Math.min(VBV_MS.video, grid.segmentMs)) / grid.segmentMs)
  );
}
