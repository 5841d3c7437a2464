/**
 * One session of a broadcast, from start to end, as it is on disk: what is listed of it, and what it
 * is as a recording. Owns no file: writers tell it what they lost.
 */
import type { Grid } from '../../../infra/kernel/grid.ts';
import { ticks, unixMsFromTicks } from '../../../infra/kernel/time.ts';
import type { Presentation, SegmentEntry } from '../../playlists/model.ts';
import type { DateRangeRecord, EraRecord, RecordingSummary, SegmentRecord } from '../storage.ts';
import type { SessionEnd } from './sessionFile.ts';
import { TrackIndex } from './trackIndex.ts';
import type { TrackWriter } from './trackWriter.ts';

/** A track of a session. */
export type SessionTrack = {
  readonly index: TrackIndex;
  /** Header file of each era. */
  readonly headers: Map<number, string>;
  /** Absent once nothing is written any more. */
  writer: TrackWriter | undefined;
  /** Growing, with its complete chunks, as it was found; taken by `restore`. */
  found: { readonly record: SegmentRecord; readonly chunks: readonly Uint8Array[] } | undefined;
};

// Listed no more before they are deleted for want of room: a player may still want them (U05).
const SQUEEZED_SEGMENTS = 8;
// What may still be listed with its parts, and what a ring takes up again.
const PARTS_FOR_SEGMENTS = 450;

/** See the file header. */
export class Session {
  readonly broadcastId: string;
  readonly id: string;
  readonly tracks = new Map<string, SessionTrack>();
  grid: Grid | undefined;
  eras: readonly EraRecord[];
  end: SessionEnd | undefined;
  /** As its file had them. */
  readonly dateRanges: DateRangeRecord | undefined;
  /** Bytes ran out inside the DVR window. */
  isSqueezed = false;
  #presentation: Presentation | undefined;

  constructor(fields: {
    readonly broadcastId: string;
    readonly id: string;
    readonly grid: Grid | undefined;
    readonly eras: readonly EraRecord[];
    readonly end?: SessionEnd | undefined;
    readonly dateRanges?: DateRangeRecord | undefined;
  }) {
    this.broadcastId = fields.broadcastId;
    this.id = fields.id;
    this.grid = fields.grid;
    this.eras = fields.eras;
    this.end = fields.end;
    this.dateRanges = fields.dateRanges;
  }

  /** The track, made where there is none. */
  track(name: string): SessionTrack {
    const known = this.tracks.get(name);
    if (known !== undefined) {
      return known;
    }
    const track: SessionTrack = {
      index: new TrackIndex(PARTS_FOR_SEGMENTS),
      headers: new Map(),
      writer: undefined,
      found: undefined,
    };
    this.tracks.set(name, track);
    return track;
  }

  get bytes(): number {
    return this.#indexes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** First number of any track. */
  get oldestMsn(): number | undefined {
    const msns = this.#indexes.flatMap(({ oldest }) => oldest?.msn ?? []);
    return msns.length === 0 ? undefined : Math.min(...msns);
  }

  get newestMsn(): number | undefined {
    const msns = this.#indexes.flatMap(({ newest }) => newest?.msn ?? []);
    return msns.length === 0 ? undefined : Math.max(...msns);
  }

  /** Start of segment `msn` on the timeline (Unix ms). */
  msOf(msn: number): number {
    return msn * (this.grid?.segmentMs ?? 2000);
  }

  /** First number of the DVR window; undefined while empty. */
  floorMsn(windowMs: number): number | undefined {
    const { newestMsn } = this;
    // The same numbers in every track: what one does not have is listed of none.
    const common = Math.max(...this.#indexes.flatMap(({ oldest }) => oldest?.msn ?? []));
    if (newestMsn === undefined) {
      return undefined;
    }
    const listed = Math.ceil(windowMs / (this.grid?.segmentMs ?? 2000));
    return Math.max(newestMsn - listed + 1, common + (this.isSqueezed ? SQUEEZED_SEGMENTS : 0));
  }

  /** The DVR window of one track. */
  list(name: string, windowMs: number): readonly SegmentRecord[] {
    const index = this.tracks.get(name)?.index;
    const floor = this.floorMsn(windowMs);
    const { oldest } = index ?? {};
    return index === undefined || floor === undefined || oldest === undefined
      ? []
      : index.records.slice(Math.max(0, floor - oldest.msn));
  }

  /** Deletes everything older than `msn`; the files go when their writers come to it. */
  dropBefore(
    msn: number,
    remove: (track: string, of: SessionTrack, dropped: readonly SegmentRecord[]) => void,
  ): number {
    const before = this.bytes;
    for (const [name, track] of this.tracks) {
      const dropped = track.index.dropBefore(msn);
      if (dropped.length > 0) {
        remove(name, track, dropped);
      }
    }
    return before - this.bytes;
  }

  /** As a recording; undefined before its end. */
  summary(retentionMs: number): RecordingSummary | undefined {
    const { end, oldestMsn, newestMsn } = this;
    if (end === undefined || oldestMsn === undefined || newestMsn === undefined) {
      return undefined;
    }
    return {
      id: this.id,
      fromMs: this.msOf(oldestMsn),
      toMs: this.#endMs(end) ?? this.msOf(newestMsn + 1),
      bytes: this.bytes,
      expiresMs: end.endedMs + retentionMs,
    };
  }

  /** As players are told of it; undefined before its end. */
  presentation(): Presentation | undefined {
    const { end, grid, oldestMsn, newestMsn } = this;
    if (end === undefined || grid === undefined || oldestMsn === undefined) {
      return undefined;
    }
    const from = Math.max(...this.#indexes.flatMap(({ oldest }) => oldest?.msn ?? []));
    this.#presentation ??= {
      broadcastId: this.broadcastId,
      grid,
      view: 'vod',
      isEnded: true,
      windows: end.tracks.flatMap(({ track, tracksByEra }) => {
        const held = this.tracks.get(track.name);
        const segments = (held?.index.records ?? []).filter(({ msn }) => msn >= from).map(entryOf);
        return held === undefined || segments.length === 0
          ? []
          : [{ track, segments, open: undefined, initUris: held.headers, tracksByEra }];
      }),
      windowMs: this.msOf((newestMsn ?? from) + 1 - from),
      eras: this.eras.filter(
        ({ firstMsn }, index) =>
          firstMsn <= (newestMsn ?? from) && (this.eras[index + 1]?.firstMsn ?? Infinity) > from,
      ),
      dateRanges: end.dateRanges,
    };
    return this.#presentation;
  }

  /** The last segment of a session that was ended may be short. */
  #endMs(end: SessionEnd): number | undefined {
    const ends = end.tracks.flatMap(({ track: { name, timescale } }) => {
      const newest = this.tracks.get(name)?.index.newest;
      return newest === undefined
        ? []
        : unixMsFromTicks(ticks(newest.start + newest.duration), timescale);
    });
    return ends.length === 0 ? undefined : Math.max(...ends);
  }

  get #indexes(): TrackIndex[] {
    return [...this.tracks.values()].map(({ index }) => index).filter(({ oldest }) => oldest);
  }
}

/** A record as playlists are told of it: nobody lists parts of what is over. */
function entryOf({ bytes, ...record }: SegmentRecord): SegmentEntry {
  const { msn, start, duration, isGap, era, iframe } = record;
  return {
    msn,
    start,
    duration,
    isGap,
    parts: [],
    era,
    ...(isGap ? {} : { bytes }),
    ...(iframe === undefined ? {} : { iframe }),
  };
}
