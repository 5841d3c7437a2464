/**
 * Who is where: roles lease `{role}:{instance} -> base URL` in Redis and find each other by it.
 * Consumers declare which of these they need; the gateway supplies the Redis adapter.
 */
import type {
  Broadcast,
  Epoch,
  IngestStatus,
  OriginStatus,
  TimelineAnchor,
  TranscodeStatus,
} from './wire.ts';

/** Where the newest feed of a broadcast is served. */
export type FeedLocation = { readonly url: string; readonly epoch: Epoch };

/** Read side: what workers and origins look up. */
export interface Directory {
  /** Feed of the highest ingest epoch, or undefined while no ingest has one. */
  feedOf(broadcastId: string): Promise<FeedLocation | undefined>;
  /** Base URLs (`http://host:port`) of the internal listeners of every leased origin. */
  origins(): Promise<readonly string[]>;
  /** Base URLs (`ws://host:port`) of the internal listeners of every leased signalling server. */
  signallingServers(): Promise<readonly string[]>;
  /** Desired state of a broadcast, or undefined where nobody wants it. */
  broadcast(id: string): Promise<Broadcast | undefined>;
}

/** Write side: what a role says of the broadcasts it works on. Leases expire after 5 s. */
export interface StatusBoard {
  announceFeed(broadcastId: string, location: FeedLocation): Promise<void>;
  withdrawFeed(broadcastId: string, epoch: Epoch): Promise<void>;
  reportIngest(broadcastId: string, status: IngestStatus): Promise<void>;
  reportTranscode(broadcastId: string, slot: number, status: TranscodeStatus): Promise<void>;
  /** An origin has lost the connections of a slot, and nobody came back. */
  reportLostPublisher(broadcastId: string, slot: number, epoch: Epoch): Promise<void>;
  /** Nobody has the feed that the ingest of `epoch` still announces. */
  reportLostFeed(broadcastId: string, epoch: Epoch): Promise<void>;
  reportOrigin(broadcastId: string, status: OriginStatus): Promise<void>;
}

/** What an ingest leaves to the next one of the same broadcast. */
export interface TimelineAnchors {
  timelineAnchor(broadcastId: string): Promise<TimelineAnchor | undefined>;
  keepTimelineAnchor(broadcastId: string, anchor: TimelineAnchor, keepMs: number): Promise<void>;
}

/**
 * What several origins must agree on: the first to say it decides, the others obey (architecture §2).
 * Only metadata; media never passes here.
 */
export interface Agreement {
  /**
   * Claims `key` for `value`, kept for `keepMs`.
   *
   * @returns the value that holds, ours or an earlier one; undefined where nobody answered in time,
   *   so that the caller stays with what it has
   */
  claim(key: string, value: string, keepMs: number): Promise<string | undefined>;
  /** All claims whose key begins with `prefix`; undefined where nobody answered in time. */
  claims(prefix: string): Promise<ReadonlyMap<string, string> | undefined>;
}
