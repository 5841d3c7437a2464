/**
 * What is kept of a broadcast beyond the ring, as a port: the live path says what happened and goes
 * on at once; the archive writes behind it. Paths, files and their recovery are the archive's.
 */
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Broadcast, OriginStatus } from '../../infra/kernel/wire.ts';
import type { DateRange, Presentation, SegmentEntry } from '../playlists/model.ts';
import type { PublisherIdentity } from './follow.ts';
import type { TrackHeader } from './trackHeader.ts';

/** A part and how many bytes of its segment it is. */
export type PartRecord = SegmentEntry['parts'][number] & { readonly bytes: number };

/** What is known of a segment beside its bytes. */
export type SegmentRecord = Omit<SegmentEntry, 'parts' | 'bytes'> & {
  /** Of its file: also of a gap's filler (0 where a gap has none). */
  readonly bytes: number;
  /** Empty where a segment is so old that nobody lists its parts. */
  readonly parts: readonly PartRecord[];
  readonly initUri: string;
  /** Who made the newest of it; undefined for a gap. */
  readonly publisher: PublisherIdentity | undefined;
};

/** Era and the first segment that it ever had. */
export type EraRecord = { readonly era: number; readonly firstMsn: number };

/** Date ranges as they stand: those that may be listed, and the ids that none may have again. */
export type DateRangeRecord = {
  readonly ranges: readonly DateRange[];
  readonly usedIds: readonly string[];
};

/** A segment as it was found on disk. */
export type RestoredSegment = {
  readonly record: SegmentRecord;
  /** One slice of a closed segment; one for each complete chunk of an open one. */
  readonly chunks: readonly Uint8Array[];
};

/** A track as it was found on disk. */
export type RestoredTrack = {
  readonly name: string;
  /** Header of each era that a restored segment has. */
  readonly headers: ReadonlyMap<number, TrackHeader>;
  /**
   * The newest closed segments with their bytes, oldest first, consecutive msn, at most as many as
   * the ring holds. Whatever is missing between them is a gap without filler.
   */
  readonly closed: readonly RestoredSegment[];
  /**
   * The segment that was growing when the process died, with its complete chunks. Only the publisher
   * that made the newest of it may go on with it; else it is cut short (and `complete` is called). `record.parts`
   * may lack the newest part where the process died between a chunk and the line that tells of it:
   * cutting the chunks' samples again says which parts there are.
   */
  readonly open: RestoredSegment | undefined;
};

/** A broadcast as it was found on disk. */
export type RestoredBroadcast = {
  /** Every era that is known, oldest first: the next one is the last of these + 1. */
  readonly eras: readonly EraRecord[];
  /** Empty where the last session ended and another is wanted. */
  readonly tracks: readonly RestoredTrack[];
  /** `tracks` are of a session that has ended: nothing follows. */
  readonly isEnded: boolean;
  /** Where `tracks` are empty: names of segments before this instant are taken (Unix ms). */
  readonly takenMs?: number;
  readonly dateRanges?: DateRangeRecord | undefined;
};

/** State of the storage, for the API and the metric. */
export type StorageState = {
  readonly state: NonNullable<OriginStatus['storage']>['state'];
  readonly reason?: string;
  readonly bytes: number;
};

/** A finished recording: where it begins and ends on the timeline, and until when it is kept. */
export type RecordingSummary = {
  /** UTC instant of its first segment, `20261120t220409z`. */
  readonly id: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bytes: number;
  readonly expiresMs: number;
};

/**
 * The archive. Writes never block and never throw: what cannot be written is dropped and counted,
 * and the segment is then not on disk at all (it is listed as a gap).
 */
export interface Archive extends Closeable {
  /**
   * What a restart finds of a desired broadcast; undefined where nothing is there. Asked once, before
   * anything is written of that broadcast.
   */
  restore(broadcast: Broadcast, ringSegments: number): Promise<RestoredBroadcast | undefined>;
  /** Header of `era`, before the first segment that needs it. Repeats are free. */
  header(broadcastId: string, track: string, era: number, header: TrackHeader): void;
  /** A new era. Repeats are free. */
  era(broadcastId: string, era: EraRecord): void;
  /** Date ranges have changed: they outlive a restart. */
  dateRanges(broadcastId: string, record: DateRangeRecord): void;
  /**
   * The first bytes of segment `record.msn` follow. The first after `end` begins another session,
   * whose DVR window holds nothing of the one before.
   */
  open(broadcastId: string, track: string, record: SegmentRecord): void;
  /**
   * One complete chunk of the open segment; `record` as it stands with it, the part included that
   * the chunk completed (so: called when all events of one sample have been applied).
   */
  append(broadcastId: string, track: string, record: SegmentRecord, chunk: Uint8Array): void;
  /** The segment is complete; a gap comes whole and without `open`, with its filler if it has one. */
  complete(
    broadcastId: string,
    track: string,
    record: SegmentRecord,
    filler?: readonly Uint8Array[],
  ): void;
  /**
   * The broadcast has ended: what was written since its start becomes a recording. Descriptions,
   * eras and date ranges are taken from `presentation` (its view does not matter), segments from the
   * archive. Called again for the same session it does nothing.
   */
  end(broadcastId: string, presentation: Presentation): void;
  /**
   * The DVR window: closed segments, oldest first, consecutive msn, from the same msn in every track.
   * What could not be kept stands in it as a gap of 0 bytes.
   */
  list(broadcastId: string, track: string): readonly SegmentRecord[];
  /**
   * Bytes of a closed segment (or of `range` of it), also of a recording or past the window while
   * they are there, and of a gap what DASH is given in its place; undefined where they are not.
   */
  read(
    broadcastId: string,
    track: string,
    msn: number,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined>;
  /** Header file by name: also those of eras that left the ring. */
  readHeader(broadcastId: string, track: string, uri: string): Promise<Uint8Array | undefined>;
  /** A finished recording as players are told of it (view `vod`); its media is read with `read`. */
  recording(broadcastId: string, recordingId: string): Presentation | undefined;
  /** Finished recordings, oldest first. */
  recordings(broadcastId: string): readonly RecordingSummary[];
  state(): StorageState;
  /**
   * The session that is being written, or that ended last: the id that its recording has or will
   * have, and where its DVR window begins (Unix ms). Undefined while nothing of it is there.
   */
  session(broadcastId: string): { readonly recording: string; readonly fromMs: number } | undefined;
}

/** Keeps nothing: for an origin without a media directory, and for tests. */
export const noArchive: Archive = {
  restore: () => Promise.resolve(undefined),
  header: () => undefined,
  era: () => undefined,
  dateRanges: () => undefined,
  open: () => undefined,
  append: () => undefined,
  complete: () => undefined,
  end: () => undefined,
  list: () => [],
  read: () => Promise.resolve(undefined),
  readHeader: () => Promise.resolve(undefined),
  recording: () => undefined,
  recordings: () => [],
  state: () => ({ state: 'off', bytes: 0 }),
  session: () => undefined,
  close: () => Promise.resolve(),
};
