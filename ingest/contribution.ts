/**
 * One broadcast's way from access units to the feed: ties the timeline (which stamps) to the feed
 * (which writes and fans out), and owns the only timers of both. Leaves RTP and reconnecting to
 * the source that calls it, and routes and tokens to the ingest's HTTP edge.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../infra/kernel/broadcastClock.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { AccessUnit, SenderReport, VideoParameters } from '../infra/kernel/media.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { UnixMs } from '../infra/kernel/time.ts';

/** Where a source puts its media. Calls are synchronous, in the order of arrival. */
export interface MediaSink {
  /** A new peer: new RTP time bases. Implies `endSource` of the one before. */
  beginSource(info: { readonly hasAudio: boolean }): void;
  /** Before the first video unit of a source, and whenever they change. */
  videoParameters(parameters: VideoParameters): void;
  /** The sink keeps `data`: hand over bytes that nobody writes to again. */
  accessUnit(unit: AccessUnit): void;
  senderReport(report: SenderReport): void;
  /** The peer is gone: readers of the feed are ended. Idempotent. */
  endSource(reason: string): void;
}

/** Counts and states of one broadcast's contribution, since it was created. */
export type ContributionStats = {
  /** What is on the timeline now: nothing, units held until the tracks are mapped, or live. */
  readonly state: 'idle' | 'holding' | 'live';
  /** Where UTC came from for the present source. */
  readonly utcFrom: 'sender-report' | 'arrival' | undefined;
  readonly codec: string | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly videoUnits: number;
  readonly audioUnits: number;
  /** Units refused because they could not be stamped above the last stamp of their track. */
  readonly unitsDropped: number;
  readonly readers: number;
  /** Readers that were too slow and were cut off. */
  readonly readersDropped: number;
};

/** The contribution feed of one broadcast. */
export type Contribution = Closeable &
  MediaSink & {
    /** Answers a `GET` of the feed; the token has been checked. */
    handle(request: IncomingMessage, response: ServerResponse): void;
    /** Newest video stamp in the feed, Unix ms; undefined before the first. */
    newestMs(): UnixMs | undefined;
    /** Whether a reader that comes now is served. */
    isReady(): boolean;
    stats(): ContributionStats;
  };

/** What a contribution is given. */
export type ContributionDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Asks the source for a keyframe; the source throttles. */
  readonly requestKeyframe: (reason: string) => void;
};

/** Makes the contribution of `broadcastId`; nothing runs until a source begins. */
export function createContribution(
  _deps: ContributionDeps,
  _options: { readonly broadcastId: string },
): Contribution {
  throw new Error('not built yet');
}
