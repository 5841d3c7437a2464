/**
 * Cuts one track's samples into chunks, parts and segments on the grid (architecture §2). Pure:
 * what it says is a function of the samples alone. A chunk or part closes when a sample reaches its
 * end, without waiting for the next sample; what is missing becomes GAP. Leaves bytes to the
 * timeline and the choice of publisher to follow.ts.
 */
import {
  type Grid,
  gridPosition,
  gridStart,
  gridTicks,
  partsPerSegment,
} from '../../infra/kernel/grid.ts';
import { type Ticks, ticks } from '../../infra/kernel/time.ts';
import type { Sample } from '../cmaf/index.ts';

/** What a sample completed, in order. */
export type CutEvent =
  /** The first bytes of segment `msn` follow; parts before them may be GAP. */
  | { readonly kind: 'open'; readonly msn: number; readonly start: Ticks }
  | { readonly kind: 'chunk'; readonly msn: number; readonly samples: readonly Sample[] }
  | {
      readonly kind: 'part';
      readonly msn: number;
      readonly index: number;
      readonly duration: Ticks;
      readonly isIndependent: boolean;
      readonly isGap: boolean;
    }
  | { readonly kind: 'close'; readonly msn: number }
  /** Nothing of segment `msn` came: EXT-X-GAP. */
  | { readonly kind: 'gap'; readonly msn: number; readonly start: Ticks; readonly duration: Ticks };

/** Where a track is cut, and how long its samples last. */
export type CutterOptions = {
  readonly grid: Grid;
  readonly timescale: number;
  /** Ticks of a regular sample: timescale / fps for video, 1024 for AAC. */
  readonly sampleTicks: number;
  /** Samples start wherever the encoder's count puts them (AAC), not on every part (video). */
  readonly isFreePhase: boolean;
  /** Gap segments that one hole may list; of a longer one only the newest. */
  readonly maxGapSegments: number;
};

type Place = { readonly msn: number; readonly part: number };

/** Samples go in by decode time; see `CutEvent` for what comes out. */
export class Cutter {
  readonly #options: CutterOptions;
  readonly #partsPerSegment: number;
  #place: Place | undefined;
  #isSegmentOpen = false;
  #frontier: Ticks | undefined;
  #phase = 0;
  #chunk: Sample[] = [];
  #chunkIndex = -1;
  #partBegin: Ticks | undefined;
  #isPartWhole = true;
  #isPartIndependent = false;

  constructor(options: CutterOptions) {
    this.#options = options;
    this.#partsPerSegment = partsPerSegment(options.grid);
  }

  /** End of the newest sample: the first decode time that is missing. Undefined before the first. */
  get frontier(): Ticks | undefined {
    return this.#frontier;
  }

  /** Lowest segment that is not closed. Undefined before the first sample. */
  get msn(): number | undefined {
    return this.#place?.msn;
  }

  /** Segments below this number were opened or passed: their names are taken. */
  get firstFreeMsn(): number | undefined {
    return this.#place === undefined
      ? undefined
      : this.#place.msn + (this.#isSegmentOpen || this.#place.part > 0 ? 1 : 0);
  }

  /** Whether `dts` is where the first sample of a segment belongs. */
  isSegmentStart(dts: Ticks): boolean {
    const { grid, timescale, sampleTicks } = this.#options;
    const { msn } = gridPosition(grid, dts, timescale);
    return dts - gridStart(grid, msn, timescale) < sampleTicks;
  }

  /** Takes a sample at or past the frontier (the caller drops what overlaps). */
  push(sample: Sample): CutEvent[] {
    const { grid, timescale, sampleTicks } = this.#options;
    const events: CutEvent[] = [];
    const position = gridPosition(grid, sample.dts, timescale);
    this.#phase = sample.dts % sampleTicks;
    this.#fillTo(position, events);
    // A chunk has one decode time: what stands behind a hole is told its own.
    if (this.#chunkIndex !== position.chunk || sample.dts !== this.#frontier) {
      this.#flushChunk(events);
      this.#chunkIndex = position.chunk;
    }
    this.#openSegment(position.msn, events);
    this.#noteInPart(sample);
    // A muxer stretches the last sample before a hole over the hole: the hole is told as such.
    const duration = Math.min(sample.duration, Math.ceil(sampleTicks));
    this.#chunk.push(duration === sample.duration ? sample : { ...sample, duration });
    this.#frontier = ticks(sample.dts + duration);
    this.#closeReached(position, events);
    return events;
  }

  /** Gives up everything before segment `msn`: it is listed as GAP and its samples are refused. */
  skipTo(msn: number): CutEvent[] {
    const events: CutEvent[] = [];
    if (this.#place !== undefined && this.#place.msn < msn) {
      this.#fillTo({ msn, part: 0 }, events);
      const { grid, timescale } = this.#options;
      const start = gridStart(grid, msn, timescale);
      this.#frontier = ticks(Math.max(this.#frontier ?? start, start));
    }
    return events;
  }

  /** Begins at segment `msn` although no sample has come: what misses from there on is GAP. */
  beginAt(msn: number): void {
    this.#place ??= { msn, part: 0 };
  }

  /**
   * Goes on where another process left off: everything before segment `msn` is complete, `frontier`
   * is the end of its newest sample and `phase` the start of one.
   */
  resume(msn: number, frontier: Ticks, phase: Ticks): void {
    this.#place = { msn, part: 0 };
    this.#frontier = frontier;
    this.#phase = phase % this.#options.sampleTicks;
    this.#isSegmentOpen = false;
    this.#chunk = [];
    this.#chunkIndex = -1;
    this.#partBegin = undefined;
    this.#isPartWhole = true;
    this.#isPartIndependent = false;
  }

  /** Ends the chunk that is being collected, as it stands. */
  flush(): CutEvent[] {
    const events: CutEvent[] = [];
    this.#flushChunk(events);
    return events;
  }

  /** The end of the broadcast: the last part and segment are as long as what they hold. */
  end(): CutEvent[] {
    const events: CutEvent[] = [];
    const place = this.#place;
    if (place === undefined || !this.#isSegmentOpen) {
      return events;
    }
    this.#flushChunk(events);
    if (this.#partBegin !== undefined) {
      events.push({
        kind: 'part',
        msn: place.msn,
        index: place.part,
        duration: ticks((this.#frontier ?? this.#partBegin) - this.#partBegin),
        isIndependent: this.#isPartIndependent,
        isGap: false,
      });
    }
    events.push({ kind: 'close', msn: place.msn });
    this.#isSegmentOpen = false;
    this.#partBegin = undefined;
    this.#place = { msn: place.msn + 1, part: 0 };
    return events;
  }

  #closeReached(position: { msn: number; part: number; chunk: number }, events: CutEvent[]): void {
    const { grid, timescale } = this.#options;
    const segmentStart = gridStart(grid, position.msn, timescale);
    const end = this.#frontier ?? segmentStart;
    if (end >= segmentStart + (position.chunk + 1) * gridTicks(grid.chunkMs, timescale)) {
      this.#flushChunk(events);
    }
    if (end >= gridStart(grid, position.msn, timescale, position.part + 1)) {
      this.#closePart(events);
    }
  }

  #fillTo(target: Place, events: CutEvent[]): void {
    this.#place ??= { msn: target.msn, part: 0 };
    while (this.#isBefore(target)) {
      const { msn } = this.#place;
      if (this.#isSegmentOpen || msn === target.msn) {
        this.#openSegment(msn, events);
        this.#closePart(events);
      } else {
        const first = Math.max(msn, target.msn - this.#options.maxGapSegments);
        const start = this.#slot(first, 0);
        const duration = ticks(this.#slot(first + 1, 0) - start);
        events.push({ kind: 'gap', msn: first, start, duration });
        this.#place = { msn: first + 1, part: 0 };
      }
    }
  }

  #isBefore(target: Place): boolean {
    const { msn, part } = this.#place ?? target;
    return msn < target.msn || (msn === target.msn && part < target.part);
  }

  #openSegment(msn: number, events: CutEvent[]): void {
    if (!this.#isSegmentOpen) {
      this.#isSegmentOpen = true;
      events.push({ kind: 'open', msn, start: this.#slot(msn, 0) });
    }
  }

  #noteInPart(sample: Sample): void {
    const { grid, timescale, sampleTicks } = this.#options;
    if (this.#partBegin === undefined) {
      const { msn, part } = gridPosition(grid, sample.dts, timescale);
      this.#partBegin = sample.dts;
      this.#isPartIndependent = sample.isSync;
      this.#isPartWhole = sample.dts - gridStart(grid, msn, timescale, part) < sampleTicks;
    } else if (sample.dts !== this.#frontier) {
      this.#isPartWhole = false;
    }
  }

  #closePart(events: CutEvent[]): void {
    const place = this.#place;
    if (place === undefined) {
      return;
    }
    this.#flushChunk(events);
    const { msn, part } = place;
    const end = this.#frontier;
    const isReached =
      end !== undefined &&
      end >= gridStart(this.#options.grid, msn, this.#options.timescale, part + 1);
    const slotTicks = this.#slot(msn, part + 1) - this.#slot(msn, part);
    // A part with a hole keeps its place on the timeline: what stands behind it does not move.
    const isExact = this.#partBegin !== undefined && this.#isPartWhole && isReached;
    events.push({
      kind: 'part',
      msn,
      index: part,
      duration: ticks(isExact ? end - (this.#partBegin ?? end) : slotTicks),
      isIndependent: this.#isPartIndependent,
      isGap: this.#partBegin === undefined,
    });
    this.#partBegin = undefined;
    this.#isPartWhole = true;
    this.#isPartIndependent = false;
    if (part + 1 < this.#partsPerSegment) {
      this.#place = { msn, part: part + 1 };
    } else {
      events.push({ kind: 'close', msn });
      this.#isSegmentOpen = false;
      this.#place = { msn: msn + 1, part: 0 };
    }
  }

  #flushChunk(events: CutEvent[]): void {
    if (this.#chunk.length > 0) {
      events.push({ kind: 'chunk', msn: this.#place?.msn ?? 0, samples: this.#chunk });
      this.#chunk = [];
    }
    this.#chunkIndex = -1;
  }

  /** Where the first sample of a part belongs: on the grid, or the next one by the encoder's count. */
  #slot(msn: number, part: number): Ticks {
    const { grid, timescale, sampleTicks, isFreePhase } = this.#options;
    const start = gridStart(grid, msn, timescale, part);
    if (!isFreePhase) {
      return start;
    }
    const late = (((this.#phase - start) % sampleTicks) + sampleTicks) % sampleTicks;
    return ticks(start + late);
  }
}
