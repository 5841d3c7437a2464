/**
 * What is kept of a broadcast beyond the ring, as a port: the live path says what happened and goes
 * on at once; the archive writes behind it. Paths, files and their recovery are the archive's.
 */
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Ticks } from '../../infra/kernel/time.ts';
import type { Presentation, SegmentEntry } from '../playlists/model.ts';
import type { PublisherIdentity } from './follow.ts';
import type { TrackHeader } from './segmentRing.ts';

/** A part and how many bytes of its segment it is. */
export type PartRecord = SegmentEntry['parts'][number] & { readonly bytes: number };

/** What is known of a segment beside its bytes. */
export type SegmentRecord = Omit<SegmentEntry, 'parts' | 'bytes'> & {
  readonly bytes: number;
  /** Empty where a segment is so old that nobody lists its parts. */
  readonly parts: readonly PartRecord[];
  readonly initUri: string;
  /** Who made it; undefined for a gap. */
  readonly publisher: PublisherIdentity | undefined;
};

/** Era and the first segment that it ever had. */
export type EraRecord = { readonly era: number; readonly firstMsn: number };

/** A track as it was found on disk. */
export type RestoredTrack = {
  readonly name: string;
  readonly headers: ReadonlyMap<number, TrackHeader>;
  /** Closed segments, oldest first; the newest of them with their bytes, as many as the ring holds. */
  readonly closed: readonly {
    readonly record: SegmentRecord;
    readonly chunks: readonly Uint8Array[];
  }[];
  /**
   * The segment that was growing when the process died, with its complete chunks. Only the publisher
   * that began it may go on with it; else it is cut short.
   */
  readonly open:
    { readonly record: SegmentRecord; readonly chunks: readonly Uint8Array[] } | undefined;
};

/** A broadcast as it was found on disk. */
export type RestoredBroadcast = {
  readonly eras: readonly EraRecord[];
  readonly tracks: readonly RestoredTrack[];
};

/** State of the storage, for the API and the metric. */
export type StorageState = {
  readonly state: 'ok' | 'slow' | 'full' | 'failing' | 'off';
  readonly reason?: string;
  readonly bytes: number;
};

/**
 * The archive. Writes never block and never throw: what cannot be written is dropped and counted,
 * and the segment is then not on disk at all.
 */
export interface Archive extends Closeable {
  /** What a restart finds, read once per broadcast; undefined where nothing is there. */
  restore(broadcastId: string, ringSegments: number): Promise<RestoredBroadcast | undefined>;
  header(broadcastId: string, track: string, era: number, header: TrackHeader): void;
  era(broadcastId: string, era: EraRecord): void;
  /** The first bytes of segment `record.msn` follow. */
  open(broadcastId: string, track: string, record: SegmentRecord): void;
  /** One complete chunk of the open segment; `record` as it stands with it. */
  append(broadcastId: string, track: string, record: SegmentRecord, chunk: Uint8Array): void;
  /** The segment is complete; a gap comes whole, with its filler if it has one. */
  complete(
    broadcastId: string,
    track: string,
    record: SegmentRecord,
    filler?: readonly Uint8Array[],
  ): void;
  /** The broadcast has ended: what was written since its start becomes a recording. */
  end(broadcastId: string, presentation: Presentation): void;
  /** Closed segments that can be read, oldest first: the DVR window. */
  list(broadcastId: string, track: string): readonly SegmentRecord[];
  /** Bytes of a closed segment (or of `range` of it); undefined where it is not on disk. */
  read(
    broadcastId: string,
    track: string,
    msn: number,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined>;
  /** Header file by name: those of eras that left the ring. */
  readHeader(broadcastId: string, track: string, uri: string): Promise<Uint8Array | undefined>;
  /** A finished recording as players are told of it; its media is read with `list` and `read`'s names. */
  recording(broadcastId: string, recordingId: string): Presentation | undefined;
  recordings(broadcastId: string): readonly {
    readonly id: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly bytes: number;
    readonly expiresMs: number;
  }[];
  state(): StorageState;
  /** Oldest start that every track still has, in ticks of that track; undefined while empty. */
  oldest(broadcastId: string, track: string): Ticks | undefined;
}
