/**
 * What happens to a segment whose maker is lost while the other slot stands by. Each origin seals what
 * it has of the lost publisher, asks its sisters for what they have beyond it, and only then lets the
 * other slot go on: all split the segment at the same sample, so its bytes are the same everywhere.
 * Pure; sisters are asked by the owner (handover.ts).
 */
import type { Sample } from '../cmaf/index.ts';
import type { PublisherIdentity } from './follow.ts';

/** A publisher that this origin will take nothing more of, and from where on it lacks its samples. */
export type Loss = PublisherIdentity & { readonly fromTicks: number };

type Seal = {
  readonly loss: Loss;
  isSettled: boolean;
  /** Segment of the split, once it is settled. */
  msn: number;
};

type Taken = PublisherIdentity & { readonly sample: Sample };

/** The lost slot makes none of the segment of the split nor the next: claims on it may be old. */
const BARRED_SEGMENTS = 2;

/** See the file header. One for each track. */
export class Seals {
  readonly #keptTicks: number;
  readonly #onLoss: ((loss: Loss) => void) | undefined;
  #taken: Taken[] = [];
  #owed: Sample[] = [];
  #seal: Seal | undefined;
  #isKeeping = false;

  /**
   * @param keptTicks how much of what was taken is kept for sisters
   * @param onLoss asks the sisters and ends in `settle`; absent: there are none
   */
  constructor(keptTicks: number, onLoss: ((loss: Loss) => void) | undefined) {
    this.#keptTicks = keptTicks;
    this.#onLoss = onLoss;
  }

  /** A second slot is here: what is taken is kept from now on. */
  keep(): void {
    this.#isKeeping = this.#onLoss !== undefined;
  }

  took({ slot, epoch }: PublisherIdentity, sample: Sample): void {
    if (!this.#isKeeping) {
      return;
    }
    this.#taken.push({ slot, epoch, sample });
    if ((this.#taken[0]?.sample.dts ?? 0) < sample.dts - 2 * this.#keptTicks) {
      this.#taken = this.#taken.filter(
        ({ sample: { dts } }) => dts >= sample.dts - this.#keptTicks,
      );
    }
  }

  /** What was taken of a publisher from `fromTicks` on. */
  tail(slot: number, fromTicks: number): Sample[] {
    return this.#taken
      .filter((taken) => taken.slot === slot && taken.sample.dts >= fromTicks)
      .map(({ sample }) => sample);
  }

  /** Whether nothing of `publisher` is taken until the split is settled. */
  isSealed({ slot, epoch }: PublisherIdentity): boolean {
    const loss = this.#seal?.loss;
    return (
      loss?.slot === slot &&
      loss.epoch.timestamp === epoch.timestamp &&
      loss.epoch.attempt === epoch.attempt
    );
  }

  /** Seals `followed` where it is not yet. @returns whether the other slot may go on */
  lose(followed: PublisherIdentity, fromTicks: number): boolean {
    if (!this.isSealed(followed)) {
      const loss = { slot: followed.slot, epoch: followed.epoch, fromTicks };
      this.#owed = [];
      this.#seal = { loss, isSettled: this.#onLoss === undefined, msn: 0 };
      this.#onLoss?.(loss);
    }
    return this.#seal?.isSettled === true && this.#owed.length === 0;
  }

  /** The sisters have answered: `samples` are what they have beyond us. */
  settle(loss: Loss, samples: readonly Sample[]): void {
    if (this.#seal?.loss === loss && !this.#seal.isSettled) {
      this.#seal.isSettled = true;
      this.#owed = [...samples];
    }
  }

  /** The next sample that a sister had of the lost publisher. */
  owed(): Sample | undefined {
    return this.#owed.shift();
  }

  /** The other slot goes on in segment `msn`. */
  split(msn: number): void {
    if (this.#seal?.msn === 0) {
      this.#seal.msn = msn;
    }
  }

  /** The lost publisher may be followed again: nobody else was there. */
  lift(): void {
    this.#seal = undefined;
    this.#owed = [];
  }

  /** Whether `slot` was lost too shortly before segment `msn` for its claim to count. */
  isBarred(slot: number, msn: number): boolean {
    const seal = this.#seal;
    return seal?.loss.slot === slot && (seal.msn === 0 || msn < seal.msn + BARRED_SEGMENTS);
  }
}
