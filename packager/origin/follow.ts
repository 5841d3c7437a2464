/**
 * Who is followed (architecture §2): the rules between publishers of one track. Pure; who makes
 * which segment is agreed between origins in claims.ts, and obeyed by turns.ts.
 */
import { compareEpochs, type Epoch } from '../../infra/kernel/wire.ts';

/** Who publishes: the slot, and the fencing epoch inside it. */
export type PublisherIdentity = { readonly slot: number; readonly epoch: Epoch };

/** Whether both are the same slot in the same epoch. */
export function isSamePublisher(a: PublisherIdentity, b: PublisherIdentity): boolean {
  return a.slot === b.slot && compareEpochs(a.epoch, b.epoch) === 0;
}

/**
 * What a publisher is to the one that is followed:
 * `same` - another connection of it; `newer` - takes over at the first segment boundary that it
 * delivers, where there are several origins at the first that is claimed for it; `older` - fenced off; `standby` - the other slot, followed where its claim holds or this
 * one is gone.
 */
export type Relation = 'same' | 'newer' | 'older' | 'standby';

/** Relation of `candidate` to the publisher that is followed. */
export function relationTo(candidate: PublisherIdentity, followed: PublisherIdentity): Relation {
  if (candidate.slot !== followed.slot) {
    return 'standby';
  }
  const order = compareEpochs(candidate.epoch, followed.epoch);
  return order === 0 ? 'same' : order > 0 ? 'newer' : 'older';
}

/** The epochs that were followed, by slot: an older one of a slot stays fenced while it stands by. */
export class Fences {
  readonly #newest = new Map<number, Epoch>();

  note({ slot, epoch }: PublisherIdentity): void {
    const known = this.#newest.get(slot);
    if (known === undefined || compareEpochs(epoch, known) > 0) {
      this.#newest.set(slot, epoch);
    }
  }

  isFenced({ slot, epoch }: PublisherIdentity): boolean {
    const known = this.#newest.get(slot);
    return known !== undefined && compareEpochs(epoch, known) < 0;
  }
}
