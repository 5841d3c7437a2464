/**
 * A broadcast while it lives: its tracks, the eras of its headers, its sessions, and the rules
 * between tracks (architecture §2). State without sockets or timers; the handlers feed it and read
 * it. What players are told of it is presentation.ts.
 */
import type { Agreement } from '../../infra/kernel/directory.ts';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { type UnixMs, unixMs, unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Broadcast, OriginStatus } from '../../infra/kernel/wire.ts';
import type { Sample } from '../cmaf/index.ts';
import type { DateRange, Presentation } from '../playlists/model.ts';
import { SegmentClaims } from './claims.ts';
import { DateRanges } from './dateRanges.ts';
import { Eras } from './eras.ts';
import type { PublisherIdentity } from './follow.ts';
import { type Change, LiveTrack, mergeChange, type Verdict } from './liveTrack.ts';
import {
  type Depth,
  present,
  type PresentationSource,
  statusOf,
  type View,
} from './presentation.ts';
import type { TrackHeader } from './trackHeader.ts';
import type { Archive, EraRecord, RestoredBroadcast } from './storage.ts';
import { trackHeader } from './trackHeader.ts';
import { Sisters } from './sisters.ts';
import { newPublisher, type Publisher } from './turns.ts';

export type { Depth } from './presentation.ts';

/** Told of each track that changed. */
export type ChangeListener = (trackName: string, change: Exclude<Change, 'none'>) => void;

/** What a broadcast is beside its publishers; all of it may be absent (tests, memory only). */
export type LiveBroadcastOptions = {
  readonly archive?: Archive;
  readonly agreement?: Agreement;
  /** The broadcast clock: where a new session begins. */
  readonly nowMs?: () => UnixMs;
  /** What the archive found after a restart. */
  readonly restored?: RestoredBroadcast | undefined;
  /** How far back the DVR window reaches, in ms; the live window where it is not said. */
  readonly dvrWindowMs?: number;
};

type Built = { readonly version: number; readonly value: Presentation | undefined };

/** See the file header. `version` grows whenever a playlist would read differently. */
export class LiveBroadcast {
  readonly broadcast: Broadcast;
  /** Resolves when what other origins agreed on before is known; await it before the first publish. */
  readonly ready: Promise<void>;
  readonly #depth: Depth;
  readonly #onChange: ChangeListener;
  readonly #options: LiveBroadcastOptions;
  readonly #eras: Eras;
  readonly #claims: SegmentClaims;
  readonly #dateRanges = new DateRanges();
  readonly #tracks = new Map<string, LiveTrack>();
  readonly #sisters: Sisters;
  /** Tracks that came when others were shown already, with the era that they are shown from. */
  readonly #joining = new Map<string, number>();
  readonly #onEra = new Map<Publisher, (firstMsn: number) => void>();
  readonly #built = new Map<View, Built>();
  #version = 0;
  #firstMsn = 0;
  #isEnded = false;
  /** Somebody was told of this session: its tracks are known. */
  #isShown = false;

  constructor(
    broadcast: Broadcast,
    depth: Depth,
    onChange: ChangeListener,
    options: LiveBroadcastOptions = {},
  ) {
    const { agreement, archive, restored } = options;
    this.broadcast = broadcast;
    this.#depth = depth;
    this.#onChange = onChange;
    this.#options = options;
    this.#eras = new Eras({
      broadcastId: broadcast.id,
      agreement,
      archive,
      restored: restored?.eras ?? [],
      onAgreed: (era) => {
        this.#agreed(era);
      },
    });
    this.#sisters = new Sisters(broadcast.grid.partMs, () => [...this.#tracks.values()]);
    this.#claims = this.#newClaims();
    this.#restore(restored);
    this.ready = this.#eras.load();
  }

  get version(): number {
    return this.#version;
  }

  /** ENDLIST is out; publishes are refused until `start`. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Gap segments listed so far on all tracks. */
  get gapSegments(): number {
    return [...this.#tracks.values()].reduce((sum, track) => sum + track.gapSegments, 0);
  }

  /** Segments that were not made by one slot alone, as it was agreed. */
  get splitSegments(): number {
    return this.#claims.splitSegments;
  }

  /** The newest of them, by segment: `{slot, dts}` as all origins have recorded it. */
  get splits(): ReadonlyMap<number, string> {
    return this.#claims.splits;
  }

  track(name: string): LiveTrack | undefined {
    return this.#tracks.get(name);
  }

  /**
   * Registers a connection that publishes track `name` behind header `bytes`.
   *
   * @throws GatewayError `bad_init` (not of this track, or off the grid) or `fenced` (older than who
   *   is followed, another header in the same epoch, or the broadcast has ended)
   */
  addPublisher(name: string, identity: PublisherIdentity, bytes: Uint8Array): Publisher {
    this.#checkIsOn();
    const header = trackHeader(name, bytes, this.broadcast.grid);
    const known = this.#tracks.get(name);
    if (known?.isFenced(identity) === true) {
      throw new GatewayError('fenced', 'a newer publisher is followed', { subject: name });
    }
    if (known !== undefined && header.init.timescale !== known.timescale) {
      throw new GatewayError('bad_init', `timescale ${known.timescale} is fixed for life`, {
        subject: name,
      });
    }
    const publisher = newPublisher(identity, header);
    const track = known ?? this.#addTrack(name, header, publisher);
    const { followed } = track;
    if (followed !== undefined && followed.header.uri !== header.uri) {
      const isOther = followed.slot !== identity.slot && !followed.isGone;
      if (isOther || isSamePublisher(followed, identity)) {
        throw new GatewayError('fenced', 'another init segment needs a higher epoch', {
          subject: name,
        });
      }
      publisher.fromMsn = this.#openEra(track, publisher);
    }
    this.#claims.noteSlot(identity.slot);
    track.join(publisher);
    return publisher;
  }

  /** Offers samples of `publisher` in decode order; `fenced` as soon as one is. */
  publish(name: string, publisher: Publisher, samples: readonly Sample[]): Verdict {
    const track = this.#tracks.get(name);
    if (track === undefined || this.#isEnded) {
      return this.#isEnded ? 'fenced' : 'dropped';
    }
    const resumedMs = this.#holdAfter(track, samples[0]);
    let verdict: Verdict = 'dropped';
    let change: Change = 'none';
    for (const sample of samples) {
      const outcome = track.offer(publisher, sample);
      verdict = outcome.verdict;
      change = mergeChange(change, outcome.change);
      if (verdict === 'fenced') {
        break;
      }
    }
    if ((track.frontierMs ?? 0) >= resumedMs) {
      this.#sisters.hold(resumedMs);
    }
    this.#announce(name, change);
    return verdict;
  }

  /** A connection of track `name` has ended: whoever stands by goes on. */
  leave(name: string, publisher: Publisher): void {
    publisher.isGone = true;
    this.#onEra.delete(publisher);
    this.#announce(name, this.#tracks.get(name)?.pump() ?? 'none');
  }

  /**
   * Gives a track GAP where another has been a full segment ahead for the length of a part: less
   * would punish tracks whose connections catch up one after the other. Called a few times a second.
   */
  giveUpOnLateTracks(nowMs: UnixMs): void {
    if (this.#isEnded) {
      return;
    }
    const { leadMsn } = this.#sisters;
    for (const track of this.#sisters.late(nowMs)) {
      this.#announce(track.name, track.giveUpBefore(leadMsn - 1));
    }
    const released = this.#sisters.release(nowMs);
    if (released === 'overdue') {
      for (const track of this.#tracks.values()) {
        track.giveUpBefore(leadMsn);
      }
    }
    if (released !== undefined) {
      this.#announceAll();
    }
  }

  /** What players are told; undefined until there is something for them to play. */
  presentation(view: View = 'live'): Presentation | undefined {
    const value = this.#build(view);
    this.#isShown ||= value !== undefined;
    return value;
  }

  /**
   * Adds what EXT-X-DATERANGE says; it is listed while it maps to a listed segment.
   *
   * @throws GatewayError `bad_request` (not a valid range, or its id was used), `too_busy`
   */
  addDateRange(range: DateRange): void {
    const { dvrWindowMs = 0, nowMs } = this.#options;
    const windowMs = this.#depth.ringSegments * this.broadcast.grid.segmentMs;
    this.#dateRanges.forgetBefore((nowMs?.() ?? 0) - Math.max(dvrWindowMs, windowMs));
    if (this.#dateRanges.add(range)) {
      this.#announceAll();
    }
  }

  /** Closes what is open and ends the playlists; what was kept becomes a recording. */
  end(): void {
    if (this.#isEnded) {
      return;
    }
    this.#sisters.clear();
    for (const track of this.#tracks.values()) {
      track.end();
    }
    this.#isEnded = true;
    this.#announceAll();
    const presentation = this.#build('dvr');
    this.#build('live');
    if (presentation !== undefined) {
      this.#options.archive?.end(this.broadcast.id, presentation);
    }
  }

  /** A new session after an end: a fresh playlist, era + 1; numbers go on with UTC. */
  start(): void {
    if (!this.#isEnded) {
      return;
    }
    const free = [...this.#tracks.values()].map((track) => track.firstFreeMsn ?? 0);
    const nowMs = this.#options.nowMs?.() ?? unixMs(0);
    this.#firstMsn = Math.max(0, ...free, Math.floor(nowMs / this.broadcast.grid.segmentMs));
    this.#eras.openSession(this.#firstMsn);
    this.#tracks.clear();
    this.#sisters.clear();
    this.#joining.clear();
    this.#onEra.clear();
    this.#isEnded = false;
    this.#isShown = false;
    this.#version += 1;
  }

  /** What the control plane is told. */
  status(nowMs: UnixMs): OriginStatus {
    return statusOf(this.#source(), nowMs);
  }

  #build(view: View): Presentation | undefined {
    const built = this.#built.get(view);
    if (built !== undefined && built.version === this.#version) {
      return built.value;
    }
    const value = present({ ...this.#source(), view });
    this.#built.set(view, { version: this.#version, value });
    return value;
  }

  #source(): Omit<PresentationSource, 'view'> {
    const { archive, dvrWindowMs = 0 } = this.#options;
    return {
      broadcast: this.broadcast,
      depth: this.#depth,
      dvrWindowMs,
      archive,
      tracks: this.#inLadderOrder(),
      eras: this.#eras.list,
      hiddenEras: new Set(this.#joining.values()),
      firstMsn: this.#firstMsn,
      isEnded: this.#isEnded,
      dateRangesSince: (oldestMs) => this.#dateRanges.since(oldestMs),
    };
  }

  #restore(restored: RestoredBroadcast | undefined): void {
    const { grid, startedMs } = this.broadcast;
    for (const track of restored?.tracks ?? []) {
      const header = [...track.headers.values()].at(-1);
      if (header !== undefined) {
        const live = this.#newTrack(track.name, header);
        live.restore(track);
        this.#tracks.set(track.name, live);
      }
    }
    if (restored !== undefined && restored.tracks.length === 0) {
      // The last session has ended: this is another one.
      const last = restored.eras.at(-1)?.firstMsn ?? 0;
      this.#firstMsn = Math.max(last + 1, Math.floor((startedMs ?? 0) / grid.segmentMs));
      this.#eras.openSession(this.#firstMsn);
    }
    this.#isEnded = restored?.isEnded === true;
  }

  #newClaims(): SegmentClaims {
    return new SegmentClaims({
      broadcastId: this.broadcast.id,
      agreement: this.#options.agreement,
      onAnswer: () => {
        this.#pumpAll();
      },
      frontiers: () =>
        Object.fromEntries([...this.#tracks].map(([name, track]) => [name, track.frontier ?? 0])),
    });
  }

  #newTrack(name: string, header: TrackHeader): LiveTrack {
    const track: LiveTrack = new LiveTrack({
      broadcastId: this.broadcast.id,
      name,
      header,
      grid: this.broadcast.grid,
      ...this.#depth,
      archive: this.#options.archive,
      claims: this.#claims,
      eraOf: (msn) => this.#eras.eraOf(msn),
      openEra: (publisher) => this.#openEra(track, publisher),
    });
    return track;
  }

  #addTrack(name: string, header: TrackHeader, publisher: Publisher): LiveTrack {
    const track = this.#newTrack(name, header);
    const others = [...this.#tracks.values()];
    const listed = others.flatMap((other) => other.ring.newest?.msn ?? []);
    if (this.#isShown) {
      // AdaptationSets of a Period never change (delivery.md M03): it is shown from the next era on.
      this.#joining.set(name, this.#eras.newest.era + 1);
      publisher.fromMsn = this.#openEra(track, publisher, (firstMsn) => {
        this.#joining.set(name, this.#eras.eraOf(firstMsn));
        track.beginAt(firstMsn);
      });
    } else if (listed.length > 0) {
      // Sister tracks list the same numbers: a late one begins with GAP.
      const oldest = others.flatMap((other) => other.ring.segments[0]?.msn ?? []);
      track.beginAt(
        Math.max(Math.min(...oldest), Math.max(...listed) - this.#depth.windowSegments),
      );
    }
    this.#tracks.set(name, track);
    return track;
  }

  /** First segment of the era that a changed header belongs to: one that no track has opened. */
  #openEra(
    track: LiveTrack,
    publisher: Publisher,
    onAgreed: (firstMsn: number) => void = () => undefined,
  ): number {
    const firstFree = this.#firstFreeMsn();
    const { newest } = this.#eras;
    // A sister track has opened it already and this one has not reached it.
    const isOpened = newest.era > 0 && newest.firstMsn >= (track.firstFreeMsn ?? firstFree);
    const era = isOpened ? newest : this.#eras.open(firstFree);
    if (era === undefined) {
      this.#onEra.set(publisher, onAgreed);
      return Infinity;
    }
    onAgreed(era.firstMsn);
    return era.firstMsn;
  }

  #agreed(era: EraRecord): void {
    for (const [publisher, onAgreed] of this.#onEra) {
      publisher.fromMsn = era.firstMsn;
      onAgreed(era.firstMsn);
    }
    this.#onEra.clear();
    this.#pumpAll();
  }

  #firstFreeMsn(): number {
    return Math.max(0, ...[...this.#tracks.values()].map((track) => track.firstFreeMsn ?? 0));
  }

  #checkIsOn(): void {
    if (this.#isEnded) {
      throw new GatewayError('fenced', `broadcast ${this.broadcast.id} has ended`);
    }
  }

  #pumpAll(): void {
    for (const track of this.#tracks.values()) {
      this.#announce(track.name, this.#isEnded ? 'none' : track.pump());
    }
  }

  /**
   * Where `sample` would end a hole that all tracks have, playlists as they read now are made, to be
   * kept until all are past it: no rendition report is more than a part behind (delivery.md H14).
   *
   * @returns the instant of the sample, Infinity where there is no such hole
   */
  #holdAfter(track: LiveTrack, sample: Sample | undefined): number {
    const resumedMs = sample === undefined ? 0 : unixMsFromTicks(sample.dts, track.timescale);
    if (!this.#sisters.endsHole(resumedMs)) {
      return Infinity;
    }
    this.#build('live');
    this.#build('dvr');
    return resumedMs;
  }

  #announce(name: string, change: Change): void {
    if (change === 'none') {
      return;
    }
    if (change === 'part') {
      this.#showJoined(name);
    }
    if (this.#sisters.isHeld) {
      if (this.#sisters.release() === undefined) {
        // Bytes are there for who reads a growing segment; playlists wait.
        this.#onChange(name, 'chunk');
      } else {
        this.#announceAll();
      }
      return;
    }
    if (change === 'part') {
      this.#version += 1;
    }
    this.#onChange(name, change);
  }

  #announceAll(): void {
    this.#version += 1;
    for (const name of this.#tracks.keys()) {
      this.#onChange(name, 'part');
    }
  }

  #showJoined(name: string): void {
    const segment = this.#joining.has(name) ? this.#tracks.get(name)?.ring.segments[0] : undefined;
    if (segment?.isClosed === true) {
      this.#joining.delete(name);
    }
  }

  #inLadderOrder(): LiveTrack[] {
    const { video, audio } = this.broadcast.ladder;
    return [...video, ...audio].flatMap((rung) => this.#tracks.get(rung.name) ?? []);
  }
}

function isSamePublisher(a: PublisherIdentity, b: PublisherIdentity): boolean {
  return (
    a.slot === b.slot &&
    a.epoch.timestamp === b.epoch.timestamp &&
    a.epoch.attempt === b.epoch.attempt
  );
}
