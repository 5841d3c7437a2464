/**
 * What is desired against what is there: which jobs there are to be, and which are taken back. Pure;
 * controller.ts reads the facts and carries out the plan.
 */
import { isEnded } from './desired.ts';
import { isMeasured } from './measuring.ts';
import {
  type Broadcast,
  compareEpochs,
  type Epoch,
  type IngestJob,
  parseEpoch,
  slotKey,
  type TranscodeJob,
  type TranscodeStatus,
} from '../kernel/wire.ts';

/** What the controller has read. */
export type Facts = {
  readonly broadcasts: readonly Broadcast[];
  /** Broadcasts that have a feed. */
  readonly feeds: ReadonlySet<string>;
  /** Workers that live and could take a slot. */
  readonly workers: number;
  /** Epochs behind which a job has another id: a slot's by `slotKey`, an ingest's by broadcast. */
  readonly superseded: ReadonlyMap<string, Epoch>;
  /** What was taken back already (`endOf`). */
  readonly withdrawn: ReadonlySet<string>;
};

/** A job to have, or to take back where it waits. */
export type Action =
  | { readonly kind: 'ingest'; readonly id: string; readonly payload: IngestJob }
  | { readonly kind: 'transcode'; readonly id: string; readonly payload: TranscodeJob }
  | { readonly kind: 'withdraw-ingest' | 'withdraw-transcode'; readonly id: string };

const SLOTS = [0, 1] as const;

/**
 * Id of the job of a slot (`slotKey`) or of an ingest (its broadcast). BullMQ takes no second job of
 * one id while the first is locked: behind an epoch that was lost another id is the one that counts.
 */
export function jobIdOf(key: string, superseded: Epoch | undefined): string {
  return superseded === undefined ? key : `${key}.${superseded.timestamp}-${superseded.attempt}`;
}

/** One end of a broadcast: its waiting jobs are taken back once. */
export function endOf({ id, endedMs }: Broadcast): string {
  return `${id}@${endedMs ?? 0}`;
}

/** Everything to do now; doing it again changes nothing. */
export function reconcilePlan(facts: Facts): Action[] {
  return facts.broadcasts
    .filter(({ source }) => source.kind === 'pixel-streaming')
    .flatMap((broadcast) =>
      isEnded(broadcast) ? withdrawals(broadcast, facts) : wishes(broadcast, facts),
    );
}

/** Slots that a broadcast is encoded in: a second one only where a second worker lives. */
export function slotsOf(redundancy: number, workers: number): readonly number[] {
  return SLOTS.slice(0, Math.max(1, Math.min(redundancy, workers)));
}

/** Losses that are news: newer than what superseded the job before. */
export function newLosses(
  lost: ReadonlyMap<string, Epoch>,
  superseded: ReadonlyMap<string, Epoch>,
): [key: string, epoch: Epoch][] {
  return [...lost].filter(([key, epoch]) => {
    const known = superseded.get(key);
    return known === undefined || compareEpochs(epoch, known) > 0;
  });
}

/** Slots that are encoded with fewer rungs than the ladder has by now, and the epoch that does. */
export function outgrown(
  { ladder }: Broadcast,
  encoders: ReadonlyMap<string, TranscodeStatus>,
): [key: string, epoch: Epoch][] {
  const rungs = [...ladder.video, ...ladder.audio];
  return [...encoders].flatMap(([key, { tracks, epoch: text }]) => {
    const epoch = parseEpoch(text);
    const isNarrow = tracks !== undefined && rungs.some(({ name }) => !tracks.includes(name));
    return isNarrow && epoch !== undefined ? [[key, epoch]] : [];
  });
}

function wishes(broadcast: Broadcast, { feeds, superseded, workers }: Facts): Action[] {
  const { id, redundancy } = broadcast;
  const idOf = (slot: number): string =>
    jobIdOf(slotKey(id, slot), superseded.get(slotKey(id, slot)));
  const ingestId = jobIdOf(id, superseded.get(id));
  const ingest: Action = { kind: 'ingest', id: ingestId, payload: { broadcast } };
  // A worker's seat is only asked for while there is something to encode, and it is known what.
  const slots = feeds.has(id) && isMeasured(broadcast) ? slotsOf(redundancy, workers) : [];
  return [
    ingest,
    ...slots.map((slot): Action => ({
      kind: 'transcode',
      id: idOf(slot),
      payload: { broadcast, group: 'main', slot },
    })),
    // One that runs ends by its own watch.
    ...(redundancy === 1 ? [{ kind: 'withdraw-transcode' as const, id: idOf(1) }] : []),
  ];
}

function withdrawals(broadcast: Broadcast, { superseded, withdrawn }: Facts): Action[] {
  const { id } = broadcast;
  if (withdrawn.has(endOf(broadcast))) {
    return [];
  }
  return [
    { kind: 'withdraw-ingest', id: jobIdOf(id, superseded.get(id)) },
    ...SLOTS.map((slot): Action => {
      const key = slotKey(id, slot);
      return { kind: 'withdraw-transcode', id: jobIdOf(key, superseded.get(key)) };
    }),
  ];
}
