/**
 * One broadcast's way from access units to the feed: ties the timeline (which stamps) to the feed
 * (which writes and fans out), and owns the only timers of both. Leaves RTP and reconnecting to
 * the source that calls it, and routes and tokens to the ingest's HTTP edge.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../infra/kernel/broadcastClock.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type {
  AccessUnit,
  SenderReport,
  StampedUnit,
  VideoParameters,
} from '../infra/kernel/media.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { UnixMs } from '../infra/kernel/time.ts';
import { Feed, refuse } from './feed/feed.ts';
import { Timeline } from './timeline/timeline.ts';

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

/** Without a picture for this long the readers are ended. */
const PICTURE_TIMEOUT_MS = 1500;
const CHECK_EVERY_MS = 100;

/** Makes the contribution of `broadcastId`; nothing runs until a source begins. */
export function createContribution(
  deps: ContributionDeps,
  { broadcastId }: { readonly broadcastId: string },
): Contribution {
  const { clock, metrics } = deps;
  const logger = deps.logger.child({ area: 'ingest', broadcastId });
  const timeline = new Timeline();
  const feed = new Feed({ ...deps, logger });
  const unitsMetric = metrics.counter(
    'grandstand_ingest_units_total',
    'Access units and audio packets stamped',
    ['kind'],
  );
  const rebasesMetric = metrics.counter(
    'grandstand_ingest_rebases_total',
    'Jumps of a source in RTP time that were mapped anew',
  );
  const count = { video: 0, audio: 0 };
  let rebasesSeen = 0;
  let pictureMs: UnixMs | undefined;
  let utcFrom: ContributionStats['utcFrom'];
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const write = (units: readonly StampedUnit[]): void => {
    for (const unit of units) {
      count[unit.kind] += 1;
      unitsMetric.add(1, { kind: unit.kind });
      feed.write(unit);
    }
    if (timeline.utcFrom !== utcFrom && timeline.utcFrom !== undefined) {
      logger.info({ utcFrom: timeline.utcFrom }, 'source is mapped to UTC');
    }
    utcFrom = timeline.utcFrom;
    if (timeline.rebases > rebasesSeen) {
      rebasesMetric.add(timeline.rebases - rebasesSeen);
      rebasesSeen = timeline.rebases;
      logger.warn({ rebases: rebasesSeen }, 'source jumped in RTP time and is mapped anew');
    }
  };
  const check = (): void => {
    const nowMs = clock.nowMs();
    write(timeline.advance(nowMs));
    if (pictureMs !== undefined && nowMs - pictureMs > PICTURE_TIMEOUT_MS) {
      pictureMs = undefined;
      logger.warn({ readers: feed.readers }, 'no picture comes; the feed ends its readers');
      feed.end('no picture comes');
    }
    feed.check(nowMs);
  };
  const endSource = (reason: string): void => {
    if (timer === undefined) {
      return;
    }
    clearInterval(timer);
    timer = undefined;
    pictureMs = undefined;
    utcFrom = undefined;
    timeline.endSource();
    logger.info({ reason, readers: feed.readers }, 'source ended');
    feed.end(reason);
  };
  const isReady = (): boolean => pictureMs !== undefined && timeline.state === 'live';

  return {
    beginSource(info) {
      if (isClosed) {
        return;
      }
      endSource('another source begins');
      timeline.beginSource(info);
      timer = setInterval(check, CHECK_EVERY_MS);
    },
    videoParameters(parameters) {
      feed.setParameters(parameters);
    },
    accessUnit(unit) {
      if (timer === undefined) {
        return;
      }
      if (unit.kind === 'video') {
        pictureMs = clock.nowMs();
      }
      write(timeline.push(unit));
    },
    senderReport(report) {
      write(timeline.senderReport(report));
    },
    endSource,
    handle(_request, response) {
      if (isReady() && feed.parameters !== undefined) {
        feed.join(response);
      } else {
        refuse(response, 'no picture yet');
      }
    },
    newestMs: () => feed.newestMs,
    isReady,
    stats: () => ({
      state: timeline.state,
      utcFrom: timeline.utcFrom,
      codec: feed.parameters?.codec,
      width: feed.parameters?.width,
      height: feed.parameters?.height,
      videoUnits: count.video,
      audioUnits: count.audio,
      unitsDropped: timeline.dropped,
      readers: feed.readers,
      readersDropped: feed.readersDropped,
    }),
    close(reason) {
      endSource(reason);
      isClosed = true;
      return Promise.resolve();
    },
  };
}
