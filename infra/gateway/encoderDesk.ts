/**
 * One encoder of this process and its jobs: what runs, what failed and why, and what the worker's
 * report says of it. Leaves queues and locks to the kernel's jobs.
 */
import type { EncoderChoice } from '../../packager/worker/index.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { errorText } from '../kernel/errors.ts';
import type { JobContext } from '../kernel/jobs.ts';
import { formatEpoch, slotKey, type TranscodeStatus } from '../kernel/wire.ts';
import type { WorkerReport } from '../kernel/workerReport.ts';
import { EncoderSeat } from './encoderSeat.ts';
import { faultCode, nextFault } from './jobFault.ts';
import { broadcastOfJob, slotOfJob } from './transcodeChoice.ts';
import type { WorkerBoard } from './workerBoard.ts';

/** What a desk is given. */
export type DeskDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly board: Pick<WorkerBoard, 'faultOf' | 'saveFault'>;
  readonly nowMs: () => number;
  /** Told when jobs have come or gone. */
  readonly onChange: () => void;
};

/** An encoder and what it carries. */
export type DeskEncoder = {
  readonly encoder: EncoderChoice;
  readonly capacity: number;
  readonly capacityReason: string;
};

type Job = {
  readonly id: string;
  readonly startedMs: number;
  readonly epoch: string;
  status?: TranscodeStatus;
};

/** See the file header. */
export class EncoderDesk {
  readonly #deps: DeskDeps;
  readonly #offer: DeskEncoder;
  readonly #seat: EncoderSeat;
  /** Of one id there may be two for a while: a run outlives its job. */
  readonly #jobs = new Set<Job>();
  readonly #held = new Set<string>();

  constructor(deps: DeskDeps, offer: DeskEncoder) {
    this.#deps = deps;
    this.#offer = offer;
    this.#seat = new EncoderSeat(offer.capacity);
  }

  /**
   * Keeps a seat for a job that is considered, where there is one: not while it rests after a fault;
   * beside a run whose place the job takes in any case, since that one ends once the job is followed.
   */
  hold(jobId: string): boolean {
    const slot = slotOfJob(jobId);
    const taken = this.#seat.running + this.#held.size;
    const isFree =
      taken < this.#seat.limit(this.#deps.nowMs()) ||
      [...this.#jobs].some(({ id }) => id !== jobId && slotOfJob(id) === slot);
    if (isFree) {
      this.#held.add(jobId);
    }
    return isFree;
  }

  /** Another runs it. */
  letGo(jobId: string): void {
    this.#held.delete(jobId);
  }

  /** Runs a job; what it throws is written down and thrown on. */
  async during(
    { id: jobId, epoch }: Pick<JobContext, 'id' | 'epoch'>,
    work: () => Promise<void>,
  ): Promise<void> {
    const { nowMs } = this.#deps;
    const job: Job = { id: jobId, startedMs: nowMs(), epoch: formatEpoch(epoch) };
    const seated = `${jobId}@${job.epoch}`;
    this.#held.delete(jobId);
    this.#seat.begin(seated);
    this.#jobs.add(job);
    this.#deps.onChange();
    let encoderFault: string | undefined;
    try {
      await work();
    } catch (error) {
      encoderFault = faultCode(error) === 'encoder_failed' ? errorText(error) : undefined;
      await this.#failed(jobId, error);
      throw error;
    } finally {
      this.#jobs.delete(job);
      this.#seat.end(seated, nowMs(), encoderFault);
      this.#deps.onChange();
    }
  }

  /** What a job of a broadcast said last: in the slot of another it is known by its epoch. */
  took(broadcastId: string, slot: number, status: TranscodeStatus): void {
    for (const job of this.#jobs) {
      if (slotOfJob(job.id) === slotKey(broadcastId, slot) && job.epoch === status.epoch) {
        job.status = status;
      }
    }
    if (status.state === 'encoding') {
      this.#seat.works(this.#deps.nowMs());
    }
  }

  /** Its part of the worker's report; sets the gauges. */
  report(): { encoder: WorkerReport['encoders'][number]; jobs: WorkerReport['jobs'] } {
    const { encoder, capacity, capacityReason } = this.#offer;
    const { nowMs, metrics } = this.#deps;
    const limit = this.#seat.limit(nowMs());
    const limitReason = this.#seat.limitReason(nowMs());
    const labels = { class: encoder.class };
    metrics
      .gauge('grandstand_worker_jobs', 'Transcode jobs that run here', ['class'])
      .set(this.#seat.running, labels);
    metrics
      .gauge('grandstand_worker_job_limit', 'Transcode jobs that are taken at once', ['class'])
      .set(limit, labels);
    return {
      encoder: {
        ...{ class: encoder.class, name: encoder.name, reason: encoder.reason },
        ...{ capacity, capacityReason, limit, running: this.#seat.running },
        ...(limitReason === undefined ? {} : { limitReason }),
      },
      jobs: [...this.#jobs].map(({ id, startedMs, status }) => ({
        ...{ id, broadcast: broadcastOfJob(id), class: encoder.class, startedMs },
        ...(status === undefined ? {} : { status }),
      })),
    };
  }

  async #failed(jobId: string, error: unknown): Promise<void> {
    const { board, metrics, nowMs, logger } = this.#deps;
    metrics
      .counter('grandstand_worker_jobs_failed_total', 'Transcode jobs that failed', ['code'])
      .add(1, { code: faultCode(error) });
    const slot = slotOfJob(jobId);
    try {
      const fault = nextFault(error, await board.faultOf(slot), this.#offer.encoder.class, nowMs());
      if (fault !== undefined) {
        await board.saveFault(slot, fault);
      }
    } catch (cause) {
      logger.debug({ job: jobId, error: errorText(cause) }, 'fault not written down');
    }
  }
}
