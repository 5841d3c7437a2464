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
import { DateRanges } from './dateRanges.ts';
import type { PublisherIdentity } from './follow.ts';
import { type Change, type LiveTrack, mergeChange, type Verdict } from './liveTrack.ts';
import { LiveTracks } from './liveTracks.ts';
import {
  type Depth,
  present,
  type PresentationSource,
  statusOf,
  type View,
} from './presentation.ts';
import type { Loss } from './seals.ts';
import { Sisters } from './sisters.ts';
import type { Archive, RestoredBroadcast } from './storage.ts';
import type { Publisher } from './publisher.ts';

export type { Depth } from './presentation.ts';

/** Told of each track that changed. */
export type ChangeListener = (trackName: string, change: Exclude<Change, 'none'>) => void;

/** What a broadcast is beside its publishers; all of it may be absent (tests, memory only). */
export type LiveBroadcastOptions = {
  readonly archive?: Archive;
  readonly agreement?: Agreement;
  /** The broadcast clock: where a new session begins. */
  readonly nowMs?: () => UnixMs;
  /** Asks other origins for the end of a publisher that is lost, and ends in `settle`. */
  readonly onLoss?: ((track: string, loss: Loss) => void) | undefined;
  /** What the archive found after a restart. */
  readonly restored?: RestoredBroadcast | undefined;
  /** How far back the DVR window reaches, in ms; the live window where it is not said. */
  readonly dvrWindowMs?: number;
};

type Built = { readonly version: number; readonly value: Presentation | undefined };

/** See the file header. `version` grows whenever a playlist would read differently. */
export class LiveBroadcast {
  #broadcast: Broadcast;
  /** Resolves when what other origins agreed on before is known; await it before the first publish. */
  readonly ready: Promise<void>;
  readonly #depth: Depth;
  readonly #onChange: ChangeListener;
  readonly #options: LiveBroadcastOptions;
  readonly #dateRanges: DateRanges;
  readonly #tracks: LiveTracks;
  readonly #sisters: Sisters;
  readonly #built = new Map<View, Built>();
  #version = 0;
  #isEnded = false;
  #endedMs: UnixMs | undefined;
  /** There is something to tell players of this session: its tracks are known. */
  #isShown = false;

  constructor(
    broadcast: Broadcast,
    depth: Depth,
    onChange: ChangeListener,
    options: LiveBroadcastOptions = {},
  ) {
    const { agreement, archive, nowMs, onLoss, restored } = options;
    this.#broadcast = broadcast;
    this.#depth = depth;
    this.#onChange = onChange;
    this.#options = options;
    this.#tracks = new LiveTracks({
      ...{ broadcast, depth, archive, agreement, restored, nowMs, onLoss },
      onAnswer: () => {
        this.#pumpAll();
      },
    });
    this.#sisters = new Sisters(broadcast.grid, () => this.#tracks.all, nowMs);
    this.#dateRanges = new DateRanges(restored?.dateRanges);
    this.#isEnded = restored?.isEnded === true;
    this.ready = this.#tracks.ready;
    // Players were told of what is found before the restart: tracks that miss come with a new era.
    this.presentation();
  }

  get broadcast(): Broadcast {
    return this.#broadcast;
  }

  get version(): number {
    return this.#version;
  }

  /** ENDLIST is out; publishes are refused until `start`. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** When `end` was called; undefined while it lives, and where it had ended before a restart. */
  get endedMs(): UnixMs | undefined {
    return this.#endedMs;
  }

  /** Gap segments listed so far on all tracks. */
  get gapSegments(): number {
    return this.#tracks.all.reduce((sum, track) => sum + track.gapSegments, 0);
  }

  /** Segments that were not made by one slot alone, as it was agreed. */
  get splitSegments(): number {
    return this.#tracks.claims.splitSegments;
  }

  /** The newest of them, by segment: `{slot, dts}` as all origins have recorded it. */
  get splits(): ReadonlyMap<number, string> {
    return this.#tracks.claims.splits;
  }

  /**
   * The broadcast as it is desired now: in one session its ladder only grows. A rung that is new is
   * shown once it is published, from the next era on.
   */
  follow(broadcast: Broadcast): void {
    this.#broadcast = broadcast;
    this.#tracks.follow(broadcast);
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
    if (this.#isEnded) {
      throw new GatewayError('fenced', `broadcast ${this.broadcast.id} has ended`);
    }
    return this.#tracks.join(name, identity, bytes, this.#isShown);
  }

  /** Offers samples of `publisher` in decode order; `fenced` as soon as one is. */
  publish(name: string, publisher: Publisher, samples: readonly Sample[]): Verdict {
    const track = this.#tracks.get(name);
    if (track === undefined || this.#isEnded || !this.#tracks.has(publisher)) {
      return 'fenced';
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
    this.#tracks.leave(publisher);
    this.#pump(name);
  }

  /** What other origins have of a lost publisher beyond us: the other slot goes on behind it. */
  settle(name: string, loss: Loss, samples: readonly Sample[]): void {
    if (!this.#isEnded) {
      this.#announce(name, this.#tracks.get(name)?.settle(loss, samples) ?? 'none');
    }
  }

  /** Another origin has lost a publisher. @returns what we have of it from there on */
  lostElsewhere(name: string, loss: Loss): Sample[] {
    if (this.#isEnded) {
      return [];
    }
    const samples = this.#tracks.get(name)?.lostElsewhere(loss) ?? [];
    this.#pump(name);
    return samples;
  }

  /**
   * Gives a track GAP where another has been a full segment ahead for the length of a part: less
   * would punish tracks whose connections catch up one after the other. Called a few times a second.
   */
  giveUpOnLateTracks(nowMs: UnixMs): void {
    if (this.#isEnded) {
      return;
    }
    // Who is silent is found by the clock.
    this.#pumpAll();
    const leadMsn = this.#sisters.leadMsn(nowMs);
    for (const track of this.#sisters.late(nowMs)) {
      this.#announce(track.name, track.giveUpBefore(leadMsn - 1));
    }
    const overdue = this.#sisters.release(nowMs);
    for (const track of overdue ?? []) {
      track.giveUpBefore(leadMsn);
    }
    if (overdue !== undefined) {
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
   * @throws GatewayError `bad_request` (not a valid range, its id was used, or the broadcast
   *   has ended), `too_busy`
   */
  addDateRange(range: DateRange): void {
    if (this.#isEnded) {
      throw new GatewayError('bad_request', 'date range: the broadcast has ended');
    }
    const { dvrWindowMs = 0, nowMs } = this.#options;
    const windowMs = this.#depth.ringSegments * this.broadcast.grid.segmentMs;
    this.#dateRanges.forgetBefore((nowMs?.() ?? 0) - Math.max(dvrWindowMs, windowMs));
    const listedMs = Math.max(
      range.startMs,
      ...this.#tracks.all.map((track) => track.frontierMs ?? 0),
    );
    if (this.#dateRanges.add(range, listedMs)) {
      this.#options.archive?.dateRanges(this.broadcast.id, this.#dateRanges.record);
      this.#announceAll();
    }
  }

  /** Closes what is open and ends the playlists; what was kept becomes a recording. */
  end(): void {
    if (this.#isEnded) {
      return;
    }
    this.#sisters.clear();
    for (const track of this.#tracks.all) {
      track.end();
    }
    this.#isEnded = true;
    this.#endedMs = this.#options.nowMs?.();
    this.#announceAll();
    const presentation = this.#build('dvr');
    this.#build('live');
    if (presentation !== undefined) {
      this.#options.archive?.end(this.broadcast.id, presentation);
    }
  }

  /**
   * A new session after an end: a fresh playlist, era + 1; numbers go on with UTC. Publishers of the
   * session before are fenced off.
   */
  start(): void {
    if (!this.#isEnded) {
      return;
    }
    const nowMs = this.#options.nowMs?.() ?? unixMs(0);
    this.#tracks.begin(Math.floor(nowMs / this.broadcast.grid.segmentMs));
    this.#sisters.clear();
    this.#isEnded = false;
    this.#endedMs = undefined;
    this.#isShown = false;
    this.#version += 1;
  }

  /** What another object goes on with that takes the place of this one, which has ended. */
  successor(): RestoredBroadcast {
    const takenMs = this.#tracks.firstFreeMsn * this.broadcast.grid.segmentMs;
    const dateRanges = this.#dateRanges.record;
    return { eras: this.#tracks.eras.list, tracks: [], isEnded: false, takenMs, dateRanges };
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
      tracks: this.#tracks.inLadderOrder(),
      eras: this.#tracks.eras.list,
      hiddenEras: this.#tracks.hiddenEras,
      firstMsn: this.#tracks.firstMsn,
      publishedMsn: this.#tracks.publishedMsn,
      isEnded: this.#isEnded,
      isShown: this.#isShown,
      dateRangesSince: (oldestMs) => this.#dateRanges.since(oldestMs),
    };
  }

  #pumpAll(): void {
    for (const name of this.#tracks.names) {
      this.#pump(name);
    }
  }

  /** What waits may go on, unless the broadcast has ended: nothing follows ENDLIST. */
  #pump(name: string): void {
    this.#announce(name, this.#isEnded ? 'none' : (this.#tracks.get(name)?.pump() ?? 'none'));
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
      this.#tracks.showJoined(name);
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
    if (!this.#isShown) {
      // A track that is late opens an era at all origins or at none, whoever of them has viewers.
      this.presentation();
    }
    this.#onChange(name, change);
  }

  #announceAll(): void {
    this.#version += 1;
    for (const name of this.#tracks.names) {
      this.#onChange(name, 'part');
    }
  }
}
