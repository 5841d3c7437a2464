/**
 * Reads one track's bytes from ffmpeg and lets through what belongs on the timeline: nothing
 * before the start (AAC's priming frame lies one frame ahead of K), and only a run that starts
 * exactly where the launcher said. Pure; the boxes are packager/cmaf's.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { type Grid, gridPosition } from '../../infra/kernel/grid.ts';
import type { Ticks } from '../../infra/kernel/time.ts';
import { concatBytes, TrackReader } from '../cmaf/index.ts';

/** One `moof mdat` of one sample, as ffmpeg wrote it. */
export type Fragment = {
  readonly dts: Ticks;
  /** Decode time of the next sample, if there is no hole. */
  readonly endTicks: number;
  /** Whether it is the first of a segment: where a reader with nothing before it may start. */
  readonly startsSegment: boolean;
  /** Owned by whoever holds the fragment. */
  readonly bytes: Uint8Array;
};

/** What a slice of ffmpeg's output brought. */
export type CutEvent =
  | { readonly kind: 'init'; readonly bytes: Uint8Array }
  | { readonly kind: 'fragment'; readonly fragment: Fragment };

/** `push` slices in, header and fragments come out; one per track and encoder run. */
export class TrackCutter {
  readonly #reader = new TrackReader();
  readonly #track: string;
  readonly #grid: Grid;
  readonly #timescale: number;
  readonly #startTicks: Ticks;
  #lastMsn: number | undefined;
  #expectedTicks: number;
  #holes = 0;

  constructor(options: {
    readonly track: string;
    readonly grid: Grid;
    readonly timescale: number;
    readonly startTicks: Ticks;
  }) {
    this.#track = options.track;
    this.#grid = options.grid;
    this.#timescale = options.timescale;
    this.#startTicks = options.startTicks;
    this.#expectedTicks = options.startTicks;
  }

  /** Times that a fragment did not start where the one before it ended. */
  get holes(): number {
    return this.#holes;
  }

  /** @throws GatewayError `bad_media`, `bad_init`, or `off_grid` where the run is not on the grid */
  push(slice: Uint8Array): CutEvent[] {
    const events: CutEvent[] = [];
    for (const event of this.#reader.push(slice)) {
      if (event.kind === 'init') {
        if (event.init.timescale !== this.#timescale) {
          throw this.#offGrid(`timescale ${event.init.timescale}, not ${this.#timescale}`);
        }
        events.push({ kind: 'init', bytes: event.bytes });
        continue;
      }
      const [sample, another] = event.samples;
      if (sample === undefined || another !== undefined) {
        throw this.#offGrid(`fragment of ${event.samples.length} samples`);
      }
      if (sample.dts < this.#startTicks) {
        continue;
      }
      const bytes = concatBytes([event.moof, event.mdat]);
      events.push({ kind: 'fragment', fragment: this.#place(sample, bytes) });
    }
    return events;
  }

  #place(
    sample: { readonly dts: Ticks; readonly duration: number; readonly isSync: boolean },
    bytes: Uint8Array,
  ): Fragment {
    const { msn } = gridPosition(this.#grid, sample.dts, this.#timescale);
    const isFirst = this.#lastMsn === undefined;
    const startsSegment = this.#lastMsn !== msn;
    if (isFirst && sample.dts !== this.#startTicks) {
      throw this.#offGrid(`first sample at ${sample.dts}, not ${this.#startTicks}`);
    }
    if (startsSegment && !sample.isSync) {
      throw this.#offGrid(`segment ${msn} starts without a keyframe`);
    }
    if (sample.dts < this.#expectedTicks) {
      throw this.#offGrid(`sample at ${sample.dts} overlaps the one before`);
    }
    if (sample.dts > this.#expectedTicks) {
      this.#holes += 1;
    }
    this.#lastMsn = msn;
    this.#expectedTicks = sample.dts + sample.duration;
    return { dts: sample.dts, endTicks: this.#expectedTicks, startsSegment, bytes };
  }

  #offGrid(what: string): GatewayError {
    return new GatewayError('off_grid', `${this.#track}: ${what}`, { subject: this.#track });
  }
}
