/**
 * Who is followed (architecture §2): the rule between two publishers of one track. Pure. Agreement
 * between several origins (a claim per segment in Redis) belongs behind this rule, not beside it.
 */
import { compareEpochs, type Epoch } from '../../infra/kernel/wire.ts';

/** Who publishes: the slot, and the fencing epoch inside it. */
export type PublisherIdentity = { readonly slot: number; readonly epoch: Epoch };

/**
 * What a publisher is to the one that is followed:
 * `same` - another connection of it; `newer` - takes over at the first segment boundary that it
 * delivers; `older` - fenced off; `standby` - the other slot, followed only when this one is gone.
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
