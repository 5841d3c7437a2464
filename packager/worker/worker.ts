/**
 * A transcode job: joins the feed of a broadcast, keeps an encoder running on it, publishes its
 * tracks to every origin, and says each second how it goes. Leaves queues and locks to the
 * kernel's jobs, which call `run` and abort it.
 */
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { Directory, FeedLocation, StatusBoard } from '../../infra/kernel/directory.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import { backoffMs, pause } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Metrics } from '../../infra/kernel/metrics.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import {
  AUDIO_TIMESCALE,
  unixMsFromTicks,
  ticks,
  VIDEO_TIMESCALE,
} from '../../infra/kernel/time.ts';
import { type Epoch, formatEpoch, type TranscodeJob } from '../../infra/kernel/wire.ts';
import type { WorkerConfig } from './config.ts';
import type { EncoderChoice } from './encoder.ts';
import { runEncoder } from './encoderRun.ts';
import { FeedGone, meteredFeed, openFeed, type OpenFeed } from './feed.ts';
import { encoderFault } from './encoderFault.ts';
import { fenceOf } from './fence.ts';
import { JobStatus } from './jobStatus.ts';
import { LostFeed } from './lostFeed.ts';
import { MAX_BARREN_RUNS, RetryPolicy } from './retryPolicy.ts';
import { type PublishedTrack, publishedTracks, startPublishing } from './publishing.ts';
import type { CutEvent } from './trackCutter.ts';

/** What a worker is given. */
export type WorkerDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly directory: Pick<Directory, 'feedOf' | 'origins'>;
  readonly board: Pick<StatusBoard, 'reportLostFeed' | 'reportTranscode'>;
  readonly internalToken: Secret;
  readonly encoder: EncoderChoice;
};

/** Runs transcode jobs. */
export type TranscodeWorker = {
  /**
   * Transcodes until `signal` aborts; restarts what fails.
   *
   * @throws GatewayError `fenced` when an origin follows a newer epoch of this job, `bad_init`
   *   when the encoder's header changed, which only a new epoch may publish, `encoder_failed` and
   *   `encoder_unsupported` when the job must go elsewhere, `ffmpeg_failed` when tries encode nothing
   */
  run(job: TranscodeJob, tenure: Tenure, signal: AbortSignal): Promise<void>;
};

/** As whom a job runs. */
export type Tenure = {
  readonly epoch: Epoch;
  /** Somebody had this slot before: whoever watches is waiting. */
  readonly isTakeover: boolean;
};

const REPORT_INTERVAL_MS = 1000;
const DELAY_BUCKETS_MS = [50, 75, 100, 115, 140, 200, 300, 500, 1000, 2000];
/** A feed that is not there is asked for again after this long and up to as much again. */
const FEED_RETRY_MS = 300;

/** Makes a worker; nothing runs until `run`. */
export function createWorker(deps: WorkerDeps, config: WorkerConfig): TranscodeWorker {
  return {
    async run(job, { epoch, isTakeover }, signal) {
      const logger = deps.logger.child({ broadcast: job.broadcast.id, slot: job.slot });
      const fatal = new AbortController();
      const tracks = publishedTracks(job.broadcast.ladder);
      const status = new JobStatus(deps.encoder, formatEpoch(epoch), job.broadcast);
      const fence = fenceOf(job.broadcast.grid.segmentMs, (error) => {
        fatal.abort(error);
      });
      const publishing = startPublishing({ ...deps, logger }, { job, epoch, tracks }, (error) => {
        fence.refused(error);
      });
      const report = setInterval(() => {
        const text = status.render(deps.clock.nowMs(), publishing.fault(), publishing.isTaken());
        deps.board.reportTranscode(job.broadcast.id, job.slot, text).catch((error: unknown) => {
          logger.debug({ error: errorText(error) }, 'status not reported');
        });
      }, REPORT_INTERVAL_MS);
      const context: JobContext = {
        deps: { ...deps, logger },
        ...{ config, job, tracks, status, isTakeover, lostFeed: new LostFeed() },
        fail: (error) => {
          fatal.abort(error);
        },
      };
      try {
        await keepEncoding(context, AbortSignal.any([signal, fatal.signal]));
      } finally {
        tracks.forEach((track) => {
          track.log.close();
        });
        await publishing.finish();
        clearInterval(report);
        fence.close();
      }
      if (fatal.signal.aborted) {
        throw fatal.signal.reason as GatewayError;
      }
    },
  };
}

type JobContext = {
  readonly deps: WorkerDeps;
  readonly config: WorkerConfig;
  readonly job: TranscodeJob;
  readonly tracks: readonly PublishedTrack[];
  readonly status: JobStatus;
  readonly lostFeed: LostFeed;
  readonly isTakeover: boolean;
  /** Ends the job for good. */
  readonly fail: (error: GatewayError) => void;
};

/** Run after run until `signal` aborts. */
async function keepEncoding(context: JobContext, signal: AbortSignal): Promise<void> {
  const { deps, status } = context;
  const restarts = deps.metrics.counter(
    'grandstand_worker_encoder_restarts_total',
    'Encoders that were started again',
  );
  const policy = new RetryPolicy();
  while (!signal.aborted) {
    const startedMs = performance.now();
    const framesBefore = status.framesOut;
    let reason: string;
    try {
      reason = await encodeOnce(context, signal);
      deps.logger.info({ reason }, 'encoder stopped');
    } catch (error) {
      if (isAborted(signal)) {
        return;
      }
      if (isAbsence(error)) {
        status.waiting(errorText(error));
        await pause(FEED_RETRY_MS * (1 + Math.random()), signal);
        continue;
      }
      throwIfEncoders(error);
      reason = errorText(error);
      deps.logger.warn({ error: reason }, 'encoder failed, starting it again');
    }
    if (isAborted(signal)) {
      return;
    }
    status.restarting(reason);
    const next = policy.after({
      frames: status.framesOut - framesBefore,
      livedMs: performance.now() - startedMs,
    });
    if (next.kind === 'give-up') {
      const text = `nothing was encoded in ${MAX_BARREN_RUNS} tries: ${reason}`;
      throw new GatewayError('ffmpeg_failed', text, { subject: context.job.broadcast.id });
    }
    restarts.add();
    // One that had run well is started again at once.
    await pause(next.attempt === 0 ? 0 : backoffMs(next.attempt - 1), signal);
  }
}

/** Joins the feed; one that is lost is reported, so that it is ingested elsewhere. */
async function joinFeed(
  { deps, job, lostFeed }: JobContext,
  { url, epoch }: FeedLocation,
  signal: AbortSignal,
): Promise<OpenFeed> {
  try {
    return await openFeed(url, deps.internalToken, signal);
  } catch (error) {
    if (error instanceof FeedGone && lostFeed.gone(epoch)) {
      await deps.board.reportLostFeed(job.broadcast.id, epoch).catch((cause: unknown) => {
        deps.logger.debug({ error: errorText(cause) }, 'lost feed not reported');
      });
    }
    throw error;
  }
}

/** Joins the feed and encodes it; gives why it ended. */
async function encodeOnce(context: JobContext, signal: AbortSignal): Promise<string> {
  const { deps, config, job, tracks, status, isTakeover } = context;
  const location = await deps.directory.feedOf(job.broadcast.id);
  if (location === undefined) {
    throw new GatewayError('feed_unavailable', 'no ingest has a feed of this broadcast');
  }
  let note = '';
  const feed = meteredFeed(await joinFeed(context, location, signal), {
    unit(unit) {
      status.meter.arrived(unit, deps.clock.nowMs());
    },
    unreadable(why) {
      note = `; ${why}`;
      deps.logger.warn({ reason: why }, 'feed not measured any more; ffmpeg reads on');
    },
  });
  for (const track of tracks) {
    track.log.beginRun();
  }
  try {
    const options = {
      ...{ logger: deps.logger, clock: deps.clock, encoder: deps.encoder, config, feed },
      broadcast: job.broadcast,
      notBeforeMs: status.publishedUntilMs,
      isTakeover,
      onTrack: (name: string, event: CutEvent) => {
        takeTrack(context, name, event);
      },
    };
    return (await runEncoder(options, signal)) + note;
  } catch (error) {
    throw note !== '' && error instanceof GatewayError
      ? new GatewayError(error.code, error.message + note, { cause: error })
      : error;
  } finally {
    for (const track of tracks) {
      track.log.endRun();
    }
  }
}

function takeTrack(context: JobContext, name: string, event: CutEvent): void {
  const { tracks, status, fail } = context;
  const track = tracks.find((candidate) => candidate.name === name);
  if (track === undefined) {
    return;
  }
  if (event.kind === 'init') {
    if (!track.log.acceptInit(event.bytes)) {
      const text = `${name}: the encoder's header changed; a new epoch must publish it`;
      fail(new GatewayError('bad_init', text, { subject: name }));
    }
    return;
  }
  track.log.append(event.fragment);
  measure(context, track, event.fragment);
  if (track === tracks[0]) {
    status.encoded(unixMsFromTicks(ticks(event.fragment.endTicks), VIDEO_TIMESCALE));
  }
}

/** Sound comes in packets of up to 60 ms, pictures go into the nearest slot. */
function measure(
  { deps, job, status }: JobContext,
  { kind }: PublishedTrack,
  { dts }: { readonly dts: number },
): void {
  const slotMs = 1000 / job.broadcast.grid.fps;
  const [startMs, within] =
    kind === 'video'
      ? [dts / (VIDEO_TIMESCALE / 1000), { earlierMs: slotMs / 2 + 1, laterMs: slotMs / 2 + 1 }]
      : [dts / (AUDIO_TIMESCALE / 1000), { earlierMs: 60, laterMs: 0 }];
  const delayMs = status.meter.published(kind, startMs, within, deps.clock.nowMs());
  if (delayMs !== undefined) {
    deps.metrics
      .histogram(
        'grandstand_worker_publish_delay_ms',
        'From an access unit in the feed to its fragment published (ms)',
        DELAY_BUCKETS_MS,
        ['kind'],
      )
      .observe(delayMs, { kind });
  }
}

/**
 * What the encoder itself cannot do it will not do for this job either: it goes elsewhere.
 *
 * @throws GatewayError `encoder_failed`, `encoder_unsupported`
 */
function throwIfEncoders(error: unknown): void {
  if (!(error instanceof GatewayError) || error.code !== 'ffmpeg_failed') {
    return;
  }
  const fault = encoderFault(error.message.split('\n'));
  if (fault !== undefined) {
    const code = fault.kind === 'unsupported' ? 'encoder_unsupported' : 'encoder_failed';
    throw new GatewayError(code, fault.reason, { cause: error });
  }
}

/** Whether nothing is wrong here: there is only no feed yet. */
function isAbsence(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'feed_unavailable';
}

// A call, since TypeScript takes `signal.aborted` for settled after the loop's own check.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
