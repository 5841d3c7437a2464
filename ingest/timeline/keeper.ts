/** Keeps where a broadcast's timeline stands in Redis, and gives it to the next ingest of it. */
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { TimelineAnchors } from '../../infra/kernel/directory.ts';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Broadcast, TimelineAnchor } from '../../infra/kernel/wire.ts';

/** What the keeper is given. */
export type KeeperDeps = {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly anchors: TimelineAnchors;
};

/** Whose timeline is kept. */
type Kept = {
  anchor(): Omit<TimelineAnchor, 'runMs'> | undefined;
  resume(anchor: TimelineAnchor): void;
};

/** It is written once a second: an ingest that was killed may have stamped this much past it. */
const UNSEEN_MS = 1500;
/** A timeline this far ahead of our clock would be refused by every origin (architecture §2). */
const MAX_AHEAD_MS = 25_000;
/** Kept this long past the end of the slate. */
const KEEP_MS = 60_000;

/** One broadcast's. */
export class TimelineKeeper {
  /** Start of the run of the broadcast (Unix ms). */
  readonly runMs: number;
  readonly #deps: KeeperDeps;
  readonly #id: string;
  readonly #slateMaxMs: number;

  constructor(
    deps: KeeperDeps,
    { id, startedMs, createdMs }: Pick<Broadcast, 'id' | 'startedMs' | 'createdMs'>,
    config: { readonly slate: { readonly maxMs: number } },
  ) {
    this.#deps = deps;
    this.#id = id;
    this.runMs = startedMs ?? createdMs;
    this.#slateMaxMs = config.slate.maxMs;
  }

  /**
   * Lets `kept` go on where the ingest before stopped; whether there was one in this run of the
   * broadcast. Never rejects: without Redis the timeline begins at our clock.
   */
  async restore(kept: Kept): Promise<boolean> {
    const { logger, clock, anchors } = this.#deps;
    try {
      const anchor = await anchors.timelineAnchor(this.#id);
      if (anchor === undefined || anchor.runMs !== this.runMs) {
        return false;
      }
      const aheadMs = anchor.newestMs - clock.nowMs();
      if (aheadMs > MAX_AHEAD_MS) {
        logger.error({ aheadMs }, 'the timeline is ahead of our clock and begins anew');
        return false;
      }
      kept.resume({ ...anchor, newestMs: anchor.newestMs + UNSEEN_MS });
      logger.info(
        { behindMs: Math.round(-aheadMs) },
        'the timeline goes on from the ingest before',
      );
      return true;
    } catch (error) {
      logger.warn({ error: errorText(error) }, 'where the timeline stood cannot be read');
      return false;
    }
  }

  /** Writes where it stands now. Rejects while Redis is away. */
  async keep(kept: Kept): Promise<void> {
    const anchor = kept.anchor();
    if (anchor !== undefined) {
      const keepMs = this.#slateMaxMs + KEEP_MS;
      await this.#deps.anchors.keepTimelineAnchor(
        this.#id,
        { ...anchor, runMs: this.runMs },
        keepMs,
      );
    }
  }
}
