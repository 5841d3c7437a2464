/**
 * Long-lived jobs on BullMQ: the lock is the liveness check, job timestamp and attempt are the
 * fencing epoch (infra-facts §2). The only file that knows bullmq.
 */
import { type Job, Queue, WaitingError, Worker } from 'bullmq';
import { errorText } from './errors.ts';
import type { Closeable } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { redisOptions, type RedisLocation } from './redis.ts';
import { type Epoch, formatEpoch } from './wire.ts';

/** Where jobs are wished for. */
export interface JobQueue extends Closeable {
  /** Adds the job where no job of that id waits or runs. */
  ensure(id: string, payload: unknown): Promise<void>;
  /** Takes back a job that waits; one that runs is its runner's to end. */
  remove(id: string): Promise<void>;
}

/** What a processor is given. `payload` is not parsed yet. */
export type JobContext = {
  readonly id: string;
  readonly payload: unknown;
  readonly epoch: Epoch;
  readonly signal: AbortSignal;
};

/**
 * A short lock finds a dead worker within about 5 s (measured 4.2 to 5.5 s); stalls are unlimited,
 * since a live job may be taken over any number of times.
 */
const LOCK_DURATION_MS = 5000;
const STALLED_INTERVAL_MS = 1000;
const MAX_STALLED = 1_000_000;
const HANDOVER = 'handover';

/** The queue `name`. Ids must not hold `:` and must not be integers (BullMQ refuses both). */
export function openJobQueue(location: RedisLocation, name: string, logger: Logger): JobQueue {
  const queue = new Queue(name, { connection: redisOptions(location) });
  queue.on('error', (error) => {
    logger.debug({ queue: name, error: errorText(error) }, 'queue connection');
  });
  return {
    async ensure(id, payload) {
      await queue.add(name, payload, { jobId: id, removeOnComplete: true, removeOnFail: true });
    },
    async remove(id) {
      await queue.remove(id);
    },
    async close() {
      await queue.close();
    },
  };
}

/**
 * Runs jobs of the queue `name`, up to `concurrency` at once. A processor that returns ends its
 * job; on `close` running jobs are handed back to the queue for another runner.
 */
export function startJobRunner(
  options: {
    readonly location: RedisLocation;
    readonly name: string;
    readonly concurrency: number;
  },
  process: (context: JobContext) => Promise<void>,
  logger: Logger,
): Closeable {
  const worker = new Worker(
    options.name,
    async (job: Job, token?: string, signal?: AbortSignal) => {
      const aborted = signal ?? new AbortController().signal;
      const id = job.id ?? '';
      const epoch: Epoch = { timestamp: job.timestamp, attempt: job.attemptsStarted };
      logger.info({ job: id, epoch: formatEpoch(epoch) }, 'job begins');
      try {
        await process({ id, payload: job.data, epoch, signal: aborted });
      } catch (error) {
        if (!aborted.aborted) {
          logger.error({ job: id, error: errorText(error) }, 'job failed');
          throw error;
        }
      } finally {
        logger.info({ job: id }, 'job over');
      }
      if (aborted.aborted && aborted.reason === HANDOVER) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
    },
    {
      connection: redisOptions(options.location),
      concurrency: options.concurrency,
      lockDuration: LOCK_DURATION_MS,
      stalledInterval: STALLED_INTERVAL_MS,
      maxStalledCount: MAX_STALLED,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  worker.on('error', (error) => {
    logger.debug({ queue: options.name, error: errorText(error) }, 'worker connection');
  });
  // BullMQ does not stop a processor whose lock is lost (infra-facts §2.2): its work is fenced off
  // by the epoch, and here it ends.
  worker.on('lockRenewalFailed', (ids) => {
    logger.warn({ queue: options.name, jobs: ids }, 'job lock lost');
    for (const id of ids) {
      worker.cancelJob(id, 'lock lost');
    }
  });
  let closing: Promise<void> | undefined;
  return {
    close() {
      closing ??= (async () => {
        const closed = worker.close();
        worker.cancelAllJobs(HANDOVER);
        await closed;
      })();
      return closing;
    },
  };
}
