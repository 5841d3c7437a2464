/**
 * Which publisher makes which segment, agreed between origins (architecture §2, "Who is followed"):
 * the slot, and the epoch inside it. A claim is asked for one segment ahead and for every segment,
 * so nothing on the live path waits for an answer, and an origin that does not see a successor yet
 * knows of it; without an answer it stays with what it has. A segment that was made otherwise is
 * recorded as split.
 */
import type { Agreement } from '../../infra/kernel/directory.ts';
import { formatEpoch, parseEpoch } from '../../infra/kernel/wire.ts';
import { isSamePublisher, type PublisherIdentity } from './follow.ts';

/** What is known of the claim to a segment: its maker, or that the answer is still to come. */
export type Claim = PublisherIdentity | 'pending' | undefined;

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
  readonly #successorOf: (maker: PublisherIdentity, msn: number) => PublisherIdentity | undefined;
  readonly #claims = new Map<number, Claim>();
  readonly #used = new Map<number, PublisherIdentity[]>();
  readonly #splits = new Map<number, string>();
  #splitSegments = 0;

  constructor(options: {
    readonly broadcastId: string;
    readonly agreement: Agreement | undefined;
    /** An answer came that publishers may wait for. */
    readonly onAnswer: () => void;
    /** First missing decode time of each track, in its ticks: where a split happened. */
    readonly frontiers: () => Readonly<Record<string, number>>;
    /** A newer epoch of the maker's slot that is ready to make segment `msn` of every track. */
    readonly successorOf: (maker: PublisherIdentity, msn: number) => PublisherIdentity | undefined;
  }) {
    this.#broadcastId = options.broadcastId;
    this.#agreement = options.agreement;
    this.#onAnswer = options.onAnswer;
    this.#frontiers = options.frontiers;
    this.#successorOf = options.successorOf;
  }

  /** Whether there are other origins to agree with. */
  get isShared(): boolean {
    return this.#agreement !== undefined;
  }

  /** Segments made by more than one publisher, or by another than the claimed one. */
  get splitSegments(): number {
    return this.#splitSegments;
  }

  /** The newest splits, by segment, as every origin has them. */
  get splits(): ReadonlyMap<number, string> {
    return this.#splits;
  }

  /** What is known of segment `msn`. */
  of(msn: number): Claim {
    return this.#claims.get(msn);
  }

  /** Whether `publisher` is the one that makes segment `msn`, as far as it is known. */
  isOf(msn: number, publisher: PublisherIdentity): boolean {
    const claim = this.of(msn);
    return claim !== undefined && claim !== 'pending' && isSamePublisher(claim, publisher);
  }

  /** The first segment of a session, or the first behind a hole: any publisher may begin it. */
  askFirst(msn: number, publisher: PublisherIdentity): Claim {
    this.#ask(msn, publisher);
    return this.of(msn);
  }

  /**
   * Segment `msn` has begun with `maker`: the next is asked for, for its successor where that is
   * here, and this where a hole led to it.
   */
  askAhead(msn: number, maker: PublisherIdentity): void {
    this.#ask(msn, maker);
    if (!this.#claims.has(msn + 1)) {
      this.#ask(msn + 1, this.#successorOf(maker, msn + 1) ?? maker);
    }
  }

  /** A sample of `publisher` went into segment `msn`. */
  used(msn: number, publisher: PublisherIdentity): void {
    const known = this.#used.get(msn);
    if (known?.some((other) => isSamePublisher(other, publisher)) === true) {
      return;
    }
    if (known === undefined) {
      remember(this.#used, msn, [publisher]);
    } else {
      known.push(publisher);
    }
    const claim = this.of(msn);
    const isAgainst =
      claim !== undefined && claim !== 'pending' && !isSamePublisher(claim, publisher);
    if (known !== undefined || isAgainst) {
      this.#split(msn, publisher);
    }
  }

  #ask(msn: number, publisher: PublisherIdentity): void {
    const agreement = this.#agreement;
    if (agreement === undefined || this.#claims.has(msn)) {
      return;
    }
    remember(this.#claims, msn, 'pending');
    const key = `segment:${this.#broadcastId}:${msn}`;
    const settle = (answer: string | undefined): void => {
      const claimed = parseClaim(answer);
      this.#claims.set(msn, claimed);
      const other = claimed && this.#used.get(msn)?.find((used) => !isSamePublisher(used, claimed));
      if (other !== undefined) {
        this.#split(msn, other);
      }
      this.#onAnswer();
    };
    agreement.claim(key, formatClaim(publisher), KEEP_CLAIM_MS).then(settle, () => {
      settle(undefined);
    });
  }

  #split(msn: number, { slot, epoch }: PublisherIdentity): void {
    if (this.#splits.has(msn)) {
      return;
    }
    const record = JSON.stringify({ slot, epoch: formatEpoch(epoch), dts: this.#frontiers() });
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

function formatClaim({ slot, epoch }: PublisherIdentity): string {
  return `${slot}@${formatEpoch(epoch)}`;
}

function parseClaim(text: string | undefined): PublisherIdentity | undefined {
  const [, slot, rest = ''] = /^([01])@(.+)$/.exec(text ?? '') ?? [];
  const epoch = parseEpoch(rest);
  return slot === undefined || epoch === undefined ? undefined : { slot: Number(slot), epoch };
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
