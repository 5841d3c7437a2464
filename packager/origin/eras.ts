/**
 * The eras of a broadcast: which header set a segment belongs to (architecture §2, "Init changes").
 * Several origins agree on the first segment of each through claims, which outlive a restart; what
 * the disk and the claims know is merged and the newest wins, so the count never goes back.
 */
import type { Agreement } from '../../infra/kernel/directory.ts';
import type { Archive, EraRecord } from './storage.ts';

const MAX_ERAS = 64;
const KEEP_MS = 30 * 86_400_000;

/** See the file header. `onAgreed` is told when an era that was pending has its first segment. */
export class Eras {
  readonly #broadcastId: string;
  readonly #agreement: Agreement | undefined;
  readonly #archive: Archive | undefined;
  readonly #firstFreeMsn: () => number;
  readonly #onAgreed: (era: EraRecord) => void;
  #list: readonly EraRecord[];
  /** What the others are asked. */
  #pending: EraRecord | undefined;

  constructor(options: {
    readonly broadcastId: string;
    readonly agreement: Agreement | undefined;
    readonly archive: Archive | undefined;
    readonly restored: readonly EraRecord[];
    /** Lowest number that no track has bytes of. */
    readonly firstFreeMsn: () => number;
    readonly onAgreed: (era: EraRecord) => void;
  }) {
    this.#broadcastId = options.broadcastId;
    this.#agreement = options.agreement;
    this.#archive = options.archive;
    this.#firstFreeMsn = options.firstFreeMsn;
    this.#onAgreed = options.onAgreed;
    this.#list = options.restored.length === 0 ? [{ era: 0, firstMsn: 0 }] : options.restored;
  }

  /** Oldest first; `firstMsn` grows. */
  get list(): readonly EraRecord[] {
    return this.#list;
  }

  get newest(): EraRecord {
    return this.#list.at(-1) ?? { era: 0, firstMsn: 0 };
  }

  eraOf(msn: number): number {
    return this.#list.findLast((era) => era.firstMsn <= msn)?.era ?? this.#list[0]?.era ?? 0;
  }

  /** Takes over what was agreed on before this process began. */
  async load(): Promise<void> {
    const claims = await this.#agreement?.claims(this.#key('')).catch(() => undefined);
    const known = [...(claims ?? [])]
      .map(([key, value]) => ({ era: numberIn(key.split(':').at(-1)), firstMsn: numberIn(value) }))
      .filter((era): era is EraRecord => era.era !== undefined && era.firstMsn !== undefined)
      .sort((a, b) => a.era - b.era);
    for (const era of known) {
      this.#add(era);
    }
  }

  /**
   * Opens the next era at segment `firstMsn` or, where another origin decided first, at its segment,
   * but no earlier than there are bytes here: what is listed keeps its era.
   *
   * @returns the era, or undefined while the others are asked (`onAgreed` follows)
   */
  open(firstMsn: number): EraRecord | undefined {
    const era = this.newest.era + 1;
    if (this.#agreement === undefined) {
      return this.#add({ era, firstMsn });
    }
    if (this.#pending === undefined) {
      this.#pending = { era, firstMsn };
      void this.#agree(this.#agreement, this.#pending);
    }
    return undefined;
  }

  /** Opens the next era at once: nothing is listed yet that a later answer could contradict. */
  openSession(firstMsn: number): void {
    // What the session before has asked for came too late.
    this.#pending = undefined;
    const opened = this.#add({ era: this.newest.era + 1, firstMsn });
    if (opened === undefined || this.#agreement === undefined) {
      return;
    }
    this.#agreement.claim(this.#key(opened.era), String(opened.firstMsn), KEEP_MS).then(
      (answer) => {
        const before = this.#list.at(-2);
        const agreed = Math.max(numberIn(answer) ?? firstMsn, (before?.firstMsn ?? -1) + 1);
        // What is made here already is of this session, whatever is answered late.
        const isLate = agreed > opened.firstMsn && this.#firstFreeMsn() > opened.firstMsn;
        if (this.newest === opened && agreed !== opened.firstMsn && !isLate) {
          this.#list = this.#list.slice(0, -1);
          this.#add({ era: opened.era, firstMsn: agreed });
        }
      },
      () => undefined,
    );
  }

  async #agree(agreement: Agreement, wish: EraRecord): Promise<void> {
    const answer = await agreement
      .claim(this.#key(wish.era), String(wish.firstMsn), KEEP_MS)
      .catch(() => undefined);
    if (this.#pending !== wish) {
      return;
    }
    this.#pending = undefined;
    // The answer may be late, or of an era that the other origin opened alone, long ago.
    const firstMsn = Math.max(numberIn(answer) ?? wish.firstMsn, this.#firstFreeMsn());
    const era = this.#add({ era: wish.era, firstMsn });
    this.#onAgreed(era ?? this.newest);
  }

  #add(wish: EraRecord): EraRecord | undefined {
    if (wish.era <= this.newest.era) {
      return undefined;
    }
    // Two eras cannot begin with one segment.
    const era = { era: wish.era, firstMsn: Math.max(wish.firstMsn, this.newest.firstMsn + 1) };
    this.#list = [...this.#list.slice(-MAX_ERAS), era];
    this.#archive?.era(this.#broadcastId, era);
    return era;
  }

  #key(era: number | ''): string {
    return `era:${this.#broadcastId}:${era}`;
  }
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
