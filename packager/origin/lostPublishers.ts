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

type Watched = {
  readonly epoch: Epoch;
  /** Connections of all its tracks. */
  open: number;
  /** Since when there is nothing: of any track where some are open, else since the last broke off. */
  nothingSinceMs: number;
};

type Slot = {
  readonly broadcast: string;
  readonly slot: number;
  /** The newest first; never empty. */
  watched: readonly Watched[];
};

/** A publisher that lives is back sooner (an origin that is away is tried each 300 ms). */
const AWAY_MS = 400;
/** One that lives and has no media says so: a feed that pauses, or a hung encoder, is not its loss. */
const SILENT_MS = 3 * PUBLISH_BEAT_MS;
/** `due` is asked each 100 ms: where that is late, we stood still, and have not read what came. */
const STOOD_STILL_MS = 500;
const MAX_SLOTS = 1024;
// Who publishes, a successor, and what was not closed yet; tracks published without an epoch have one each.
const MAX_EPOCHS = 8;

/**
 * Counts and hears the connections of each slot by epoch: a newer one may be refused while the older
 * goes on, so a slot is lost where nobody of it is left; `due` tells of each loss once.
 */
export class LostPublishers {
  readonly #slots = new Map<string, Slot>();
  #askedMs = Infinity;

  opened(publisher: LostPublisher): void {
    const { broadcast, slot, epoch } = publisher;
    const key = keyOf(publisher);
    const known = this.#slots.get(key);
    const before = this.#find(publisher);
    if (before !== undefined) {
      // Who has not said anything yet may take its time.
      before.nothingSinceMs = before.open > 0 ? before.nothingSinceMs : Infinity;
      before.open += 1;
    } else if (known !== undefined || this.#slots.size < MAX_SLOTS) {
      const watched = [...(known?.watched ?? []), { epoch, open: 1, nothingSinceMs: Infinity }]
        .sort((a, b) => compareEpochs(b.epoch, a.epoch))
        .slice(0, MAX_EPOCHS);
      this.#slots.set(key, { broadcast, slot, watched });
    }
  }

  /** Something came of one of its tracks. */
  heard(publisher: LostPublisher, nowMs: number): void {
    const one = this.#find(publisher);
    if (one !== undefined) {
      one.nothingSinceMs = nowMs;
    }
  }

  /** @param isEnded its body had an end: the publisher lives, or has closed */
  closed(publisher: LostPublisher, isEnded: boolean, nowMs: number): void {
    const one = this.#find(publisher);
    if (one === undefined) {
      return;
    }
    one.open -= 1;
    if (one.open > 0) {
      return;
    }
    one.nothingSinceMs = nowMs;
    if (isEnded) {
      this.#forget(keyOf(publisher), (other) => other === one);
    }
  }

  /** Slots that nobody has come back to, or whose publishers are silent. To be asked each 100 ms. */
  due(nowMs: number): readonly LostPublisher[] {
    const stoodStill = nowMs - this.#askedMs >= STOOD_STILL_MS;
    this.#askedMs = nowMs;
    const due: LostPublisher[] = [];
    for (const [key, { broadcast, slot, watched }] of this.#slots) {
      for (const one of watched) {
        if (stoodStill && one.nothingSinceMs < nowMs) {
          one.nothingSinceMs = nowMs;
        }
      }
      const present = watched.filter((one) => !isLost(one, nowMs));
      const [newest] = watched;
      if (present.length === 0 && newest !== undefined) {
        due.push({ broadcast, slot, epoch: newest.epoch });
        this.#slots.delete(key);
      }
      const heir = present.find((one) => one.open > 0 && one.nothingSinceMs < Infinity);
      if (heir !== undefined) {
        // Its place is taken: it is not missed once that one ends.
        const isReplaced = (one: Watched): boolean => compareEpochs(heir.epoch, one.epoch) > 0;
        this.#forget(key, (one) => one.open === 0 && isLost(one, nowMs) && isReplaced(one));
      }
    }
    return due;
  }

  #find(publisher: LostPublisher): Watched | undefined {
    const slot = this.#slots.get(keyOf(publisher));
    return slot?.watched.find(({ epoch }) => compareEpochs(epoch, publisher.epoch) === 0);
  }

  #forget(key: string, isForgotten: (one: Watched) => boolean): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      return;
    }
    slot.watched = slot.watched.filter((one) => !isForgotten(one));
    if (slot.watched.length === 0) {
      this.#slots.delete(key);
    }
  }
}

function isLost({ open, nothingSinceMs }: Watched, nowMs: number): boolean {
  return nowMs - nothingSinceMs >= (open > 0 ? SILENT_MS : AWAY_MS);
}

function keyOf({ broadcast, slot }: LostPublisher): string {
  return `${broadcast} ${slot}`;
}
