/**
 * What happens to a segment whose maker is lost while another waits to go on: the other slot, or a
 * newer epoch. Each origin seals what it has of the lost publisher, asks its sisters for what they
 * have beyond it, and only then lets the other go on: all split the segment at the same sample, so
 * its bytes are the same everywhere. Pure; sisters are asked by the owner (handover.ts).
 */
import type { Sample } from '../cmaf/index.ts';
import { isSamePublisher, type PublisherIdentity } from './follow.ts';

/** A publisher that this origin will take nothing more of, and from where on it lacks its samples. */
export type Loss = PublisherIdentity & { readonly fromTicks: number };

type Seal = {
  readonly loss: Loss;
  isSettled: boolean;
  /** Segment of the split, once it is settled. */
  msn: number;
};

/** The newest samples that were taken of a publisher. */
type Taken = { readonly publisher: PublisherIdentity; samples: Sample[] };

/** The lost publisher makes none of the segment of the split nor the next: claims on it may be old. */
const BARRED_SEGMENTS = 2;
/** Whose end sisters may still ask for, also behind a hole of any length. */
const MAX_TAKEN = 3;

/** See the file header. One for each track. */
export class Seals {
  readonly #keptTicks: number;
  readonly #onLoss: ((loss: Loss) => void) | undefined;
  #taken: Taken[] = [];
  #owed: Sample[] = [];
  #seal: Seal | undefined;

  /**
   * @param keptTicks how much of what was taken of a publisher is kept for sisters, at least
   * @param onLoss asks the sisters and ends in `settle`; absent: there are none
   */
  constructor(keptTicks: number, onLoss: ((loss: Loss) => void) | undefined) {
    this.#keptTicks = keptTicks;
    this.#onLoss = onLoss;
  }

  took(publisher: PublisherIdentity, sample: Sample): void {
    if (this.#onLoss === undefined) {
      return;
    }
    let taken = this.#taken.at(-1);
    if (taken === undefined || !isSamePublisher(taken.publisher, publisher)) {
      taken = { publisher: { slot: publisher.slot, epoch: publisher.epoch }, samples: [] };
      this.#taken = [...this.#taken.slice(1 - MAX_TAKEN), taken];
    }
    taken.samples.push(sample);
    if ((taken.samples[0]?.dts ?? 0) < sample.dts - 2 * this.#keptTicks) {
      taken.samples = taken.samples.filter(({ dts }) => dts >= sample.dts - this.#keptTicks);
    }
  }

  /** What was taken of a publisher from `fromTicks` on. */
  tail(publisher: PublisherIdentity, fromTicks: number): Sample[] {
    return this.#taken
      .filter((taken) => isSamePublisher(taken.publisher, publisher))
      .flatMap(({ samples }) => samples.filter(({ dts }) => dts >= fromTicks));
  }

  /** Whether nothing of `publisher` is taken until the split is settled. */
  isSealed(publisher: PublisherIdentity): boolean {
    return this.#seal !== undefined && isSamePublisher(this.#seal.loss, publisher);
  }

  /** Whether the sisters have answered, where a publisher is sealed. */
  get isSettled(): boolean {
    return this.#seal?.isSettled === true;
  }

  /** Seals `followed` where it is not yet. @returns whether the other may go on */
  lose(followed: PublisherIdentity, fromTicks: number): boolean {
    if (!this.isSealed(followed)) {
      const loss = { slot: followed.slot, epoch: followed.epoch, fromTicks };
      this.#owed = [];
      this.#seal = { loss, isSettled: this.#onLoss === undefined, msn: 0 };
      this.#onLoss?.(loss);
    }
    return this.isSettled && this.#owed.length === 0;
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

  /** The other goes on in segment `msn`. */
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

  /** Whether `publisher` was lost too shortly before segment `msn` for its claim to count. */
  isBarred(publisher: PublisherIdentity, msn: number): boolean {
    const split = this.#seal?.msn ?? 0;
    return this.isSealed(publisher) && (split === 0 || msn < split + BARRED_SEGMENTS);
  }
}
