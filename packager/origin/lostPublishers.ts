/**
 * Slots whose publisher is lost: every connection ended without an end of its body, and none came
 * back. The control plane has it encoded elsewhere before its lock runs out. Pure.
 */
import type { Epoch } from '../../infra/kernel/wire.ts';

/** A slot of a broadcast, and who published it. */
export type LostPublisher = {
  readonly broadcast: string;
  readonly slot: number;
  readonly epoch: Epoch;
};

type Slot = LostPublisher & { open: number; lostMs: number | undefined };

/** A publisher that lives is back sooner (its first back-off is at most 250 ms). */
const AWAY_MS = 400;
const MAX_SLOTS = 1024;

/** Counts connections; `due` tells of each loss once. */
export class LostPublishers {
  readonly #slots = new Map<string, Slot>();

  opened(publisher: LostPublisher): void {
    const key = keyOf(publisher);
    const known = this.#slots.get(key);
    if (known === undefined && this.#slots.size >= MAX_SLOTS) {
      return;
    }
    const { broadcast, slot, epoch } = publisher;
    this.#slots.set(key, {
      broadcast,
      slot,
      epoch,
      open: (known?.open ?? 0) + 1,
      lostMs: undefined,
    });
  }

  /** @param isEnded its body had an end: the publisher lives, or has closed */
  closed(publisher: LostPublisher, isEnded: boolean, nowMs: number): void {
    const key = keyOf(publisher);
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      return;
    }
    slot.open -= 1;
    if (slot.open <= 0) {
      if (isEnded) {
        this.#slots.delete(key);
      } else {
        slot.lostMs = nowMs;
      }
    }
  }

  /** Slots that nobody has come back to. */
  due(nowMs: number): readonly LostPublisher[] {
    const due = [...this.#slots].filter(
      ([, { lostMs }]) => lostMs !== undefined && nowMs - lostMs >= AWAY_MS,
    );
    for (const [key] of due) {
      this.#slots.delete(key);
    }
    return due.map(([, { broadcast, slot, epoch }]) => ({ broadcast, slot, epoch }));
  }
}

function keyOf({ broadcast, slot }: LostPublisher): string {
  return `${broadcast} ${slot}`;
}
