/**
 * Whose sample is next: publishers of one track wait in a row, and the rules of architecture §2 say
 * who is followed. Pure. The followed one's samples go at once; the others' are held while they may
 * still be needed, so that a change-over goes on at the very sample where the last one ended.
 */
import { type Grid, gridPosition, gridStart, gridTicks } from '../../infra/kernel/grid.ts';
import type { Sample } from '../cmaf/index.ts';
import type { SegmentClaims } from './claims.ts';
import type { Cutter } from './cutter.ts';
import { Fences, type PublisherIdentity, relationTo } from './follow.ts';
import type { TrackHeader } from './trackHeader.ts';

/** One connection that publishes a track. */
export type Publisher = PublisherIdentity & {
  readonly header: TrackHeader;
  /** A changed header may not take over before this segment; Infinity while its era is agreed on. */
  fromMsn: number;
  /** Its connection has ended. */
  isGone: boolean;
  /** It was found on disk: what it left open is its own to go on with. */
  readonly isRestored: boolean;
  /** Samples whose turn has not come, oldest first. */
  readonly ahead: Sample[];
  /** It was late at a boundary: it gets this one instead. */
  heirFrom: number | undefined;
  /** Newest decode time that it sent. */
  newest: number;
};

/** Next sample to cut, and who made it. */
export type Turn = { readonly publisher: Publisher; readonly sample: Sample };

/** What the rules look at. */
export type TurnsOptions = {
  readonly grid: Grid;
  readonly timescale: number;
  readonly sampleTicks: number;
  readonly cutter: Pick<Cutter, 'frontier' | 'msn' | 'firstFreeMsn' | 'isSegmentStart'>;
  readonly claims: SegmentClaims;
  readonly openEra: (publisher: Publisher) => number;
  /** Header of the era that segment `msn` is in, where a segment of it has begun. */
  readonly headerOf: (msn: number) => TrackHeader | undefined;
};

// Of one track: two slots, each with a successor, and connections that have not yet been missed.
const MAX_CANDIDATES = 8;

/** A publisher that has sent nothing yet. */
export function newPublisher(
  identity: PublisherIdentity,
  header: TrackHeader,
  isRestored = false,
): Publisher {
  return {
    slot: identity.slot,
    epoch: identity.epoch,
    header,
    fromMsn: 0,
    isGone: isRestored,
    isRestored,
    ahead: [],
    heirFrom: undefined,
    newest: -1,
  };
}

/** See the file header. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #segmentTicks: number;
  readonly #partTicks: number;
  readonly #fences = new Fences();
  #followed: Publisher | undefined;
  #candidates: readonly Publisher[] = [];

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#segmentTicks = gridTicks(options.grid.segmentMs, options.timescale);
    this.#partTicks = gridTicks(options.grid.partMs, options.timescale);
  }

  get followed(): Publisher | undefined {
    return this.#followed;
  }

  isFenced(identity: PublisherIdentity): boolean {
    return this.#fences.isFenced(identity);
  }

  /** Remembers who made what was found on disk. */
  resume(made: PublisherIdentity & { readonly header: TrackHeader }): void {
    this.#follow(newPublisher(made, made.header, true));
  }

  join(publisher: Publisher): void {
    const others = this.#candidates.filter(
      (other) =>
        !other.isGone && (other.slot !== publisher.slot || relationTo(publisher, other) !== 'same'),
    );
    this.#candidates = [...others.slice(1 - MAX_CANDIDATES), publisher];
  }

  /** Puts a sample in the row. The same publisher on another connection takes its own place. */
  wait(publisher: Publisher, sample: Sample): void {
    const followed = this.#followed;
    publisher.newest = sample.dts;
    if (followed !== undefined && followed !== publisher) {
      const relation = relationTo(publisher, followed);
      if (relation === 'same') {
        this.#follow(publisher);
      } else if (relation === 'newer' && this.#isLate(sample)) {
        publisher.heirFrom ??= Math.max(this.#firstFree, this.#firstMsnOf(publisher, followed));
      }
    }
    publisher.ahead.push(sample);
    const most = Math.ceil((2 * this.#segmentTicks) / this.#options.sampleTicks);
    if (publisher.ahead.length > most) {
      publisher.ahead.shift();
    }
  }

  /** The next sample that may be cut; undefined while everything has to wait. */
  next(): Turn | undefined {
    for (;;) {
      const followed = this.#followed;
      const sample = followed?.ahead[0];
      if (followed !== undefined && sample !== undefined) {
        const { msn } = gridPosition(this.#options.grid, sample.dts, this.#options.timescale);
        const heir = msn < this.#firstFree ? undefined : this.#heirOf(followed, msn);
        if (heir !== undefined) {
          this.#follow(heir);
          continue;
        }
        followed.ahead.shift();
        if (this.#fits(sample, msn)) {
          return { publisher: followed, sample };
        }
        continue;
      }
      const candidate = followed === undefined ? this.#beginner() : this.#candidate(followed);
      if (candidate === undefined) {
        return undefined;
      }
      this.#follow(candidate);
    }
  }

  get #firstFree(): number {
    return this.#options.cutter.firstFreeMsn ?? 0;
  }

  #follow(publisher: Publisher): void {
    const old = this.#followed;
    this.#fences.note(publisher);
    this.#followed = publisher;
    const others = this.#candidates.filter(
      (other) => other !== publisher && !this.#fences.isFenced(other),
    );
    const standsBy = old !== undefined && !old.isGone && relationTo(old, publisher) === 'standby';
    this.#candidates = standsBy ? [...others, old] : others;
  }

  #fits(sample: Sample, msn: number): boolean {
    const { cutter, sampleTicks } = this.#options;
    const missing = sample.dts - (cutter.frontier ?? sample.dts);
    // Pictures behind a hole refer to what is lost: decoding goes on at the next sync sample.
    return msn >= (cutter.msn ?? 0) && missing >= 0 && (missing < sampleTicks || sample.isSync);
  }

  /** Who begins segment `msn` instead of the followed publisher, whose first sample of it is here. */
  #heirOf(followed: Publisher, msn: number): Publisher | undefined {
    const { claims, grid, timescale } = this.#options;
    for (const other of this.#present()) {
      if (relationTo(other, followed) === 'newer') {
        const fromMsn = this.#firstMsnOf(other, followed);
        const start = this.#cleanStart(other, msn, msn);
        if (msn >= fromMsn && (start >= 0 || msn >= (other.heirFrom ?? Infinity))) {
          other.ahead.splice(0, Math.max(0, start));
          return other;
        }
      } else if (claims.of(msn) === other.slot && this.#mayHave(other, followed, msn)) {
        drop(other, ({ dts }) => dts < gridStart(grid, msn, timescale));
        return other;
      }
    }
    return undefined;
  }

  /** Whether the slot that claimed segment `msn` is there to make it: it has begun it or is about to. */
  #mayHave(other: Publisher, followed: Publisher, msn: number): boolean {
    const { grid, timescale } = this.#options;
    const isAboutTo =
      other.newest < gridStart(grid, msn, timescale) &&
      other.newest >= followed.newest - this.#segmentTicks / 2;
    return (
      other.slot !== followed.slot &&
      other.header.uri === followed.header.uri &&
      (isAboutTo || this.#cleanStart(other, msn, msn) >= 0)
    );
  }

  /** Who goes on while the followed publisher has nothing to say. */
  #candidate(followed: Publisher): Publisher | undefined {
    const { cutter } = this.#options;
    const frontier = cutter.frontier ?? 0;
    for (const other of this.#present()) {
      drop(other, ({ dts }) => dts < frontier);
      const [first] = other.ahead;
      const last = other.ahead.at(-1);
      if (first === undefined || last === undefined) {
        continue;
      }
      // A connection that is there and says nothing for a whole segment counts as gone.
      const isSilent = last.dts - frontier >= this.#segmentTicks;
      const isNewer = relationTo(other, followed) === 'newer';
      const isFree = followed.isGone || (isSilent && !isNewer);
      const continues = first.dts === frontier && other.header.uri === followed.header.uri;
      if (isFree && continues && !followed.isRestored) {
        return other;
      }
      const fromMsn = this.#firstMsnOf(other, followed);
      const start = this.#cleanStart(other, Math.max(fromMsn, this.#firstFree), Infinity);
      const sample = other.ahead[start];
      if (sample !== undefined && (isFree || this.#isTurn(other, sample, isNewer, last))) {
        other.ahead.splice(0, start);
        return other;
      }
    }
    return undefined;
  }

  /** Whether a present publisher gives way at `start`, where `other` begins a segment. */
  #isTurn(other: Publisher, start: Sample, isNewer: boolean, last: Sample): boolean {
    const { claims, cutter, grid, sampleTicks, timescale } = this.#options;
    const isReached = start.dts - (cutter.frontier ?? 0) < sampleTicks;
    // The old one's last samples are still on their way; one part is long enough for them.
    const isOverdue = last.dts - start.dts >= this.#partTicks;
    const { msn } = gridPosition(grid, start.dts, timescale);
    return isNewer ? isReached || isOverdue : isReached && claims.of(msn) === other.slot;
  }

  /** Who begins where nobody has: the claimed slot, if it is here. */
  #beginner(): Publisher | undefined {
    const { claims, cutter, grid, timescale } = this.#options;
    const present = this.#present();
    for (const other of present) {
      drop(other, (sample) => !this.#isCleanStart(sample));
      const start = this.#cleanStart(other, Math.max(other.fromMsn, cutter.msn ?? 0), Infinity);
      const sample = other.ahead[start];
      if (sample === undefined) {
        continue;
      }
      const { msn } = gridPosition(grid, sample.dts, timescale);
      const claim = claims.askFirst(msn, other.slot);
      const isHere = claim === 'pending' || present.some(({ slot }) => slot === claim);
      const isPatient = (other.ahead.at(-1)?.dts ?? 0) - sample.dts < this.#segmentTicks;
      if (claim !== undefined && claim !== other.slot && isHere && isPatient) {
        continue;
      }
      other.ahead.splice(0, start);
      return other;
    }
    return undefined;
  }

  /** Connected publishers that are not followed; the newest of a slot first. */
  #present(): readonly Publisher[] {
    if (this.#candidates.some(({ isGone }) => isGone)) {
      this.#candidates = this.#candidates.filter(({ isGone }) => !isGone);
    }
    return this.#candidates.length < 2
      ? this.#candidates
      : [...this.#candidates].sort((a, b) => (relationTo(a, b) === 'newer' ? -1 : 0));
  }

  /**
   * First segment that `publisher` may begin. An era has one header: one that was opened for this
   * publisher but begun by the other is lost to it.
   */
  #firstMsnOf(publisher: Publisher, followed: Publisher): number {
    const isChanged = publisher.header.uri !== followed.header.uri;
    if (isChanged && publisher.fromMsn !== Infinity) {
      const taken = this.#options.headerOf(this.#firstFree);
      if (taken !== undefined && taken.uri !== publisher.header.uri) {
        publisher.fromMsn = this.#options.openEra(publisher);
      }
    }
    return publisher.fromMsn;
  }

  /** Index of the first waiting sample that begins a segment from `fromMsn` to `toMsn`; -1 if none. */
  #cleanStart(publisher: Publisher, fromMsn: number, toMsn: number): number {
    const { grid, timescale } = this.#options;
    return publisher.ahead.findIndex((sample) => {
      const { msn } = gridPosition(grid, sample.dts, timescale);
      return msn >= fromMsn && msn <= toMsn && this.#isCleanStart(sample);
    });
  }

  #isLate(sample: Sample): boolean {
    const { grid, timescale } = this.#options;
    const { msn } = gridPosition(grid, sample.dts, timescale);
    return msn < this.#firstFree && this.#isCleanStart(sample);
  }

  #isCleanStart(sample: Sample): boolean {
    return sample.isSync && this.#options.cutter.isSegmentStart(sample.dts);
  }
}

/** Drops waiting samples from the front for as long as `isUseless`. */
function drop(publisher: Publisher, isUseless: (sample: Sample) => boolean): void {
  const keep = publisher.ahead.findIndex((sample) => !isUseless(sample));
  publisher.ahead.splice(0, keep < 0 ? publisher.ahead.length : keep);
}
