/**
 * What a job's feed brings and how long until it is published: counts access units, and takes the
 * delay of each fragment from the arrival of the unit that its first sample came from. Pure.
 */
import type { FeedUnit } from './feedScan.ts';

type Kind = FeedUnit['kind'];

/** Delays of one interval in ms; undefined where nothing was published. */
export type Delays = { readonly p50Ms: number; readonly p95Ms: number };

/** Arrivals kept per kind: beyond three seconds of 120 fps nothing is measured any more. */
const MAX_ARRIVALS = 360;
/** Delays kept until they are asked for. */
const MAX_DELAYS = 1000;

/** See the file header. */
export class FeedMeter {
  readonly #arrivals: Readonly<Record<Kind, { stampMs: number; atMs: number }[]>> = {
    video: [],
    audio: [],
  };
  readonly #delays: Readonly<Record<Kind, number[]>> = { video: [], audio: [] };
  #framesIn = 0;

  /** Pictures that came since the job began. */
  get framesIn(): number {
    return this.#framesIn;
  }

  arrived({ kind, stampMs }: FeedUnit, atMs: number): void {
    if (kind === 'video') {
      this.#framesIn += 1;
    }
    const arrivals = this.#arrivals[kind];
    arrivals.push({ stampMs, atMs });
    arrivals.splice(0, arrivals.length - MAX_ARRIVALS);
  }

  /**
   * A fragment that begins at `startMs` is published. `earlierMs` and `laterMs` say how far from it
   * the stamp of the unit that it was made of may lie: half a slot for a picture, since `fps` puts it
   * into the nearest one.
   *
   * @returns the delay in ms; undefined where no such unit came: it fills a gap
   */
  published(
    kind: Kind,
    startMs: number,
    { earlierMs, laterMs }: { readonly earlierMs: number; readonly laterMs: number },
    nowMs: number,
  ): number | undefined {
    const unit = this.#arrivals[kind].findLast(({ stampMs }) => stampMs <= startMs + laterMs);
    if (unit === undefined || startMs - unit.stampMs > earlierMs) {
      return undefined;
    }
    const delayMs = nowMs - unit.atMs;
    const delays = this.#delays[kind];
    if (delays.length < MAX_DELAYS) {
      delays.push(delayMs);
    }
    return delayMs;
  }

  /** Delays since the last time that this was asked. */
  takeDelays(kind: Kind): Delays | undefined {
    const delays = this.#delays[kind].splice(0).sort((a, b) => a - b);
    const at = (share: number): number =>
      Math.round(delays[Math.min(delays.length - 1, Math.floor(share * delays.length))] ?? 0);
    return delays.length === 0 ? undefined : { p50Ms: at(0.5), p95Ms: at(0.95) };
  }
}
