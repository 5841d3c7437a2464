/**
 * Whose sample is next: publishers of one track wait in a row, and the rules of architecture §2 say
 * who is followed. Pure. The followed one's samples go at once; the others' are held while they may
 * still be needed, so that a change-over goes on at the very sample where the last one ended.
 */
import { type Grid, gridPosition, gridStart, gridTicks } from '../../infra/kernel/grid.ts';
import { type Ticks, ticks, unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Sample } from '../cmaf/index.ts';
import type { SegmentClaims } from './claims.ts';
import type { Cutter } from './cutter.ts';
import { Fences, isSamePublisher, type PublisherIdentity, relationTo } from './follow.ts';
import { newPublisher, type Publisher } from './publisher.ts';
import { type Loss, Seals } from './seals.ts';
import type { TrackHeader } from './trackHeader.ts';

/** Next sample to cut, and who made it. */
export type Turn = { readonly publisher: Publisher; readonly sample: Sample };

/** What the rules look at. */
export type TurnsOptions = {
  readonly grid: Grid;
  readonly timescale: number;
  readonly sampleTicks: number;
  readonly cutter: Pick<Cutter, 'frontier' | 'msn' | 'firstFreeMsn' | 'isSegmentStart'>;
  readonly claims: SegmentClaims;
  /** The clock; what was sent last is now where it is absent. */
  readonly nowMs: (() => number) | undefined;
  /** Asks other origins for the end of a publisher that is lost; absent: there are none. */
  readonly onLoss: ((loss: Loss) => void) | undefined;
  readonly openEra: (publisher: Publisher) => number;
  /** Header of the era that segment `msn` is in, where a segment of it has begun. */
  readonly headerOf: (msn: number) => TrackHeader | undefined;
};

// Of one track: two slots, each with a successor, and connections that have not yet been missed.
const MAX_CANDIDATES = 8;

/** See the file header. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #segmentTicks: number;
  readonly #partTicks: number;
  readonly #fences = new Fences();
  readonly #seals: Seals;
  #newestMs = 0;
  #awaited = { msn: -1, fromMs: 0 };
  #followed: Publisher | undefined;
  #candidates: readonly Publisher[] = [];

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#segmentTicks = gridTicks(options.grid.segmentMs, options.timescale);
    this.#partTicks = gridTicks(options.grid.partMs, options.timescale);
    // As far back as candidates wait: a sister that was stopped may ask for that much.
    this.#seals = new Seals(2 * this.#segmentTicks, options.onLoss);
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
    // Who has said nothing yet makes room first: one that stands by is not pushed out by it.
    const leaves = others.length < MAX_CANDIDATES - 1 ? undefined : this.#leastOf(others);
    this.#candidates = [...others.filter((other) => other !== leaves), publisher];
  }

  #leastOf(others: readonly Publisher[]): Publisher | undefined {
    return others.find(({ newest }) => newest < 0) ?? others[0];
  }

  /** Puts a sample in the row. The same publisher on another connection takes its own place. */
  wait(publisher: Publisher, sample: Sample): void {
    const followed = this.#followed;
    publisher.newest = sample.dts;
    this.#newestMs = Math.max(
      this.#newestMs,
      unixMsFromTicks(ticks(sample.dts + sample.duration), this.#options.timescale),
    );
    publisher.heardMs = this.#nowMs;
    publisher.firstHeardMs = Math.min(publisher.firstHeardMs, publisher.heardMs);
    this.#noteSuccessor(publisher, sample);
    if (followed !== undefined && followed !== publisher) {
      const relation = relationTo(publisher, followed);
      if (relation === 'same' && !this.#seals.isSealed(publisher)) {
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

  /** What the other origins have beyond us of a publisher that is lost. */
  settle(loss: Loss, samples: readonly Sample[]): void {
    this.#seals.settle(loss, samples);
  }

  /**
   * Another origin has lost a publisher: nothing more is taken of it here either, where another is
   * here to go on: one that is as far, for one that stands still would leave the track to nobody.
   *
   * @returns what was taken of it from `fromTicks` on
   */
  lostElsewhere(loss: Loss): Sample[] {
    const followed = this.#followed;
    if (
      followed !== undefined &&
      isSamePublisher(loss, followed) &&
      this.#present().some(
        (other) => !isSamePublisher(other, loss) && this.#isAsFarAs(followed, other),
      )
    ) {
      this.#seals.lose(followed, this.#options.cutter.frontier ?? 0);
    }
    return this.#seals.tail(loss, loss.fromTicks);
  }

  /**
   * Who of `maker`'s slot is here to make segment `msn` in its place: newer, and as far as who is
   * followed, or followed here already. The maker may never have made this track, which is the other
   * slot's then.
   */
  successorOf(maker: PublisherIdentity, msn: number): PublisherIdentity | undefined {
    const followed = this.#followed;
    if (followed === undefined || relationTo(followed, maker) === 'newer') {
      return followed;
    }
    return this.#present().find(
      (other) =>
        relationTo(other, maker) === 'newer' &&
        other.fromMsn <= msn &&
        this.#isAsFarAs(followed, other),
    );
  }

  /** The next sample that may be cut; undefined while everything has to wait. */
  next(): Turn | undefined {
    for (;;) {
      const followed = this.#followed;
      if (followed === undefined) {
        const beginner = this.#beginner();
        if (beginner === undefined) {
          return undefined;
        }
        this.#follow(beginner);
        continue;
      }
      const isSealed = this.#seals.isSealed(followed);
      const sample = isSealed ? this.#seals.owed() : followed.ahead[0];
      if (sample !== undefined) {
        const heir = isSealed ? undefined : this.#heirAt(followed, sample);
        if (heir === 'awaited') {
          return undefined;
        }
        if (heir !== undefined) {
          this.#follow(heir);
          continue;
        }
        if (!isSealed) {
          followed.ahead.shift();
        }
        if (this.#fits(sample, this.#msnOf(sample.dts))) {
          this.#seals.took(followed, sample);
          return { publisher: followed, sample };
        }
      } else if (!this.#goesOn(followed, isSealed)) {
        return undefined;
      }
    }
  }

  /** Who makes the followed publisher's next sample in its place; undefined: it does so itself. */
  #heirAt(followed: Publisher, { dts }: Sample): Publisher | 'awaited' | undefined {
    const msn = this.#msnOf(dts);
    return msn < this.#firstFree ? undefined : this.#heirOf(followed, msn);
  }

  /** Whether somebody is followed from here on, where the followed publisher has nothing to say. */
  #goesOn(followed: Publisher, isSealed: boolean): boolean {
    const candidate = this.#candidate(followed);
    if (candidate !== undefined) {
      this.#seals.split(this.#msnOf(this.#options.cutter.frontier ?? ticks(0)));
      this.#follow(candidate);
      return true;
    }
    if (isSealed && this.#isAlone(followed)) {
      this.#seals.lift();
      return true;
    }
    return false;
  }

  get #nowMs(): number {
    return this.#options.nowMs?.() ?? this.#newestMs;
  }

  #msnOf(dts: Ticks): number {
    return gridPosition(this.#options.grid, dts, this.#options.timescale).msn;
  }

  #isOtherSlot({ slot }: PublisherIdentity): boolean {
    return this.#followed !== undefined && this.#followed.slot !== slot;
  }

  /**
   * Whether a sealed publisher is the only one that could go on: better than nobody. Others count
   * while they are heard, or while what they have waits for the sisters' answer.
   */
  #isAlone(followed: Publisher): boolean {
    const waits = ({ ahead }: Publisher): boolean => ahead.length > 0 && !this.#seals.isSettled;
    const isHeard = ({ heardMs }: Publisher): boolean =>
      this.#nowMs - heardMs < this.#options.grid.segmentMs / 2;
    return (
      !followed.isGone &&
      !this.#present().some(
        (other) => !isSamePublisher(other, followed) && (waits(other) || isHeard(other)),
      )
    );
  }

  /** Where a slot stands by, a newer publisher of it fences off the older at its first segment. */
  #noteSuccessor(publisher: Publisher, sample: Sample): void {
    if (this.#isOtherSlot(publisher) && this.#isCleanStart(sample)) {
      this.#fences.note(publisher);
    }
  }

  get #firstFree(): number {
    return this.#options.cutter.firstFreeMsn ?? 0;
  }

  #follow(publisher: Publisher): void {
    const old = this.#followed;
    this.#fences.note(publisher);
    if (this.#seals.isSealed(publisher)) {
      this.#seals.lift();
    }
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
  #heirOf(followed: Publisher, msn: number): Publisher | 'awaited' | undefined {
    for (const other of this.#present()) {
      const isNewer = relationTo(other, followed) === 'newer';
      const heir =
        isNewer && this.#isUnclaimed(other, followed)
          ? this.#unclaimedHeir(other, followed, msn)
          : this.#claimedHeir(other, followed, msn);
      if (heir !== undefined) {
        return heir;
      }
    }
    return undefined;
  }

  #unclaimedHeir(other: Publisher, followed: Publisher, msn: number): Publisher | undefined {
    const start = this.#cleanStart(other, msn, msn);
    const fromMsn = this.#firstMsnOf(other, followed);
    if (msn < fromMsn || (start < 0 && msn < (other.heirFrom ?? Infinity))) {
      return undefined;
    }
    other.ahead.splice(0, Math.max(0, start));
    return other;
  }

  #claimedHeir(
    other: Publisher,
    followed: Publisher,
    msn: number,
  ): Publisher | 'awaited' | undefined {
    const { claims, grid, timescale } = this.#options;
    const isHeir =
      claims.isOf(msn, other) &&
      !this.#seals.isBarred(other, msn) &&
      other.header.uri === followed.header.uri;
    if (!isHeir) {
      return undefined;
    }
    if (this.#cleanStart(other, msn, msn) < 0) {
      if (!this.#isAboutTo(other, followed, msn)) {
        return undefined;
      }
      // To follow a newer one fences the older off: until it is there, both may be needed.
      if (relationTo(other, followed) === 'newer') {
        return this.#mayAwait(msn) ? 'awaited' : undefined;
      }
    }
    drop(other, ({ dts }) => dts < gridStart(grid, msn, timescale));
    return other;
  }

  /** Whether a newer publisher needs no claim: there is one origin, or its era was agreed on. */
  #isUnclaimed(other: Publisher, followed: Publisher): boolean {
    return !this.#options.claims.isShared || other.header.uri !== followed.header.uri;
  }

  /** Whether who claimed segment `msn` has not begun it here but is about to. */
  #isAboutTo(other: Publisher, followed: Publisher, msn: number): boolean {
    const { grid, timescale } = this.#options;
    return other.newest < gridStart(grid, msn, timescale) && this.#isAsFarAs(followed, other);
  }

  /** Whether segment `msn` waits yet for who claimed it: for a part, from when it was due. */
  #mayAwait(msn: number): boolean {
    if (this.#awaited.msn !== msn) {
      this.#awaited = { msn, fromMs: this.#nowMs };
    }
    return this.#nowMs - this.#awaited.fromMs < this.#options.grid.partMs;
  }

  /** Whether `other` is about where the followed publisher is. */
  #isAsFarAs(followed: Publisher, other: Publisher): boolean {
    return other.newest >= 0 && other.newest >= followed.newest - this.#segmentTicks / 2;
  }

  /** Who goes on while the followed publisher has nothing to say. */
  #candidate(followed: Publisher): Publisher | undefined {
    const frontier = this.#options.cutter.frontier ?? 0;
    const isSealed = this.#seals.isSealed(followed);
    for (const other of this.#present()) {
      drop(other, ({ dts }) => dts < frontier);
      const isSame = isSamePublisher(other, followed);
      if (other.ahead.length === 0 || (isSealed && isSame) || this.#isAwaited(followed, other)) {
        continue;
      }
      const isFree = isSealed || followed.isGone || this.#isSilent(followed, other, frontier);
      const isSplit = isFree && !isSame && !followed.isRestored;
      // All origins split the segment at one sample.
      if (isSplit && !this.#seals.lose(followed, frontier)) {
        return undefined;
      }
      const at = this.#placeOf(other, followed, isFree);
      if (at >= 0) {
        other.ahead.splice(0, at);
        return other;
      }
    }
    return undefined;
  }

  /** Whether who made what was found on disk has the length of a part to come back in. */
  #isAwaited(followed: Publisher, other: Publisher): boolean {
    return (
      followed.isRestored &&
      relationTo(other, followed) === 'standby' &&
      this.#nowMs - other.firstHeardMs < this.#options.grid.partMs
    );
  }

  /** Index of the waiting sample that `other` goes on with; -1 where it may not, or cannot. */
  #placeOf(other: Publisher, followed: Publisher, isFree: boolean): number {
    const isSameHeader = other.header.uri === followed.header.uri;
    const continues = other.ahead[0]?.dts === (this.#options.cutter.frontier ?? 0) && isSameHeader;
    if (isFree && continues && !followed.isRestored) {
      return 0;
    }
    const fromMsn = this.#firstMsnOf(other, followed);
    const start = this.#cleanStart(other, Math.max(fromMsn, this.#firstFree), Infinity);
    const [sample, last] = [other.ahead[start], other.ahead.at(-1)];
    return sample !== undefined &&
      last !== undefined &&
      (isFree || this.#isTurn(other, followed, sample, last))
      ? start
      : -1;
  }

  /**
   * A connection that is there and says nothing counts as gone once the other is a part ahead and
   * that long has passed: by media alone who only catches up would look silent.
   */
  #isSilent(followed: Publisher, other: Publisher, frontier: number): boolean {
    const { grid, nowMs, timescale } = this.#options;
    // Without a clock a whole segment of the other says it.
    const silentMs = nowMs === undefined ? grid.segmentMs : grid.partMs;
    return (
      (other.ahead.at(-1)?.dts ?? 0) - frontier >= gridTicks(silentMs, timescale) &&
      this.#nowMs - followed.heardMs >= silentMs
    );
  }

  /** Whether a present publisher gives way at `start`, where `other` begins a segment. */
  #isTurn(other: Publisher, followed: Publisher, start: Sample, last: Sample): boolean {
    const { claims, cutter, sampleTicks } = this.#options;
    const msn = this.#msnOf(start.dts);
    if (this.#seals.isBarred(other, msn)) {
      return false;
    }
    const isReached = start.dts - (cutter.frontier ?? 0) < sampleTicks;
    // The old one's last samples are still on their way; one part is long enough for them.
    const isOverdue = last.dts - start.dts >= this.#partTicks;
    return relationTo(other, followed) === 'newer' && this.#isUnclaimed(other, followed)
      ? isReached || isOverdue
      : isReached && claims.isOf(msn, other);
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
      const claim = claims.askFirst(msn, other);
      const isOthers =
        claim !== undefined &&
        (claim === 'pending' ||
          (!isSamePublisher(claim, other) && present.some((one) => isSamePublisher(one, claim))));
      if (isOthers && this.#nowMs - other.firstHeardMs < grid.segmentMs) {
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
