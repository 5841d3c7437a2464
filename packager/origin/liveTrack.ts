/**
 * One track while it lives: samples of whoever is followed (turns.ts) are cut (cutter.ts), kept
 * (segmentRing.ts) and told to the archive. Leaves eras and what tracks mean to each other to
 * liveBroadcast.ts.
 */
import { type Grid, gridPosition } from '../../infra/kernel/grid.ts';
import { type Ticks, type UnixMs, unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Sample } from '../cmaf/index.ts';
import { BandwidthMeter } from './bandwidth.ts';
import type { SegmentClaims } from './claims.ts';
import { type CutEvent, Cutter } from './cutter.ts';
import type { PublisherIdentity } from './follow.ts';
import { restoreTrack } from './restore.ts';
import type { Loss } from './seals.ts';
import { segmentRecord, SegmentRing, type StoredSegment } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';
import type { Archive, RestoredTrack } from './storage.ts';
import type { Publisher } from './publisher.ts';
import { Turns } from './turns.ts';

/** What became of a sample; `dropped` also while it waits for its publisher's turn. */
export type Verdict = 'taken' | 'dropped' | 'fenced';

/** What changed: `part` where a playlist reads differently now, `chunk` where only bytes were added. */
export type Change = 'none' | 'chunk' | 'part';

/** What a track is made of. */
export type LiveTrackOptions = {
  readonly broadcastId: string;
  readonly name: string;
  readonly header: TrackHeader;
  readonly grid: Grid;
  readonly ringSegments: number;
  readonly windowSegments: number;
  readonly archive: Archive | undefined;
  readonly claims: SegmentClaims;
  readonly nowMs: (() => number) | undefined;
  /** Asks other origins for the end of a publisher that is lost, for `settle`. */
  readonly onLoss: ((loss: Loss) => void) | undefined;
  readonly eraOf: (msn: number) => number;
  /** Opens an era for a header that has none, and gives its first segment; Infinity while it is agreed on. */
  readonly openEra: (publisher: Publisher) => number;
};

/** See the file header. */
export class LiveTrack {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly ring: SegmentRing;
  readonly bandwidth = new BandwidthMeter();
  /** Header file of each era. */
  readonly headers = new Map<number, TrackHeader>();
  readonly #options: LiveTrackOptions;
  readonly #timescale: number;
  readonly #cutter: Cutter;
  readonly #turns: Turns;
  /** Who made the newest bytes: after a restart it may go on with the segment that is open. */
  #maker: PublisherIdentity | undefined;
  #untold: Uint8Array | undefined;
  #gapSegments = 0;

  constructor(options: LiveTrackOptions) {
    const { init } = options.header;
    this.#options = options;
    this.name = options.name;
    this.kind = init.kind;
    this.#timescale = init.timescale;
    const sampleTicks = init.kind === 'video' ? init.timescale / options.grid.fps : 1024;
    this.ring = new SegmentRing(options.ringSegments);
    this.#cutter = new Cutter({
      grid: options.grid,
      timescale: init.timescale,
      sampleTicks,
      isFreePhase: init.kind === 'audio',
      maxGapSegments: options.windowSegments,
    });
    this.#turns = new Turns({
      grid: options.grid,
      timescale: init.timescale,
      sampleTicks,
      cutter: this.#cutter,
      claims: options.claims,
      nowMs: options.nowMs,
      onLoss: options.onLoss,
      openEra: options.openEra,
      headerOf: (msn) => this.headers.get(options.eraOf(msn)),
    });
  }

  get timescale(): number {
    return this.#timescale;
  }

  /** First decode time that is missing; undefined before the first sample. */
  get frontier(): Ticks | undefined {
    return this.#cutter.frontier;
  }

  /** The frontier as an instant. */
  get frontierMs(): UnixMs | undefined {
    const { frontier } = this.#cutter;
    return frontier === undefined ? undefined : unixMsFromTicks(frontier, this.#timescale);
  }

  /** Segment that the frontier is in: everything before it is complete. */
  get frontierMsn(): number | undefined {
    const { frontier } = this.#cutter;
    return frontier === undefined
      ? undefined
      : gridPosition(this.#options.grid, frontier, this.#timescale).msn;
  }

  /** Lowest number that no bytes carry yet. */
  get firstFreeMsn(): number | undefined {
    return this.#cutter.firstFreeMsn;
  }

  get followed(): Publisher | undefined {
    return this.#turns.followed;
  }

  /** Gap segments listed so far. */
  get gapSegments(): number {
    return this.#gapSegments;
  }

  /** Header of the newest era that has one. */
  get newestHeader(): TrackHeader | undefined {
    return this.followed?.header ?? [...this.headers.values()].at(-1);
  }

  /** Whether a publisher of this identity has been overtaken. */
  isFenced(identity: PublisherIdentity): boolean {
    return this.#turns.isFenced(identity);
  }

  /** From `msn` on, what misses is GAP, also before the first sample. */
  beginAt(msn: number): void {
    this.#cutter.beginAt(msn);
  }

  /** Goes on with what was found on disk; whoever made it is remembered as gone. */
  restore(restored: RestoredTrack): void {
    for (const [era, header] of restored.headers) {
      this.headers.set(era, header);
    }
    const { broadcastId, grid, archive } = this.#options;
    const { publisher, completed } = restoreTrack(restored, {
      grid,
      timescale: this.#timescale,
      ring: this.ring,
      cutter: this.#cutter,
    });
    if (completed !== undefined) {
      archive?.complete(broadcastId, this.name, completed);
    }
    const header = [...restored.headers.values()].at(-1);
    this.#maker = publisher;
    if (header !== undefined && publisher !== undefined) {
      this.#turns.resume({ ...publisher, header });
    }
    const { newest } = this.ring;
    if (publisher !== undefined && newest?.isGap === false) {
      // The process that died had asked; who makes the next segment is as it was.
      this.#options.claims.askAhead(newest.msn, publisher);
    }
    this.bandwidth.measure(this.ring.segments, this.#timescale);
  }

  /** A publisher is here, before its first sample. */
  join(publisher: Publisher): void {
    this.#turns.join(publisher);
  }

  /** Offers a sample of `publisher`; it is taken where the rules of §2 follow that publisher. */
  offer(publisher: Publisher, sample: Sample): { verdict: Verdict; change: Change } {
    if (this.isFenced(publisher)) {
      return { verdict: 'fenced', change: 'none' };
    }
    this.#turns.wait(publisher, sample);
    const taken = new Set<Sample>();
    const change = this.#run(taken);
    const isTaken = taken.has(sample);
    return {
      verdict: this.isFenced(publisher) ? 'fenced' : isTaken ? 'taken' : 'dropped',
      change,
    };
  }

  /** Takes what waits, after something else than a sample changed whose turn it is. */
  pump(): Change {
    return this.#run(new Set());
  }

  /** What the other origins have beyond us of a publisher that is lost: whoever waits goes on. */
  settle(loss: Loss, samples: readonly Sample[]): Change {
    this.#turns.settle(loss, samples);
    return this.pump();
  }

  /** Another origin has lost a publisher. @returns what we have of it from there on */
  lostElsewhere(loss: Loss): Sample[] {
    return this.#turns.lostElsewhere(loss);
  }

  /** Who of `maker`'s slot is here to make segment `msn` in its place. */
  successorOf(maker: PublisherIdentity, msn: number): PublisherIdentity | undefined {
    return this.#turns.successorOf(maker, msn);
  }

  /** Lists everything before segment `msn` as GAP: the other tracks are that far. */
  giveUpBefore(msn: number): Change {
    const header = this.followed?.header ?? this.newestHeader;
    return header === undefined
      ? 'none'
      : this.#apply(this.#cutter.skipTo(msn), header, this.#maker);
  }

  /** Closes what is open, for good. */
  end(): void {
    const header = this.newestHeader;
    if (header !== undefined) {
      this.#apply(this.#cutter.end(), header, this.#maker);
    }
  }

  #run(taken: Set<Sample>): Change {
    let change: Change = 'none';
    for (let turn = this.#turns.next(); turn !== undefined; turn = this.#turns.next()) {
      const { publisher, sample } = turn;
      const { msn } = gridPosition(this.#options.grid, sample.dts, this.#timescale);
      const events = this.#cutter.push(sample);
      change = mergeChange(change, this.#apply(events, publisher.header, publisher));
      this.#options.claims.used(msn, publisher);
      taken.add(sample);
    }
    return change;
  }

  #apply(
    events: readonly CutEvent[],
    header: TrackHeader,
    publisher: PublisherIdentity | undefined,
  ): Change {
    let isListed = false;
    for (const [index, event] of events.entries()) {
      const era = this.#options.eraOf(event.msn);
      const eraHeader = this.#headerOf(era, header);
      // A segment that only opens is not listed yet, but a new init segment is hinted at.
      const isNewEra = (this.ring.newest?.era ?? era) !== era;
      isListed ||= event.kind === 'open' ? isNewEra : event.kind !== 'chunk';
      if (event.kind === 'open' || event.kind === 'chunk') {
        this.#maker = publisher;
      }
      this.ring.apply(event, eraHeader, era);
      this.#gapSegments += event.kind === 'gap' ? 1 : 0;
      this.#tell(event, events[index + 1], eraHeader);
    }
    this.#forgetEras();
    return events.length === 0 ? 'none' : isListed ? 'part' : 'chunk';
  }

  /** The new header counts from the first segment of its era; a hole before it keeps the old one. */
  #headerOf(era: number, header: TrackHeader): TrackHeader {
    const known = this.headers.get(era);
    if (known === undefined) {
      this.headers.set(era, header);
      this.#options.archive?.header(this.#options.broadcastId, this.name, era, header);
    }
    return known ?? header;
  }

  /** Says what happened beyond the ring: to the archive, the meter, and for the next claim. */
  #tell(event: CutEvent, next: CutEvent | undefined, header: TrackHeader): void {
    const { archive, claims } = this.#options;
    const segment = this.ring.newest;
    if (event.kind === 'open' && this.#maker !== undefined) {
      claims.askAhead(event.msn, this.#maker);
    }
    if (event.kind === 'close') {
      this.bandwidth.measure(this.ring.segments, this.#timescale);
    }
    if (archive !== undefined && segment !== undefined) {
      this.#keep(archive, event, next, segment, header);
    }
  }

  /** Tells the archive; a chunk together with the part that it completes. */
  #keep(
    archive: Archive,
    event: CutEvent,
    next: CutEvent | undefined,
    segment: StoredSegment,
    header: TrackHeader,
  ): void {
    const { broadcastId } = this.#options;
    if (event.kind === 'chunk') {
      this.#untold = segment.chunks.at(-1);
    }
    const isTold = this.#untold !== undefined && (next?.kind !== 'part' || next.isGap);
    if (event.kind === 'part' && !isTold) {
      return;
    }
    const record = segmentRecord(segment, header.uri, this.#maker);
    if (event.kind === 'open') {
      archive.open(broadcastId, this.name, record);
    } else if (event.kind === 'gap') {
      archive.complete(broadcastId, this.name, record, segment.chunks);
    }
    if (isTold && this.#untold !== undefined) {
      archive.append(broadcastId, this.name, record, this.#untold);
      this.#untold = undefined;
    }
    if (event.kind === 'close') {
      archive.complete(broadcastId, this.name, record);
    }
  }

  #forgetEras(): void {
    if (this.headers.size < 2) {
      return;
    }
    const { archive, broadcastId } = this.#options;
    const oldest = Math.min(
      this.ring.segments[0]?.era ?? 0,
      archive?.list(broadcastId, this.name)[0]?.era ?? Infinity,
    );
    for (const era of this.headers.keys()) {
      if (era < oldest) {
        this.headers.delete(era);
      }
    }
  }
}

/** More of the two. */
export function mergeChange(a: Change, b: Change): Change {
  return a === 'part' || b === 'part' ? 'part' : a === 'chunk' || b === 'chunk' ? 'chunk' : 'none';
}
