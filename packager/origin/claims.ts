/**
 * Which slot makes which segment, agreed between origins (architecture §2, "Who is followed"). A
 * claim is asked for one segment ahead, so nothing on the live path waits for an answer; without
 * one an origin stays with what it has. A segment that was made otherwise is recorded as split.
 */
import type { Agreement } from '../../infra/kernel/directory.ts';

/** What is known of the claim to a segment: the slot, or that the answer is still to come. */
export type Claim = number | 'pending' | undefined;

const KEEP_CLAIM_MS = 60_000;
const KEEP_SPLIT_MS = 86_400_000;
// More than a hole or a slow answer can span; each entry is a few bytes.
const MAX_REMEMBERED = 64;

/** See the file header. One for all tracks of a broadcast. */
export class SegmentClaims {
  readonly #broadcastId: string;
  readonly #agreement: Agreement | undefined;
  readonly #onAnswer: () => void;
  readonly #frontiers: () => Readonly<Record<string, number>>;
  readonly #claims = new Map<number, Claim>();
  readonly #used = new Map<number, Set<number>>();
  readonly #splits = new Map<number, string>();
  #slotSeen: number | undefined;
  #isActive = false;
  #splitSegments = 0;

  constructor(options: {
    readonly broadcastId: string;
    readonly agreement: Agreement | undefined;
    /** An answer came that publishers may wait for. */
    readonly onAnswer: () => void;
    /** First missing decode time of each track, in its ticks: where a split happened. */
    readonly frontiers: () => Readonly<Record<string, number>>;
  }) {
    this.#broadcastId = options.broadcastId;
    this.#agreement = options.agreement;
    this.#onAnswer = options.onAnswer;
    this.#frontiers = options.frontiers;
  }

  /** Segments made by more than one slot, or by another than the claimed one. */
  get splitSegments(): number {
    return this.#splitSegments;
  }

  /** The newest splits, by segment, as every origin has them. */
  get splits(): ReadonlyMap<number, string> {
    return this.#splits;
  }

  /** A publisher of `slot` is here. Claims cost nothing until there are two to choose from. */
  noteSlot(slot: number): void {
    this.#isActive ||= this.#slotSeen !== undefined && this.#slotSeen !== slot;
    this.#slotSeen ??= slot;
  }

  /** What is known of segment `msn`. */
  of(msn: number): Claim {
    return this.#claims.get(msn);
  }

  /** The first segment of a session: both slots may begin it, so it is always asked for. */
  askFirst(msn: number, slot: number): Claim {
    this.#ask(msn, slot);
    return this.of(msn);
  }

  /** Segment `msn` has begun with `slot`: the next is asked for, and this where a hole led to it. */
  askAhead(msn: number, slot: number): void {
    if (this.#isActive) {
      this.#ask(msn, slot);
      this.#ask(msn + 1, slot);
    }
  }

  /** A sample of `slot` went into segment `msn`. */
  used(msn: number, slot: number): void {
    const slots = this.#used.get(msn);
    if (slots?.has(slot) === true) {
      return;
    }
    if (slots === undefined) {
      remember(this.#used, msn, new Set([slot]));
    } else {
      slots.add(slot);
    }
    const claim = this.of(msn);
    const isAgainst = typeof claim === 'number' && claim !== slot;
    this.#isActive ||= isAgainst;
    if (slots !== undefined || isAgainst) {
      this.#split(msn, slot);
    }
  }

  #ask(msn: number, slot: number): void {
    const agreement = this.#agreement;
    if (agreement === undefined || this.#claims.has(msn)) {
      return;
    }
    remember(this.#claims, msn, 'pending');
    const key = `segment:${this.#broadcastId}:${msn}`;
    const settle = (answer: string | undefined): void => {
      const claimed = answer === '0' || answer === '1' ? Number(answer) : undefined;
      this.#claims.set(msn, claimed);
      const other = [...(this.#used.get(msn) ?? [])].find((used) => used !== claimed);
      if (claimed !== undefined && other !== undefined) {
        this.#split(msn, other);
      }
      this.#onAnswer();
    };
    agreement.claim(key, String(slot), KEEP_CLAIM_MS).then(settle, () => {
      settle(undefined);
    });
  }

  #split(msn: number, slot: number): void {
    if (this.#splits.has(msn)) {
      return;
    }
    const record = JSON.stringify({ slot, dts: this.#frontiers() });
    this.#splitSegments += 1;
    remember(this.#splits, msn, record);
    const key = `split:${this.#broadcastId}:${msn}`;
    this.#agreement?.claim(key, record, KEEP_SPLIT_MS).then(
      (answer) => {
        this.#splits.set(msn, answer ?? record);
      },
      () => undefined,
    );
  }
}

function remember<V>(map: Map<number, V>, key: number, value: V): void {
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_REMEMBERED) {
      return;
    }
    map.delete(oldest);
  }
}
