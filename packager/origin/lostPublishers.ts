/**
 * Slots whose publisher is lost: every connection ended without an end of its body, and none came
 * back; or they are open and say nothing: its process stands still, or its host is gone. The control
 * plane has it encoded elsewhere before its lock runs out. Pure.
 */
import { compareEpochs, type Epoch, PUBLISH_BEAT_MS } from '../../infra/kernel/wire.ts';

/** A slot of a broadcast, and who published it. */
export type LostPublisher = {
  readonly broadcast: string;
  readonly slot: number;
  readonly epoch: Epoch;
};

type Slot = LostPublisher & {
  /** Connections of all its tracks. */
  open: number;
  /** Since when there is nothing: of any track where some are open, else since the last broke off. */
  nothingSinceMs: number;
};

/** A publisher that lives is back sooner (an origin that is away is tried each 300 ms). */
const AWAY_MS = 400;
/** One that lives and has no media says so: a feed that pauses, or a hung encoder, is not its loss. */
const SILENT_MS = 3 * PUBLISH_BEAT_MS;
/** `due` is asked each 100 ms: where that is late, we stood still, and have not read what came. */
const STOOD_STILL_MS = 500;
const MAX_SLOTS = 1024;

/** Counts the connections of each slot's newest epoch, and hears them; `due` tells of each loss once. */
export class LostPublishers {
  readonly #slots = new Map<string, Slot>();
  #askedMs = Infinity;

  opened(publisher: LostPublisher): void {
    const key = keyOf(publisher);
    const known = this.#slots.get(key);
    if (known === undefined ? this.#slots.size >= MAX_SLOTS : isNewer(known, publisher)) {
      return;
    }
    const before = known !== undefined && !isNewer(publisher, known) ? known : undefined;
    const { broadcast, slot, epoch } = publisher;
    this.#slots.set(key, {
      ...{ broadcast, slot, epoch },
      open: (before?.open ?? 0) + 1,
      // Who has not said anything yet may take its time.
      nothingSinceMs: before !== undefined && before.open > 0 ? before.nothingSinceMs : Infinity,
    });
  }

  /** Something came of one of its tracks. */
  heard(publisher: LostPublisher, nowMs: number): void {
    const slot = this.#current(publisher);
    if (slot !== undefined) {
      slot.nothingSinceMs = nowMs;
    }
  }

  /** @param isEnded its body had an end: the publisher lives, or has closed */
  closed(publisher: LostPublisher, isEnded: boolean, nowMs: number): void {
    const slot = this.#current(publisher);
    if (slot === undefined) {
      return;
    }
    slot.open -= 1;
    if (slot.open > 0) {
      return;
    }
    if (isEnded) {
      this.#slots.delete(keyOf(slot));
    } else {
      slot.nothingSinceMs = nowMs;
    }
  }

  /** Slots that nobody has come back to, or whose publisher is silent. To be asked each 100 ms. */
  due(nowMs: number): readonly LostPublisher[] {
    const stoodStill = nowMs - this.#askedMs >= STOOD_STILL_MS;
    this.#askedMs = nowMs;
    const due: LostPublisher[] = [];
    for (const [key, one] of this.#slots) {
      if (stoodStill && one.nothingSinceMs < nowMs) {
        one.nothingSinceMs = nowMs;
      }
      if (nowMs - one.nothingSinceMs >= (one.open > 0 ? SILENT_MS : AWAY_MS)) {
        const { broadcast, slot, epoch } = one;
        due.push({ broadcast, slot, epoch });
        this.#slots.delete(key);
      }
    }
    return due;
  }

  /** The slot, where `publisher` is its newest: one that was replaced may be connected for long. */
  #current(publisher: LostPublisher): Slot | undefined {
    const slot = this.#slots.get(keyOf(publisher));
    return slot !== undefined && compareEpochs(slot.epoch, publisher.epoch) === 0
      ? slot
      : undefined;
  }
}

function isNewer(one: LostPublisher, other: LostPublisher): boolean {
  return compareEpochs(one.epoch, other.epoch) > 0;
}

function keyOf({ broadcast, slot }: LostPublisher): string {
  return `${broadcast} ${slot}`;
}
