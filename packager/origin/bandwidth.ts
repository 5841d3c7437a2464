/**
 * Bandwidth of a track as it was really sent, container included. What was announced only grows, so
 * that a multivariant playlist and a Representation stay as they are (delivery.md M03).
 */
import type { TrackDescription } from '../playlists/model.ts';
import type { StoredSegment } from './segmentRing.ts';

const MIN_SEGMENTS = 5;

/** See the file header. */
export class BandwidthMeter {
  #measured: NonNullable<TrackDescription['measured']> | undefined;

  /** Bit/s; undefined until enough segments were whole. */
  get measured(): TrackDescription['measured'] {
    return this.#measured;
  }

  /** Measures the closed segments of a ring; gaps carry nothing. */
  measure(segments: readonly StoredSegment[], timescale: number): void {
    const whole = segments.filter(({ isClosed, isGap }) => isClosed && !isGap);
    if (whole.length < MIN_SEGMENTS) {
      return;
    }
    const sizes = whole.map(({ chunks, duration }) => ({
      bits: 8 * chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      seconds: duration / timescale,
    }));
    const bits = sizes.reduce((sum, size) => sum + size.bits, 0);
    const seconds = sizes.reduce((sum, size) => sum + size.seconds, 0);
    const peakBps = Math.max(...sizes.map((size) => size.bits / size.seconds));
    this.#measured = {
      peakBps: Math.max(this.#measured?.peakBps ?? 0, Math.ceil(peakBps / 1000) * 1000),
      averageBps: Math.max(
        this.#measured?.averageBps ?? 0,
        Math.ceil(bits / seconds / 1000) * 1000,
      ),
    };
  }
}
