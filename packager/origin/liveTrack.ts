/**
 * One track while it lives: which publisher's samples are taken (follow.ts), where they are cut
 * (cutter.ts) and what is kept (segmentRing.ts). Leaves eras and what tracks mean to each other to
 * liveBroadcast.ts.
 */
import { type Grid, gridPosition } from '../../infra/kernel/grid.ts';
import type { Ticks } from '../../infra/kernel/time.ts';
import type { Sample } from '../cmaf/index.ts';
import { type CutEvent, Cutter } from './cutter.ts';
import { type PublisherIdentity, relationTo } from './follow.ts';
import { SegmentRing, type TrackHeader } from './segmentRing.ts';

/** One connection that publishes a track. */
export type Publisher = PublisherIdentity & {
  readonly header: TrackHeader;
  /** A changed header may not take over before this segment; put off where its era went on without it. */
  fromMsn: number;
  /** Its connection has ended. */
  isGone: boolean;
};

/** What became of a sample. */
export type Verdict = 'taken' | 'dropped' | 'fenced';

/** What changed: `part` where a playlist reads differently now, `chunk` where only bytes were added. */
export type Change = 'none' | 'chunk' | 'part';

/** See the file header. */
export class LiveTrack {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly ring: SegmentRing;
  /** Header file of each era. */
  readonly headers = new Map<number, TrackHeader>();
  readonly #grid: Grid;
  readonly #timescale: number;
  readonly #sampleTicks: number;
  readonly #cutter: Cutter;
  readonly #eraOf: (msn: number) => number;
  readonly #openEra: () => number;
  #followed: Publisher | undefined;
  #successor: { readonly publisher: Publisher; readonly fromMsn: number } | undefined;
  #gapSegments = 0;

  constructor(options: {
    readonly name: string;
    readonly header: TrackHeader;
    readonly grid: Grid;
    readonly ringSegments: number;
    readonly windowSegments: number;
    readonly eraOf: (msn: number) => number;
    /** Opens an era for a header that has none, and gives its first segment. */
    readonly openEra: () => number;
  }) {
    const { init } = options.header;
    this.name = options.name;
    this.kind = init.kind;
    this.#grid = options.grid;
    this.#timescale = init.timescale;
    this.#sampleTicks = init.kind === 'video' ? init.timescale / options.grid.fps : 1024;
    this.#eraOf = options.eraOf;
    this.#openEra = options.openEra;
    this.ring = new SegmentRing(options.ringSegments);
    this.#cutter = new Cutter({
      grid: options.grid,
      timescale: init.timescale,
      sampleTicks: this.#sampleTicks,
      isFreePhase: init.kind === 'audio',
      maxGapSegments: options.windowSegments,
    });
  }

  get timescale(): number {
    return this.#timescale;
  }

  /** First decode time that is missing; undefined before the first sample. */
  get frontier(): Ticks | undefined {
    return this.#cutter.frontier;
  }

  /** Segment that the frontier is in: everything before it is complete. */
  get frontierMsn(): number | undefined {
    const { frontier } = this.#cutter;
    return frontier === undefined
      ? undefined
      : gridPosition(this.#grid, frontier, this.#timescale).msn;
  }

  /** Lowest number that no bytes carry yet. */
  get firstFreeMsn(): number | undefined {
    return this.#cutter.firstFreeMsn;
  }

  get followed(): Publisher | undefined {
    return this.#followed;
  }

  /** Gap segments listed so far. */
  get gapSegments(): number {
    return this.#gapSegments;
  }

  /** Whether a publisher of this identity has been overtaken. */
  isFenced(identity: PublisherIdentity): boolean {
    return this.#followed !== undefined && relationTo(identity, this.#followed) === 'older';
  }

  /** From `msn` on, what misses is GAP, also before the first sample. */
  beginAt(msn: number): void {
    this.#cutter.beginAt(msn);
  }

  /** Offers a sample of `publisher`; it is taken only where the rules of §2 follow that publisher. */
  offer(publisher: Publisher, sample: Sample): { verdict: Verdict; change: Change } {
    const verdict = this.#judge(publisher, sample);
    if (verdict !== 'taken') {
      return { verdict, change: 'none' };
    }
    return { verdict, change: this.#apply(this.#cutter.push(sample), publisher.header) };
  }

  /** Lists everything before segment `msn` as GAP: the other tracks are that far. */
  giveUpBefore(msn: number): Change {
    const header = this.#followed?.header;
    return header === undefined ? 'none' : this.#apply(this.#cutter.skipTo(msn), header);
  }

  #apply(events: readonly CutEvent[], header: TrackHeader): Change {
    let isListed = false;
    for (const event of events) {
      const era = this.#eraOf(event.msn);
      // The new header counts from the first segment of its era; a hole before it keeps the old one.
      const eraHeader = this.headers.get(era) ?? header;
      this.headers.set(era, eraHeader);
      // A segment that only opens is not listed yet, but a new init segment is hinted at.
      const isNewEra = (this.ring.newest?.era ?? era) !== era;
      isListed ||= event.kind === 'open' ? isNewEra : event.kind !== 'chunk';
      this.ring.apply(event, eraHeader, era);
      this.#gapSegments += event.kind === 'gap' ? 1 : 0;
    }
    this.#forgetEras();
    return events.length === 0 ? 'none' : isListed ? 'part' : 'chunk';
  }

  #forgetEras(): void {
    const oldest = this.ring.segments[0]?.era ?? 0;
    for (const era of this.headers.keys()) {
      if (era < oldest) {
        this.headers.delete(era);
      }
    }
  }

  #judge(publisher: Publisher, sample: Sample): Verdict {
    const followed = this.#followed;
    const { msn } = gridPosition(this.#grid, sample.dts, this.#timescale);
    if (msn < (this.#cutter.msn ?? 0)) {
      return followed !== undefined && relationTo(publisher, followed) === 'older'
        ? 'fenced'
        : this.#noteNewer(publisher, sample);
    }
    if (followed === undefined) {
      return this.#begin(publisher, sample, msn);
    }
    if (followed === publisher) {
      return this.#continue(publisher, sample, msn);
    }
    switch (relationTo(publisher, followed)) {
      case 'older':
        return 'fenced';
      case 'same':
        this.#followed = publisher;
        return this.#continue(publisher, sample, msn);
      case 'newer':
        return this.#takeOver(publisher, followed, sample, msn);
      case 'standby':
        return followed.isGone ? this.#takeOver(publisher, followed, sample, msn) : 'dropped';
    }
  }

  #begin(publisher: Publisher, sample: Sample, msn: number): Verdict {
    if (!this.#isCleanStart(sample) || msn < publisher.fromMsn) {
      return 'dropped';
    }
    this.#followed = publisher;
    return 'taken';
  }

  #continue(publisher: Publisher, sample: Sample, msn: number): Verdict {
    const successor = this.#successor;
    if (successor !== undefined && msn >= successor.fromMsn) {
      this.#successor = undefined;
      if (!successor.publisher.isGone && successor.publisher !== publisher) {
        this.#followed = successor.publisher;
        return 'fenced';
      }
    }
    const missing = sample.dts - (this.#cutter.frontier ?? sample.dts);
    if (missing < 0) {
      return 'dropped';
    }
    // Pictures behind a hole refer to what is lost: decoding goes on at the next sync sample.
    const isHole = missing >= this.#sampleTicks;
    return isHole && !sample.isSync ? 'dropped' : 'taken';
  }

  #takeOver(publisher: Publisher, followed: Publisher, sample: Sample, msn: number): Verdict {
    if (msn >= this.#firstMsnOf(publisher, followed)) {
      const isFree = msn >= (this.#cutter.firstFreeMsn ?? 0);
      const continues =
        followed.isGone &&
        publisher.header.uri === followed.header.uri &&
        sample.dts === this.#cutter.frontier;
      if ((isFree && this.#isCleanStart(sample)) || continues) {
        this.#followed = publisher;
        this.#successor = undefined;
        return 'taken';
      }
    }
    return this.#noteNewer(publisher, sample);
  }

  /** A newer publisher that is a little late gets the next segment that nobody has opened. */
  #noteNewer(publisher: Publisher, sample: Sample): Verdict {
    const followed = this.#followed;
    if (
      followed !== undefined &&
      this.#successor?.publisher !== publisher &&
      relationTo(publisher, followed) === 'newer' &&
      this.#isCleanStart(sample)
    ) {
      const fromMsn = Math.max(
        this.#cutter.firstFreeMsn ?? 0,
        this.#firstMsnOf(publisher, followed),
      );
      this.#successor = { publisher, fromMsn };
    }
    return 'dropped';
  }

  /**
   * First segment that `publisher` may begin. An era has one header: one that was opened for this
   * publisher but begun by the other is lost to it.
   */
  #firstMsnOf(publisher: Publisher, followed: Publisher): number {
    const taken = this.headers.get(this.#eraOf(this.#cutter.firstFreeMsn ?? 0));
    const isChanged = publisher.header.uri !== followed.header.uri;
    if (isChanged && taken !== undefined && taken.uri !== publisher.header.uri) {
      publisher.fromMsn = this.#openEra();
    }
    return publisher.fromMsn;
  }

  #isCleanStart(sample: Sample): boolean {
    return sample.isSync && this.#cutter.isSegmentStart(sample.dts);
  }
}
