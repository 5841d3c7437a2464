/**
 * Bit rates that players choose by, from the declared rate of a constant-bitrate encoder: the same
 * allowances in the multivariant playlist and in the MPD.
 */
import type { TrackDescription } from './model.ts';

/** Boxes around the samples: one moof of at most 200 bytes for each of 10 chunks a second. */
const CONTAINER_BPS = 16_000;

/** A segment with its IDR may exceed the average by this much (Apple authoring 1.29: 25 %). */
const PEAK_FACTOR = 1.25;

/** AVERAGE-BANDWIDTH and Representation@bandwidth of a track in bit/s, container included. */
export function averageBps(track: TrackDescription): number {
  return track.bitrateBps + CONTAINER_BPS;
}

/** BANDWIDTH of a track in bit/s: its largest segment (rfc8216bis §4.4.6.2). */
export function peakBps(track: TrackDescription): number {
  return Math.ceil(averageBps(track) * PEAK_FACTOR);
}
