/**
 * Whether a worker that is told to stop goes on with a run whose job it has given back, until the
 * next one is followed. Pure.
 */
import type { EncoderClass } from '../kernel/encoders.ts';
import { compareEpochs, type Epoch, parseEpoch } from '../kernel/wire.ts';
import type { WorkerReport } from '../kernel/workerReport.ts';
import { slotOfJob } from './transcodeChoice.ts';

/** What is known when a worker leaves. */
export type Leave = {
  /** Instance that leaves. */
  readonly me: string;
  /** The encoders that the job needs. */
  readonly class: EncoderClass;
  /** Workers that live. */
  readonly workers: readonly WorkerReport[];
  /** Slots whose publisher an origin has lost of late, with its epoch. */
  readonly lost: ReadonlyMap<string, Epoch>;
};

/**
 * Where the sister slot is published nobody waits for this one: it ends at once, and the origins go
 * on with the sister as if the worker had been killed. Else it goes on if somebody can take its job
 * and an origin takes what it encodes.
 */
export function lingersOnLeave(
  jobId: string,
  { me, class: needed, workers, lost }: Leave,
): boolean {
  const sister = sisterOf(slotOfJob(jobId));
  if (
    isInVain(
      workers.find(({ instance }) => instance === me),
      jobId,
    )
  ) {
    return false;
  }
  const staying = workers.filter(
    ({ instance, isStopping }) => instance !== me && isStopping !== true,
  );
  if (staying.some((worker) => publishes(worker, sister, lost.get(sister)))) {
    return false;
  }
  return staying.some((worker) => !holds(worker, sister) && hasRoom(worker, needed));
}

/** Whether no origin takes what the job encodes. */
function isInVain(worker: WorkerReport | undefined, jobId: string): boolean {
  return worker?.jobs.find(({ id }) => id === jobId)?.status?.isTaken === false;
}

/** The other slot of a broadcast. */
function sisterOf(slot: string): string {
  return `${slot.slice(0, -1)}${slot.endsWith('0') ? 1 : 0}`;
}

function holds({ jobs }: WorkerReport, slot: string): boolean {
  return jobs.some(({ id }) => slotOfJob(id) === slot);
}

/** A fault in its status may be an origin that gets nothing. */
function publishes({ jobs }: WorkerReport, slot: string, lost: Epoch | undefined): boolean {
  return jobs.some(({ id, status }) => {
    if (slotOfJob(id) !== slot || status?.state !== 'encoding' || status.reason !== undefined) {
      return false;
    }
    const epoch = parseEpoch(status.epoch);
    return lost === undefined || (epoch !== undefined && compareEpochs(epoch, lost) > 0);
  });
}

function hasRoom({ encoders }: WorkerReport, needed: EncoderClass): boolean {
  return encoders.some((one) => one.class === needed && one.running < one.limit);
}
