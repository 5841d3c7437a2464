/**
 * Long-lived jobs on BullMQ: the lock is the liveness check, job timestamp and attempt are the
 * fencing epoch (infra-facts §2). The only file that knows bullmq.
 *
 * A run may outlive its job: one that is handed over or replaced, or whose lock Redis lost, goes on
 * until its successor is followed (it is fenced then) or for a while, so that there is never nobody.
 */
import { DelayedError, type Job, Queue, WaitingError, Worker } from 'bullmq';
import { errorText } from './errors.ts';
import { type Closeable, pause } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { redisOptions, type RedisLocation } from './redis.ts';
import { StillnessWatch } from './stillness.ts';
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
  /** Its attempt is 1 where nobody ran the job before; each run's is higher than that of the last. */
  readonly epoch: Epoch;
  readonly signal: AbortSignal;
};

/** What becomes of a job before it runs: `leave` gives it to another runner, `drop` ends it. */
export type Offer = 'run' | 'leave' | 'drop';

/** What jobs are run with. */
export type JobRunnerOptions = {
  readonly location: RedisLocation;
  readonly name: string;
  readonly concurrency: number;
  /** Whether to run a job; where it fails the job runs. */
  readonly consider?: (job: Omit<JobContext, 'signal'>) => Promise<Offer>;
  /** Jobs of one id whose payloads give the same text are the same work; all of it by default. */
  readonly identityOf?: (payload: unknown) => string;
  /**
   * Whether the run of a job that is handed over at the close goes on without it until its successor
   * fences it off; where it is absent, fails or says no, the run ends first.
   */
  readonly mayLinger?: (job: Pick<JobContext, 'id' | 'payload'>) => Promise<boolean>;
  /**
   * Whether another job takes the place of this one that runs. It is taken off the queue, so that who
   * is full can take the other, and its run goes on without it until that one fences it off.
   */
  readonly isReplaced?: (job: Pick<JobContext, 'id' | 'epoch'>) => Promise<boolean>;
};

/**
 * A short lock finds a dead worker within about 5 s (measured 4.2 to 5.5 s); stalls are unlimited,
 * since a live job may be taken over any number of times.
 */
const LOCK_DURATION_MS = 5000;
const STALLED_INTERVAL_MS = 1000;
const MAX_STALLED = 1_000_000;
/** A run that has no job any more ends after this long, if no successor has ended it before. */
const LINGER_MS = 10_000;
/** A process that stood still for this long may have been replaced. */
const STOOD_STILL_MS = LOCK_DURATION_MS / 2;
/** One that is left to others is offered again after this long. */
const LEAVE_MS = 1000;
const REPLACED_CHECK_MS = 1000;

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

type Release = 'handed over' | 'lock lost' | 'replaced';

/** Work that has begun. */
type Run = {
  readonly payload: unknown;
  readonly epoch: Epoch;
  readonly identity: string;
  readonly ended: Promise<void>;
  readonly stop: AbortController;
  /** Ends the wait of the processor that holds it; absent where it goes on without a job. */
  release: ((why: Release) => void) | undefined;
};

/**
 * Runs jobs of the queue `name`, up to `concurrency` at once. A processor that returns ends its
 * job; on `close` running jobs are handed back to the queue for another runner.
 */
export function startJobRunner(
  options: JobRunnerOptions,
  process: (context: JobContext) => Promise<void>,
  logger: Logger,
): Closeable {
  const identityOf = options.identityOf ?? JSON.stringify;
  const runs = new Map<string, Run>();
  const lingering = new Set<Promise<void>>();
  const stillness = new StillnessWatch();
  const watching = new AbortController();
  const closes = Promise.withResolvers<undefined>();
  let closing: Promise<void> | undefined;

  const begin = (context: Omit<JobContext, 'signal'>): Run => {
    const stop = new AbortController();
    logger.info({ job: context.id, epoch: formatEpoch(context.epoch) }, 'job begins');
    const ended = process({ ...context, signal: stop.signal });
    const { id, payload, epoch } = context;
    const identity = identityOf(payload);
    const run: Run = { payload, epoch, identity, ended, stop, release: undefined };
    runs.set(id, run);
    void ended
      .catch(() => undefined)
      .then(() => {
        logger.info({ job: id }, 'job over');
        if (runs.get(id) === run) {
          runs.delete(id);
        }
      });
    return run;
  };

  /** The same work that goes on without a job. */
  const adopt = (id: string, payload: unknown): Run | undefined => {
    const run = runs.get(id);
    if (run?.stop.signal.aborted !== false || run.identity !== identityOf(payload)) {
      return undefined;
    }
    logger.info({ job: id }, 'job goes on with the run that was there');
    return run;
  };

  /** Ends with its run, or when a job holds it, or why it was let go. */
  const hold = async (run: Run): Promise<Release | undefined> => {
    const { promise, resolve } = Promise.withResolvers<Release>();
    run.release = resolve;
    const why = await Promise.race([promise, run.ended.then(nothing, nothing)]);
    run.release = undefined;
    return why;
  };

  const linger = (id: string, run: Run, why: Release): void => {
    const over = new AbortController();
    const end = (async () => {
      if (why === 'replaced') {
        await Promise.race([run.ended.catch(nothing), closes.promise]);
      }
      await Promise.race([run.ended.catch(nothing), pause(LINGER_MS, over.signal)]);
      over.abort();
      if (run.release === undefined) {
        run.stop.abort(why);
        await run.ended.catch((error: unknown) => {
          logger.info({ job: id, reason: errorText(error) }, 'run without a job ended');
        });
      }
    })();
    lingering.add(end);
    void end.then(() => lingering.delete(end));
  };

  const handOver = async (job: Job, token: string | undefined, run: Run): Promise<never> => {
    const id = job.id ?? '';
    const { payload } = run;
    if ((await options.mayLinger?.({ id, payload }).catch(nothing)) === true) {
      linger(id, run, 'handed over');
    } else {
      run.stop.abort('handed over');
      await run.ended.catch(() => undefined);
    }
    await job.moveToWait(token);
    throw new WaitingError();
  };

  const settle = async (id: string, run: Run): Promise<void> => {
    try {
      await run.ended;
    } catch (error) {
      if (!run.stop.signal.aborted) {
        logger.error({ job: id, error: errorText(error) }, 'job failed');
        throw error;
      }
    }
  };

  const consider = async (job: Omit<JobContext, 'signal'>): Promise<Offer> =>
    (await options.consider?.(job).catch(nothing)) ?? 'run';

  /**
   * Back to the queue, as if it had not been taken: nobody ran, so it counts no attempt. In one step
   * with giving up the lock: who has lost that changes nothing, and an attempt that somebody runs as
   * is never given twice.
   */
  const leave = async ({ id = '', attemptsStarted }: Job, token?: string): Promise<never> => {
    await worker.getBackend().moveToDelayed(id, Date.now(), LEAVE_MS, token, {
      skipAttempt: true,
      fieldsToUpdate: { ats: attemptsStarted - 1 },
    });
    throw new DelayedError();
  };

  const worker = new Worker(
    options.name,
    async (job: Job, token?: string) => {
      const id = job.id ?? '';
      const payload: unknown = job.data;
      const epoch = { timestamp: job.timestamp, attempt: job.attemptsStarted };
      const held = runs.get(id)?.release;
      const mayAdopt = held === undefined && closing === undefined;
      const adopted = mayAdopt ? adopt(id, payload) : undefined;
      // What runs here is not considered: it has its place.
      const isHere = held !== undefined || adopted !== undefined;
      const offer = isHere ? 'run' : await consider({ id, payload, epoch });
      if (held !== undefined || offer === 'leave' || closing !== undefined) {
        // Taken again while we still wait on its old lock: that wait has to be over first, since
        // BullMQ knows a job by its id alone. What was fetched as we close would end with nobody.
        held?.('lock lost');
        return leave(job, token);
      }
      if (offer === 'drop') {
        return;
      }
      const run = adopted ?? begin({ id, payload, epoch });
      const why = await hold(run);
      if (why === 'handed over') {
        await handOver(job, token, run);
      } else if (why !== undefined) {
        linger(id, run, why);
      } else {
        await settle(id, run);
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
  // BullMQ does not stop a processor whose lock is lost (infra-facts §2.2). Who stood still has been
  // replaced and ends; where Redis stood still nobody has, and who ended would leave a hole.
  worker.on('lockRenewalFailed', (ids) => {
    const stoodStill = stillness.longestMs(LINGER_MS) >= STOOD_STILL_MS;
    logger.warn({ queue: options.name, jobs: ids, stoodStill }, 'job lock lost');
    for (const id of ids) {
      const run = runs.get(id);
      if (stoodStill) {
        run?.stop.abort('lock lost');
      } else {
        run?.release?.('lock lost');
      }
    }
  });
  const giveUpReplaced = async ({ isReplaced }: JobRunnerOptions): Promise<void> => {
    while (isReplaced !== undefined && !watching.signal.aborted) {
      for (const [id, { epoch, release }] of runs) {
        if (release !== undefined && (await isReplaced({ id, epoch }).catch(nothing)) === true) {
          release('replaced');
        }
      }
      await pause(REPLACED_CHECK_MS, watching.signal);
    }
  };
  void giveUpReplaced(options);
  return {
    close() {
      closing ??= (async () => {
        watching.abort();
        closes.resolve(undefined);
        const closed = worker.close();
        for (const run of runs.values()) {
          run.release?.('handed over');
        }
        await closed;
        await Promise.all(lingering);
        stillness.close();
      })();
      return closing;
    },
  };
}

function nothing(): undefined {
  return undefined;
}
