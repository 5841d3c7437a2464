/**
 * The tracks of a broadcast in one session, and the eras of their headers (architecture §2): who may
 * publish, from which segment on, and what a restart or the session before leaves to go on with.
 * Leaves what players are told, and when, to liveBroadcast.ts.
 */
import type { Agreement } from '../../infra/kernel/directory.ts';
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { UnixMs } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { SegmentClaims } from './claims.ts';
import { Eras } from './eras.ts';
import { isSamePublisher, type PublisherIdentity } from './follow.ts';
import { LiveTrack } from './liveTrack.ts';
import type { Depth } from './presentation.ts';
import type { Loss } from './seals.ts';
import type { Archive, EraRecord, RestoredBroadcast } from './storage.ts';
import { type TrackHeader, trackHeader } from './trackHeader.ts';
import { newPublisher, type Publisher } from './publisher.ts';

/** What the tracks are made with. */
export type LiveTracksOptions = {
  readonly broadcast: Broadcast;
  readonly depth: Depth;
  readonly archive: Archive | undefined;
  readonly agreement: Agreement | undefined;
  readonly restored: RestoredBroadcast | undefined;
  readonly nowMs: (() => UnixMs) | undefined;
  /** The publisher of a track is lost, and the other slot waits to go on (`LiveBroadcast.settle`). */
  readonly onLoss: ((track: string, loss: Loss) => void) | undefined;
  /** Another origin has answered: what waits may go on. */
  readonly onAnswer: () => void;
};

/** See the file header. */
export class LiveTracks {
  /** Resolves when what other origins agreed on before is known. */
  readonly ready: Promise<void>;
  /** A window that begins here or later goes back behind none that was listed before a restart. */
  readonly publishedMsn: number;
  readonly eras: Eras;
  readonly claims: SegmentClaims;
  readonly #options: LiveTracksOptions;
  #broadcast: Broadcast;
  readonly #tracks = new Map<string, LiveTrack>();
  /** Tracks that came when others were shown already, with the era that they are shown from. */
  readonly #joining = new Map<string, number>();
  /** Publishers that may begin with the era that is being agreed on. */
  readonly #waiting = new Set<Publisher>();
  /** Publishers of this session. */
  #publishers = new WeakSet<Publisher>();
  #session: EraRecord | undefined;

  constructor(options: LiveTracksOptions) {
    const { agreement, archive, broadcast, restored } = options;
    this.#options = options;
    this.#broadcast = broadcast;
    this.eras = new Eras({
      broadcastId: broadcast.id,
      agreement,
      archive,
      restored: restored?.eras ?? [],
      firstFreeMsn: () => this.firstFreeMsn,
      onAgreed: (era) => {
        this.#agreed(era);
      },
    });
    this.claims = new SegmentClaims({
      broadcastId: broadcast.id,
      agreement,
      onAnswer: options.onAnswer,
      frontiers: () =>
        Object.fromEntries([...this.#tracks].map(([name, track]) => [name, track.frontier ?? 0])),
      successorOf: (maker, msn) => this.#successorOf(maker, msn),
    });
    this.publishedMsn = this.#restore(restored);
    this.ready = this.#begun(restored);
  }

  get all(): readonly LiveTrack[] {
    return [...this.#tracks.values()];
  }

  get names(): readonly string[] {
    return [...this.#tracks.keys()];
  }

  /** First segment of this session: nothing older is made or listed. */
  get firstMsn(): number {
    const agreed = this.eras.list.find(({ era }) => era === this.#session?.era);
    return Math.max(this.#session?.firstMsn ?? 0, agreed?.firstMsn ?? 0);
  }

  /** Eras that are not shown yet: one of their tracks has nothing to show. */
  get hiddenEras(): ReadonlySet<number> {
    return new Set(this.#joining.values());
  }

  /** Lowest number that no track has bytes of. */
  get firstFreeMsn(): number {
    return Math.max(0, ...this.all.map((track) => track.firstFreeMsn ?? 0));
  }

  get(name: string): LiveTrack | undefined {
    return this.#tracks.get(name);
  }

  inLadderOrder(): LiveTrack[] {
    return rungNames(this.#broadcast).flatMap((name) => this.#tracks.get(name) ?? []);
  }

  /** The ladder has grown: tracks that nobody knows yet may join. */
  follow(broadcast: Broadcast): void {
    this.#broadcast = broadcast;
  }

  /** Whether `publisher` joined this session, not one before. */
  has(publisher: Publisher): boolean {
    return this.#publishers.has(publisher);
  }

  /**
   * Registers a connection that publishes track `name` behind header `bytes`.
   *
   * @param isShown players know of this session's tracks
   * @throws GatewayError `bad_init` (not of this track, or off the grid) or `fenced` (older than who
   *   is followed, or another header in the same epoch)
   */
  join(name: string, identity: PublisherIdentity, bytes: Uint8Array, isShown: boolean): Publisher {
    const header = trackHeader(name, bytes, this.#options.broadcast.grid);
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
    publisher.fromMsn = this.firstMsn;
    const track = known ?? this.#addTrack(name, header, publisher, isShown);
    const { followed } = track;
    if (followed !== undefined && followed.header.uri !== header.uri) {
      const isOther = followed.slot !== identity.slot && !followed.isGone;
      if (isOther || isSamePublisher(followed, identity)) {
        throw new GatewayError('fenced', 'another init segment needs a higher epoch', {
          subject: name,
        });
      }
      publisher.fromMsn = this.#openEra(track, publisher);
    } else if (known !== undefined && this.#isToBegin(known)) {
      this.#waiting.add(publisher);
      publisher.fromMsn = Infinity;
    }
    this.#publishers.add(publisher);
    track.join(publisher);
    return publisher;
  }

  /** A connection has ended. */
  leave(publisher: Publisher): void {
    publisher.isGone = true;
    this.#waiting.delete(publisher);
  }

  /** A joining track has a whole segment: from its era on it is shown. */
  showJoined(name: string): void {
    const segment = this.#joining.has(name) ? this.#tracks.get(name)?.ring.segments[0] : undefined;
    if (segment?.isClosed === true) {
      this.#joining.delete(name);
    }
  }

  /** Begins another session, no earlier than segment `msn` and behind all that was made. */
  begin(msn: number): void {
    this.#openSession(Math.max(this.firstFreeMsn, msn));
    this.#tracks.clear();
    this.#joining.clear();
    this.#waiting.clear();
    this.#publishers = new WeakSet();
  }

  /** @returns the newest segment that may have been listed, 0 where nothing was found */
  #restore(restored: RestoredBroadcast | undefined): number {
    const wanted = new Set(rungNames(this.#broadcast));
    let newestMsn = 0;
    for (const track of restored?.tracks ?? []) {
      const header = [...track.headers.values()].at(-1);
      // Nobody publishes a track that has left the ladder: it would be filled with gaps for ever.
      if (header !== undefined && wanted.has(track.name)) {
        const live = this.#newTrack(track.name, header);
        live.restore(track);
        this.#tracks.set(track.name, live);
        // Where it is open on disk it may have been closed when the process died.
        const newest = track.open ?? track.closed.at(-1);
        newestMsn = Math.max(newestMsn, newest?.record.msn ?? 0);
      }
    }
    return newestMsn;
  }

  /** Where the last session has ended this is another one: it begins once all eras are known. */
  async #begun(restored: RestoredBroadcast | undefined): Promise<void> {
    if (restored === undefined || restored.tracks.length > 0) {
      return this.eras.load();
    }
    const { agreement, broadcast } = this.#options;
    const { segmentMs } = broadcast.grid;
    const msn = Math.max(
      (restored.eras.at(-1)?.firstMsn ?? 0) + 1,
      Math.ceil((restored.takenMs ?? 0) / segmentMs),
      Math.floor((broadcast.startedMs ?? 0) / segmentMs),
    );
    if (agreement !== undefined) {
      await this.eras.load();
    }
    this.#openSession(msn);
  }

  #openSession(firstMsn: number): void {
    this.eras.openSession(firstMsn);
    this.#session = { era: this.eras.newest.era, firstMsn };
  }

  #newTrack(name: string, header: TrackHeader): LiveTrack {
    const { archive, broadcast, depth, onLoss } = this.#options;
    const track: LiveTrack = new LiveTrack({
      broadcastId: broadcast.id,
      name,
      header,
      grid: broadcast.grid,
      ...depth,
      archive,
      claims: this.claims,
      nowMs: this.#options.nowMs,
      onLoss: onLoss && ((loss) => onLoss(name, loss)),
      eraOf: (msn) => this.eras.eraOf(msn),
      openEra: (publisher) => this.#openEra(track, publisher),
    });
    return track;
  }

  #addTrack(name: string, header: TrackHeader, publisher: Publisher, isShown: boolean): LiveTrack {
    const track = this.#newTrack(name, header);
    const others = this.all;
    const listed = others.flatMap((other) => other.ring.newest?.msn ?? []);
    if (isShown) {
      // AdaptationSets of a Period never change (delivery.md M03): it is shown from the next era on.
      this.#joining.set(name, this.eras.newest.era + 1);
      publisher.fromMsn = this.#openEra(track, publisher);
      if (publisher.fromMsn !== Infinity) {
        this.#beginJoined(track, publisher.fromMsn);
      }
    } else if (listed.length > 0) {
      // Sister tracks list the same numbers: a late one begins with GAP.
      const oldest = others.flatMap((other) => other.ring.segments[0]?.msn ?? []);
      track.beginAt(
        Math.max(Math.min(...oldest), Math.max(...listed) - this.#options.depth.windowSegments),
      );
    }
    this.#tracks.set(name, track);
    return track;
  }

  /** Whether `track` is one that came late, and its first era is being agreed on. */
  #isToBegin(track: LiveTrack): boolean {
    return this.#joining.has(track.name) && track.firstFreeMsn === undefined;
  }

  #beginJoined(track: LiveTrack, firstMsn: number): void {
    this.#joining.set(track.name, this.eras.eraOf(firstMsn));
    track.beginAt(firstMsn);
  }

  /**
   * First segment of the era that a changed header belongs to: one that no track has opened; Infinity
   * while it is agreed on.
   */
  #openEra(track: LiveTrack, publisher: Publisher): number {
    const { firstFreeMsn } = this;
    const { newest } = this.eras;
    // A sister track has opened it already and this one has not reached it.
    const isOpened = newest.era > 0 && newest.firstMsn >= (track.firstFreeMsn ?? firstFreeMsn);
    const era = isOpened ? newest : this.eras.open(firstFreeMsn);
    if (era === undefined) {
      this.#waiting.add(publisher);
    }
    return era?.firstMsn ?? Infinity;
  }

  /** One claim is for all tracks: who is not ready on one of them is on none. */
  #successorOf(maker: PublisherIdentity, msn: number): PublisherIdentity | undefined {
    const ready = this.all
      .filter(({ followed }) => followed !== undefined)
      .map((track) => track.successorOf(maker, msn));
    const [first] = ready;
    const isAgreed = ready.every((one) => first && one && isSamePublisher(first, one));
    return isAgreed ? first : undefined;
  }

  #agreed(era: EraRecord): void {
    for (const publisher of this.#waiting) {
      publisher.fromMsn = era.firstMsn;
    }
    this.#waiting.clear();
    for (const track of this.all.filter((one) => this.#isToBegin(one))) {
      this.#beginJoined(track, era.firstMsn);
    }
    this.#options.onAnswer();
  }
}

function rungNames({ ladder }: Broadcast): string[] {
  return [...ladder.video, ...ladder.audio].map(({ name }) => name);
}
