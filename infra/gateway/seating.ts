/** Which worker may take a slot of a broadcast: two slots on one machine would be lost together. Pure. */

/** A process that encodes. */
export type Seat = { readonly instance: string; readonly host: string };

/** Whether to take a job, and why not. */
export type Seating = { readonly kind: 'take' } | { readonly kind: 'leave'; readonly why: string };

/** Another host that lives and takes nothing is full: beyond this the slots share a host. */
const PATIENCE_MS = 5000;

/**
 * @param me who is offered the job
 * @param other who runs the other slot, where anybody does
 * @param workers all that live
 * @param waitedMs how long the job has been wished for
 */
export function seatingOf(
  me: Seat,
  other: Seat | undefined,
  workers: readonly Seat[],
  waitedMs: number,
): Seating {
  if (other === undefined || !workers.some(({ instance }) => instance === other.instance)) {
    return { kind: 'take' };
  }
  if (other.instance === me.instance) {
    return { kind: 'leave', why: 'the other slot runs in this process' };
  }
  const isElsewherePossible = workers.some(({ host }) => host !== other.host);
  return other.host === me.host && isElsewherePossible && waitedMs < PATIENCE_MS
    ? { kind: 'leave', why: 'the other slot runs on this host, and other hosts have workers' }
    : { kind: 'take' };
}
