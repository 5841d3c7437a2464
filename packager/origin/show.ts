/** What the handlers of /live and /vod read: a broadcast while it lives, or one recording of it. */
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { CounterMetric } from '../../infra/kernel/metrics.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { targetDurationSeconds } from '../playlists/index.ts';
import type { Presentation } from '../playlists/model.ts';
import type { ArchivedBodies } from './archivedBodies.ts';
import type { HeaderBodies, RingBodies } from './bodies.ts';
import type { Renderings } from './renderings.ts';
import type { SegmentRing } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';
import type { Archive } from './storage.ts';
import type { WaitingRoom } from './waitingRoom.ts';

/** A track of a live broadcast, as far as serving needs it. */
export type ServedTrack = {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly ring: Pick<SegmentRing, 'newest' | 'find'>;
  readonly headers: ReadonlyMap<number, TrackHeader>;
};

/** A live broadcast, as far as serving needs it. */
export interface ServedBroadcast {
  readonly broadcast: Pick<Broadcast, 'id' | 'grid'>;
  /** Grows whenever a playlist would read differently. */
  readonly version: number;
  /** When it ended; undefined while it lives, and where it had ended before a restart. */
  readonly endedMs: UnixMs | undefined;
  /** The same object until the version changes. */
  presentation(view?: 'live' | 'dvr'): Presentation | undefined;
  track(name: string): ServedTrack | undefined;
}

/** A broadcast with what was rendered of it. */
export type Show<Live extends ServedBroadcast = ServedBroadcast> = {
  readonly live: Live;
  readonly renderings: Renderings;
};

/** A finished recording with what was rendered of it. */
export type Recorded = { readonly presentation: Presentation; readonly renderings: Renderings };

/** What the handler reads and counts with. */
export type MediaDeps = {
  readonly clock: Clock;
  readonly room: WaitingRoom;
  readonly requests: CounterMetric;
  readonly slowReaders: CounterMetric;
  readonly maxReaderBacklogBytes: number;
  show(broadcastId: string): Show | undefined;
  /** What is kept beyond the rings; absent: nothing. */
  readonly archive?: ServedArchive;
  /** A finished recording; absent: there are none. */
  recording?(broadcastId: string, recordingId: string): Recorded | undefined;
};

/** The archive, as far as serving needs it. */
export type ServedArchive = Pick<Archive, 'list' | 'read' | 'readHeader'>;

/** What answering media shares between requests. */
export type MediaDesk = MediaDeps & {
  readonly archive: ServedArchive;
  readonly bodies: RingBodies;
  readonly headers: HeaderBodies;
  readonly archived: ArchivedBodies;
};

const HELD_TARGET_DURATIONS = 3;
/** By then every player of the live edge has read the end: they ask for the MPD every two seconds. */
const END_IS_NEWS_MS = 60_000;

/** Where requests for a track wait. */
export function roomKey(
  show: { readonly live: Pick<ServedBroadcast, 'broadcast'> },
  trackName: string,
): string {
  return `${show.live.broadcast.id}/${trackName}`;
}

/** When a request that begins to wait now is given up (delivery.md, decision 3). */
export function deadline({ clock }: Pick<MediaDeps, 'clock'>, { live }: Show): UnixMs {
  const targetMs = targetDurationSeconds(live.broadcast.grid) * 1000;
  return unixMs(clock.nowMs() + HELD_TARGET_DURATIONS * targetMs);
}

/**
 * Whether who asks for an ended broadcast now comes to it afterwards: nobody who played it live is
 * still to learn of the end. Pure; an end whose instant is not known was before a restart.
 */
export function isOver(endedMs: UnixMs | undefined, nowMs: UnixMs): boolean {
  return endedMs === undefined || nowMs - endedMs >= END_IS_NEWS_MS;
}

/** End of segment `msn` on the timeline: when its media was complete, on every origin alike. */
export function segmentEndMs({ segmentMs }: Broadcast['grid'], msn: number): number {
  return (msn + 1) * segmentMs;
}
