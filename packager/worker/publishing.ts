/**
 * Publishes every track of a job to every leased origin, each on its own: follows the directory,
 * starts and ends publishers, counts and reports their faults. An origin that fails holds up
 * nobody.
 */
import type { Directory } from '../../infra/kernel/directory.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import { pause } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Metrics } from '../../infra/kernel/metrics.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import {
  type Epoch,
  type Ladder,
  publishPath,
  type TranscodeJob,
} from '../../infra/kernel/wire.ts';
import { OriginList } from './originList.ts';
import { type PublishObserver, publishTrack } from './publisher.ts';
import { SharedRetry } from './sharedRetry.ts';
import { TrackLog } from './trackLog.ts';

/** Most bytes that a job keeps for origins that reconnect, all tracks together (architecture §4). */
const KEPT_BYTES = 16 * 1024 * 1024;
const DIRECTORY_INTERVAL_MS = 1000;
const REPORT_INTERVAL_MS = 5000;
/** Time to send what is left when the job ends. */
const FINISH_MS = 1000;

/** A track to publish. */
export type PublishedTrack = {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly log: TrackLog;
};

/** The tracks of a ladder; each keeps its share of the job's bytes by bitrate, for all origins at once. */
export function publishedTracks({ video, audio }: Ladder): PublishedTrack[] {
  const rungs = [...video, ...audio];
  const totalBps = rungs.reduce((sum, rung) => sum + rung.bitrateBps, 0);
  return rungs.map(({ name, bitrateBps }, index) => ({
    ...{ name, kind: index < video.length ? 'video' : 'audio' },
    log: new TrackLog(Math.floor((KEPT_BYTES * bitrateBps) / totalBps)),
  }));
}

/** What is published, and why where it is not. */
export type Publishing = {
  /** The fault of the last failed attempt, until an attempt succeeds. */
  fault(): string | undefined;
  /** Whether any origin takes anything. */
  isTaken(): boolean;
  /** Ends once the logs are closed and sent, after at most a second; at once where nobody takes it. */
  finish(): Promise<void>;
};

/** What publishing is given. */
export type PublishingDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly directory: Pick<Directory, 'origins'>;
  readonly internalToken: Secret;
};

/**
 * Starts to publish.
 *
 * @param onFenced told once when an origin says that this job is superseded
 */
export function startPublishing(
  deps: PublishingDeps,
  job: {
    readonly job: TranscodeJob;
    readonly epoch: Epoch;
    readonly tracks: readonly PublishedTrack[];
  },
  onFenced: (error: GatewayError) => void,
): Publishing {
  const stop = new AbortController();
  const publishers = new Map<string, { abort(): void; readonly done: Promise<unknown> }>();
  const faults = new Map<string, string>();
  /** Tracks that an origin takes now, `{origin} {track}`. */
  const taking = new Set<string>();
  const list = new OriginList();
  const startOrigin = (origin: string): { abort(): void; readonly done: Promise<unknown> } => {
    const own = new AbortController();
    const retry = new SharedRetry();
    const signal = AbortSignal.any([own.signal, stop.signal]);
    const done = job.tracks.map(async (track) => {
      const path = publishPath(job.job.broadcast.id, track.name, job.job.slot, job.epoch);
      const target = {
        ...{ origin, path, kind: track.kind, log: track.log, retry },
        token: deps.internalToken,
      };
      try {
        await publishTrack(target, observe(deps, origin, track.name, { faults, taking }), signal);
      } catch (error) {
        onFenced(
          error instanceof GatewayError ? error : new GatewayError('fenced', errorText(error)),
        );
      } finally {
        faults.delete(`${origin} ${track.name}`);
        taking.delete(`${origin} ${track.name}`);
      }
    });
    return {
      abort: () => {
        own.abort();
      },
      done: Promise.all(done),
    };
  };
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const origins = list.update(await deps.directory.origins(), performance.now());
        for (const origin of origins) {
          if (!publishers.has(origin)) {
            publishers.set(origin, startOrigin(origin));
          }
        }
        for (const [origin, publisher] of publishers) {
          if (!origins.has(origin)) {
            publisher.abort();
            publishers.delete(origin);
          }
        }
      } catch (error) {
        // Without the directory the origins known stay the origins.
        deps.logger.debug({ error: errorText(error) }, 'origins not known');
      }
      await pause(DIRECTORY_INTERVAL_MS, stop.signal);
    }
  };
  void follow();
  return {
    fault() {
      const [fault] = faults.values();
      return fault;
    },
    isTaken: () => taking.size > 0,
    async finish() {
      const given = new AbortController();
      const all = Promise.all([...publishers.values()].map((publisher) => publisher.done));
      // Where no origin takes anything there is nothing to wait for.
      if (taking.size > 0) {
        await Promise.race([all, pause(FINISH_MS, given.signal)]);
      }
      given.abort();
      stop.abort();
      // Not until the directory has answered: it may be what is away.
      await all;
    },
  };
}

function observe(
  { logger, metrics }: PublishingDeps,
  origin: string,
  track: string,
  { faults, taking }: { faults: Map<string, string>; taking: Set<string> },
): PublishObserver {
  const key = `${origin} ${track}`;
  const dropped = metrics.counter(
    'grandstand_worker_dropped_fragments_total',
    'Fragments that were let go before an origin took them; at least, since those that are lost in the sockets of a connection that breaks are not known here',
  );
  const failed = metrics.counter(
    'grandstand_worker_publish_failures_total',
    'Publish attempts that failed',
    ['code'],
  );
  let lastReportMs = Number.NEGATIVE_INFINITY;
  let unreported = 0;
  return {
    fault(error) {
      faults.set(key, error.message);
      taking.delete(key);
      failed.add(1, { code: error.code });
      unreported += 1;
      if (performance.now() - lastReportMs >= REPORT_INTERVAL_MS) {
        lastReportMs = performance.now();
        logger.warn(
          { origin, track, code: error.code, error: error.message, count: unreported },
          'publish failed, trying again',
        );
        unreported = 0;
      }
    },
    connected() {
      faults.delete(key);
      taking.add(key);
      logger.debug({ origin, track }, 'publishing');
    },
    dropped(fragments) {
      dropped.add(fragments);
      logger.warn({ origin, track, fragments }, 'origin too slow: fragments dropped');
    },
  };
}
