/** Tells a feed that is lost from one that is being given back. Pure. */
import { compareEpochs, type Epoch } from '../../infra/kernel/wire.ts';

/**
 * An ingest that ends takes back what it announced before it stops to serve it, and who has read the
 * announcement just before finds nobody too. One that is announced still, when it is looked up
 * again, was killed: its job would wait until its lock runs out.
 */
export class LostFeed {
  #gone: Epoch | undefined;

  /** Nobody had the feed of `epoch`, though it was announced; true where that is no chance any more. */
  gone(epoch: Epoch): boolean {
    const isGoneStill = this.#gone !== undefined && compareEpochs(this.#gone, epoch) === 0;
    this.#gone = epoch;
    return isGoneStill;
  }
}
