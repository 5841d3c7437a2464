/** Which class of encoders a transcode job is to wait for, and why it waits. Pure. */
import { ENCODER_CLASSES, type EncoderClass } from '../kernel/encoders.ts';
import type { WorkerReport } from '../kernel/workerReport.ts';
import type { JobFault } from './workerBoard.ts';

/** What becomes of a job; `reason` is why it does not run at once. */
export type TranscodeChoice =
  /** A worker has it. */
  | { readonly kind: 'runs'; readonly class: EncoderClass }
  | { readonly kind: 'wait'; readonly class: EncoderClass; readonly reason?: string }
  /** It is in no queue. */
  | { readonly kind: 'hold'; readonly reason: string };

/** The broadcast of a job `{broadcast}.{group}.{slot}`, with or without an epoch behind it. */
export function broadcastOfJob(jobId: string): string {
  return jobId.split('.', 1).join('');
}

/** The slot of a job, whichever of its lives it is in. */
export function slotOfJob(jobId: string): string {
  return jobId.split('.', 3).join('.');
}

/**
 * Chooses the first class with a free seat, and of those the one it waits in already. All jobs of a
 * broadcast use one class: encoders of two make different headers (architecture §2).
 */
export function chooseClass(
  jobId: string,
  at: {
    readonly workers: readonly WorkerReport[];
    readonly before: string | undefined;
    readonly fault: JobFault | undefined;
    readonly nowMs: number;
  },
): TranscodeChoice {
  const { workers, before, fault, nowMs } = at;
  const jobs = workers.flatMap((worker) => worker.jobs);
  // Before what reports say: the last one may still know the job that has just failed.
  if (fault !== undefined && nowMs < fault.untilMs) {
    return { kind: 'hold', reason: held(fault) };
  }
  const own = jobs.find(({ id }) => id === jobId);
  if (own !== undefined) {
    return { kind: 'runs', class: own.class };
  }
  const siblings = jobs.filter(({ broadcast }) => broadcast === broadcastOfJob(jobId));
  const living = ENCODER_CLASSES.filter((one) =>
    workers.some(({ encoders }) => encoders.some((encoder) => encoder.class === one)),
  );
  const able = living.filter((one) => fault?.avoid.includes(one) !== true);
  // The run whose place it takes binds it no longer than its class can encode what is wished for now.
  const sibling =
    siblings.find(({ id }) => slotOfJob(id) !== slotOfJob(jobId)) ??
    siblings.find((one) => able.includes(one.class));
  const classes = able.filter((one) => sibling === undefined || sibling.class === one);
  const kept = classes.find((one) => one === before);
  const free = classes.filter((one) => seatsOf(workers, one).free > 0);
  const chosen = (kept !== undefined && free.includes(kept) ? kept : free[0]) ?? kept ?? classes[0];
  if (chosen === undefined) {
    return { kind: 'hold', reason: noClass(living, able, fault) };
  }
  return free.includes(chosen)
    ? { kind: 'wait', class: chosen }
    : { kind: 'wait', class: chosen, reason: fullness(workers, classes, fault) };
}

function noClass(
  living: readonly EncoderClass[],
  able: readonly EncoderClass[],
  fault: JobFault | undefined,
): string {
  if (living.length === 0) {
    return 'no worker lives';
  }
  return able.length === 0
    ? `no worker can encode it: ${fault?.reason ?? ''}`
    : 'no worker of the class that encodes its other slot can take it';
}

function held({ reason, count, untilMs }: JobFault): string {
  const when = new Date(untilMs).toISOString().slice(11, 19);
  return `it failed ${count === 1 ? 'once' : `${count} times`}, the next try is at ${when} UTC: ${reason}`;
}

function fullness(
  workers: readonly WorkerReport[],
  classes: readonly EncoderClass[],
  fault: JobFault | undefined,
): string {
  const texts = classes.map((one) => {
    const { limit, running, reasons } = seatsOf(workers, one);
    const why = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
    return `${one} ${running} of ${limit}${why}`;
  });
  const last = fault === undefined ? '' : `; it failed before: ${fault.reason}`;
  return `no worker is free: jobs at once, ${texts.join(', ')}${last}`;
}

function seatsOf(
  workers: readonly WorkerReport[],
  one: EncoderClass,
): { free: number; limit: number; running: number; reasons: string[] } {
  const encoders = workers
    .filter(({ isStopping }) => isStopping !== true)
    .flatMap((worker) => worker.encoders.filter((encoder) => encoder.class === one));
  const sum = (of: (encoder: (typeof encoders)[number]) => number): number =>
    encoders.reduce((total, encoder) => total + of(encoder), 0);
  return {
    free: sum(({ limit, running }) => Math.max(0, limit - running)),
    limit: sum(({ limit }) => limit),
    running: sum(({ running }) => running),
    reasons: encoders.flatMap(({ limitReason }) => limitReason ?? []),
  };
}
