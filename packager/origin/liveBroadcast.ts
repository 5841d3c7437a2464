/**
 * A broadcast while it lives: its tracks in ladder order, the eras of its headers, and the rules
 * between tracks (architecture §2). Pure state: no clock, no sockets; the handlers feed it and read it.
 */
import { createHash } from 'node:crypto';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { gridTicks } from '../../infra/kernel/grid.ts';
import { type UnixMs, unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Agreement } from '../../infra/kernel/directory.ts';
import type { Broadcast, OriginStatus } from '../../infra/kernel/wire.ts';
import { parseInit, type Sample } from '../cmaf/index.ts';
import type { Presentation, TrackDescription, TrackWindow } from '../playlists/model.ts';
import type { PublisherIdentity } from './follow.ts';
import { type Change, LiveTrack, type Publisher, type Verdict } from './liveTrack.ts';
import { segmentEntry, type StoredSegment, type TrackHeader } from './segmentRing.ts';
import type { Archive, RestoredBroadcast } from './storage.ts';

/** How much is listed and kept, in segments. */
export type Depth = { readonly windowSegments: number; readonly ringSegments: number };

/** Told of each track that changed. */
export type ChangeListener = (trackName: string, change: Exclude<Change, 'none'>) => void;

/** What a broadcast is beside its publishers; all of it may be absent (tests, memory only). */
export type LiveBroadcastOptions = {
  readonly archive?: Archive;
  readonly agreement?: Agreement;
  readonly nowMs?: () => UnixMs;
  /** What the archive found after a restart. */
  readonly restored?: RestoredBroadcast;
};

type Era = { readonly era: number; readonly firstMsn: number };

// Without its sister tracks a track is not worth showing; past this many segments it is.
const ALONE_AFTER_SEGMENTS = 3;
const MAX_ERAS = 64;

/** See the file header. `version` grows whenever a playlist would read differently. */
export class LiveBroadcast {
  readonly broadcast: Broadcast;
  readonly #depth: Depth;
  readonly #onChange: ChangeListener;
  readonly #tracks = new Map<string, LiveTrack>();
  #eras: Era[] = [{ era: 0, firstMsn: 0 }];
  readonly #late = new Map<LiveTrack, { readonly msn: number; readonly sinceMs: UnixMs }>();
  #version = 0;
  #presentation: { readonly version: number; readonly value: Presentation | undefined } | undefined;

  constructor(
    broadcast: Broadcast,
    depth: Depth,
    onChange: ChangeListener,
    _options: LiveBroadcastOptions = {},
  ) {
    this.broadcast = broadcast;
    this.#depth = depth;
    this.#onChange = onChange;
  }

  get version(): number {
    return this.#version;
  }

  track(name: string): LiveTrack | undefined {
    return this.#tracks.get(name);
  }

  /** Gap segments listed so far on all tracks. */
  get gapSegments(): number {
    return [...this.#tracks.values()].reduce((sum, track) => sum + track.gapSegments, 0);
  }

  /**
   * Registers a connection that publishes track `name` behind header `bytes`.
   *
   * @throws GatewayError `bad_init` (not of this track, or off the grid) or `fenced` (older than who
   *   is followed, or another header in the same epoch)
   */
  addPublisher(name: string, identity: PublisherIdentity, bytes: Uint8Array): Publisher {
    const header = this.#headerOf(name, bytes);
    const track = this.#tracks.get(name) ?? this.#addTrack(name, header);
    if (track.isFenced(identity)) {
      throw new GatewayError('fenced', 'a newer publisher is followed', { subject: name });
    }
    if (header.init.timescale !== track.timescale) {
      throw new GatewayError('bad_init', `timescale ${track.timescale} is fixed for life`, {
        subject: name,
      });
    }
    const { followed } = track;
    const isChanged = followed !== undefined && followed.header.uri !== header.uri;
    if (isChanged && (followed.slot !== identity.slot || isSameEpoch(followed, identity))) {
      throw new GatewayError('fenced', 'another init segment needs a higher epoch', {
        subject: name,
      });
    }
    const fromMsn = isChanged ? this.#openEra(track) : 0;
    return { ...identity, header, fromMsn, isGone: false };
  }

  /** Offers samples of `publisher` in decode order; `fenced` as soon as one is. */
  publish(name: string, publisher: Publisher, samples: readonly Sample[]): Verdict {
    const track = this.#tracks.get(name);
    let verdict: Verdict = 'dropped';
    let change: Change = 'none';
    for (const sample of track === undefined ? [] : samples) {
      const outcome = track?.offer(publisher, sample) ?? { verdict: 'dropped', change: 'none' };
      verdict = outcome.verdict;
      change = mergeChange(change, outcome.change);
      if (verdict === 'fenced') {
        break;
      }
    }
    this.#announce(name, change);
    return verdict;
  }

  /**
   * Gives a track GAP where another has been a full segment ahead for the length of a part: less
   * would punish tracks whose connections catch up one after the other. Called a few times a second.
   */
  giveUpOnLateTracks(nowMs: UnixMs): void {
    const tracks = [...this.#tracks.values()];
    const lead = Math.max(0, ...tracks.map((track) => track.frontierMsn ?? 0));
    for (const track of tracks) {
      const msn = track.frontierMsn ?? lead;
      const late = this.#late.get(track);
      if (track.followed === undefined || msn + 2 > lead) {
        this.#late.delete(track);
      } else if (late?.msn !== msn) {
        this.#late.set(track, { msn, sinceMs: nowMs });
      } else if (nowMs - late.sinceMs >= this.broadcast.grid.partMs) {
        this.#late.delete(track);
        this.#announce(track.name, track.giveUpBefore(lead - 1));
      }
    }
  }

  /** What players are told; undefined until there is something for them to play. */
  presentation(_view: 'live' | 'dvr' = 'live'): Presentation | undefined {
    if (this.#presentation?.version !== this.#version) {
      this.#presentation = { version: this.#version, value: this.#present() };
    }
    return this.#presentation.value;
  }

  /** ENDLIST is out; publishes are refused until `start`. */
  get isEnded(): boolean {
    return false;
  }

  /** Resolves when what other origins agreed on before is known (at once without `agreement`); await before the first publish. */
  readonly ready: Promise<void> = Promise.resolve();

  /** Closes what is open and ends the playlists. */
  end(): void {
    this.#late.clear();
  }

  /** A new session after an end: a fresh playlist, era + 1. */
  start(): void {
    this.#late.clear();
  }

  /** What the control plane is told. */
  status(nowMs: UnixMs): OriginStatus {
    const tracks = this.#inLadderOrder();
    const newest = tracks.flatMap((track) =>
      track.frontier === undefined ? [] : [unixMsFromTicks(track.frontier, track.timescale)],
    );
    const newestMs = newest.length === 0 ? undefined : Math.min(...newest);
    const lastMsn = Math.min(...tracks.map((track) => closedSegments(track).at(-1)?.msn ?? -1));
    return {
      ...(lastMsn >= 0 && Number.isFinite(lastMsn) ? { lastMsn } : {}),
      ...(newestMs === undefined
        ? {}
        : { newestMs, publishDelayMs: Math.max(0, nowMs - newestMs) }),
      tracks: tracks.flatMap((track) => {
        const description = this.#describe(track);
        return description === undefined ? [] : [statusOf(description)];
      }),
    };
  }

  #headerOf(name: string, bytes: Uint8Array): TrackHeader {
    const init = parseInit(bytes);
    if ((init.kind === 'video') !== name.startsWith('v')) {
      throw new GatewayError('bad_init', `${init.kind} in track ${name}`, { subject: name });
    }
    const { chunkMs } = this.broadcast.grid;
    if (
      !Number.isSafeInteger((chunkMs * init.timescale) / 1000) ||
      gridTicks(chunkMs, init.timescale) < 1
    ) {
      throw new GatewayError('bad_init', `timescale ${init.timescale} does not fit the grid`, {
        subject: name,
      });
    }
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    return { uri: `init-${hash}.mp4`, bytes, init };
  }

  #addTrack(name: string, header: TrackHeader): LiveTrack {
    const track: LiveTrack = new LiveTrack({
      name,
      header,
      grid: this.broadcast.grid,
      ...this.#depth,
      eraOf: (msn) => this.#eraOf(msn),
      openEra: () => this.#openEra(track),
    });
    // Sister tracks list the same numbers: a late one begins with GAP.
    const listed = [...this.#tracks.values()].flatMap((other) => other.ring.newest?.msn ?? []);
    if (listed.length > 0) {
      const oldest = [...this.#tracks.values()].flatMap(
        (other) => other.ring.segments[0]?.msn ?? [],
      );
      track.beginAt(
        Math.max(Math.min(...oldest), Math.max(...listed) - this.#depth.windowSegments),
      );
    }
    this.#tracks.set(name, track);
    return track;
  }

  #eraOf(msn: number): number {
    return this.#eras.findLast((era) => era.firstMsn <= msn)?.era ?? this.#eras[0]?.era ?? 0;
  }

  /** First segment of the era that a changed header belongs to: one that no track has opened. */
  #openEra(track: LiveTrack): number {
    const tracks = [...this.#tracks.values()];
    const firstFree = Math.max(0, ...tracks.map((other) => other.firstFreeMsn ?? 0));
    const newest = this.#eras.at(-1);
    // A sister track has opened it already and this one has not reached it.
    if (newest !== undefined && newest.firstMsn >= (track.firstFreeMsn ?? 0) && newest.era > 0) {
      return newest.firstMsn;
    }
    this.#eras = [
      ...this.#eras.slice(-MAX_ERAS),
      { era: (newest?.era ?? 0) + 1, firstMsn: firstFree },
    ];
    return firstFree;
  }

  #announce(name: string, change: Change): void {
    if (change === 'none') {
      return;
    }
    if (change === 'part') {
      this.#version += 1;
    }
    this.#onChange(name, change);
  }

  #inLadderOrder(): LiveTrack[] {
    const { video, audio } = this.broadcast.ladder;
    return [...video, ...audio].flatMap((rung) => this.#tracks.get(rung.name) ?? []);
  }

  #present(): Presentation | undefined {
    // A playlist needs a closed segment, and its sisters' newest part for the rendition reports.
    const tracks = this.#inLadderOrder().filter((track) => closedSegments(track).length > 0);
    const { video, audio } = this.broadcast.ladder;
    const longest = Math.max(0, ...tracks.map((track) => closedSegments(track).length));
    if (tracks.length < video.length + audio.length && longest < ALONE_AFTER_SEGMENTS) {
      return undefined;
    }
    const windows = tracks.flatMap((track) => this.#window(track) ?? []);
    const listed = windows.flatMap(({ segments, open }) =>
      [segments[0], segments.at(-1), open].flatMap((segment) => segment?.msn ?? []),
    );
    const oldest = Math.min(...listed);
    const newest = Math.max(...listed);
    return {
      broadcastId: this.broadcast.id,
      grid: this.broadcast.grid,
      windows,
      windowMs: this.#depth.windowSegments * this.broadcast.grid.segmentMs,
      eras: this.#eras.filter(
        (era, index) =>
          era.firstMsn <= newest && (this.#eras[index + 1]?.firstMsn ?? Infinity) > oldest,
      ),
    };
  }

  #window(track: LiveTrack): TrackWindow | undefined {
    const description = this.#describe(track);
    if (description === undefined) {
      return undefined;
    }
    const headers = Array.from(track.headers);
    const { newest } = track.ring;
    const open = newest === undefined || newest.isClosed ? undefined : segmentEntry(newest);
    return {
      track: description,
      segments: closedSegments(track).slice(-this.#depth.windowSegments).map(segmentEntry),
      open,
      initUris: new Map(headers.map(([era, { uri }]) => [era, uri])),
      tracksByEra: new Map(
        headers.map(([era, header]) => [era, this.#describe(track, header) ?? description]),
      ),
    };
  }

  #newestHeader(track: LiveTrack): TrackHeader | undefined {
    return track.followed?.header ?? track.headers.get(this.#eras.at(-1)?.era ?? 0);
  }

  /** As `header` has it; as the publisher that is followed now has it where none is given. */
  #describe(track: LiveTrack, header = this.#newestHeader(track)): TrackDescription | undefined {
    const { ladder, grid } = this.broadcast;
    const rung = [...ladder.video, ...ladder.audio].find((one) => one.name === track.name);
    const init = header?.init;
    if (rung === undefined || init === undefined) {
      return undefined;
    }
    return {
      name: track.name,
      kind: init.kind,
      codecs: init.codecs,
      timescale: init.timescale,
      bitrateBps: rung.bitrateBps,
      ...(init.width === undefined ? {} : { width: init.width }),
      ...(init.height === undefined ? {} : { height: init.height }),
      ...(init.kind === 'video' ? { fps: grid.fps } : {}),
      ...(init.channels === undefined ? {} : { channels: init.channels }),
      ...(init.sampleRate === undefined ? {} : { sampleRate: init.sampleRate }),
    };
  }
}

function closedSegments(track: LiveTrack): readonly StoredSegment[] {
  const { segments, newest } = track.ring;
  return newest === undefined || newest.isClosed ? segments : segments.slice(0, -1);
}

function mergeChange(a: Change, b: Change): Change {
  return a === 'part' || b === 'part' ? 'part' : a === 'chunk' || b === 'chunk' ? 'chunk' : 'none';
}

function isSameEpoch(a: PublisherIdentity, b: PublisherIdentity): boolean {
  return a.epoch.timestamp === b.epoch.timestamp && a.epoch.attempt === b.epoch.attempt;
}

function statusOf(track: TrackDescription): OriginStatus['tracks'][number] {
  return {
    name: track.name,
    kind: track.kind,
    codec: track.codecs,
    bitrateBps: track.bitrateBps,
    ...(track.width === undefined ? {} : { width: track.width }),
    ...(track.height === undefined ? {} : { height: track.height }),
    ...(track.fps === undefined ? {} : { fps: track.fps }),
  };
}
