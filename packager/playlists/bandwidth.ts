/**
 * Bit rates that players choose by, from the declared rate of a constant-bitrate encoder: the same
 * allowances in the multivariant playlist and in the MPD.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import type { TrackDescription } from './model.ts';

/** Boxes around the samples of a chunk. */
const CHUNK_OVERHEAD_BITS = 200 * 8;

/** What an encoder's VBV holds: a segment may exceed its rate by so much of a second. */
const VBV_MS = 500;

/** AVERAGE-BANDWIDTH and Representation@bandwidth of a track in bit/s, container included. */
export function averageBps(track: TrackDescription, grid: Grid): number {
  return track.bitrateBps + Math.ceil((CHUNK_OVERHEAD_BITS * 1000) / grid.chunkMs);
}

/**
 * BANDWIDTH of a track in bit/s: its largest segment (rfc8216bis §4.4.6.2), which a full VBV makes
 * longer by 25 % at 2 s and by 50 % at 1 s.
 */
export function peakBps(track: TrackDescription, grid: Grid): number {
  return Math.ceil((averageBps(track, grid) * (grid.segmentMs + VBV_MS)) / grid.segmentMs);
}
