/**
 * Which broadcasts there are on this origin: taken up again from disk at the start, made at the first
 * publish, ended and begun again as is desired, forgotten when nobody wants them. Leaves timers to
 * origin.ts and the rules inside a broadcast to liveBroadcast.ts.
 */
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { Agreement, Directory } from '../../infra/kernel/directory.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { UnixMs } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { depthOf, type OriginConfig } from './config.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { Change } from './liveTrack.ts';
import type { Show } from './mediaHandler.ts';
import { Renderings } from './renderings.ts';
import type { Loss } from './seals.ts';
import type { Archive } from './storage.ts';

/** What is desired; `broadcasts` lets a restarted origin serve before its publishers return. */
export type DesiredState = Pick<Directory, 'broadcast'> & {
  broadcasts?(): Promise<readonly Broadcast[]>;
};

/** What the shows need. */
export type ShowsDeps = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: DesiredState;
  readonly archive: Archive;
  readonly agreement: Agreement | undefined;
  /** The publisher of a track is lost, and the other slot waits for what sisters have of it. */
  readonly onLoss?: ((live: LiveBroadcast, track: string, loss: Loss) => void) | undefined;
  /** A track reads differently, or has more bytes. */
  readonly onChange: (live: LiveBroadcast, track: string, change: Exclude<Change, 'none'>) => void;
};

type Seen = Show & {
  usedMs: UnixMs;
  endedMs: UnixMs | undefined;
  /** Since when nobody wants it. */
  unwantedMs?: UnixMs | undefined;
};

/**
 * One that is live is not deleted: a Redis without its data names none until the controller has
 * written down again what is desired.
 */
const UNWANTED_MS = 10_000;
const FORGET_AFTER_MS = 600_000;
/** By then what ended is on disk, and who was playing at the edge has read it. */
const RELEASE_AFTER_MS = 60_000;

/** See the file header. */
export class Shows {
  readonly #deps: ShowsDeps;
  readonly #config: OriginConfig;
  readonly #shows = new Map<string, Seen>();
  /** One at a time for each broadcast: what is on disk is taken up once. */
  readonly #opening = new Map<string, Promise<LiveBroadcast>>();
  #isRestored = false;
  #isFollowing = false;

  constructor(deps: ShowsDeps, config: OriginConfig) {
    this.#deps = deps;
    this.#config = config;
  }

  get(id: string): Show | undefined {
    return this.#shows.get(id);
  }

  all(): LiveBroadcast[] {
    return Array.from(this.#shows.values(), ({ live }) => live);
  }

  /**
   * The broadcast that `track` of `id` is published to.
   *
   * @throws GatewayError `not_found` (nobody wants it), `too_busy`, `fenced` (it has ended)
   */
  async forPublish(id: string, track: string): Promise<LiveBroadcast> {
    const broadcast = await this.#deps.directory.broadcast(id);
    const rungs = [...(broadcast?.ladder.video ?? []), ...(broadcast?.ladder.audio ?? [])];
    if (broadcast === undefined || !rungs.some(({ name }) => name === track)) {
      throw new GatewayError('not_found', `nobody wants track ${track} of ${id}`);
    }
    const live = await this.#open(broadcast);
    const seen = this.#shows.get(id);
    if (seen !== undefined) {
      seen.usedMs = this.#deps.clock.nowMs();
      // A start that its publishers knew of before this origin did.
      this.#obey(seen, broadcast);
    }
    return live;
  }

  /** Brings everything to what is desired now. Called about once a second; never rejects. */
  async follow(): Promise<void> {
    if (this.#isFollowing) {
      return;
    }
    this.#isFollowing = true;
    try {
      await this.#restore();
      const desired = await this.#desired();
      for (const [id, seen] of this.#shows) {
        // One that another takes the place of has ended for good.
        if (!this.#opening.has(id)) {
          this.#obey(seen, desired.get(id));
        }
      }
      this.#forget();
    } catch (error) {
      this.#deps.logger.warn({ reason: errorText(error) }, 'desired state not read');
    } finally {
      this.#isFollowing = false;
    }
  }

  /** Takes up what disk has of desired broadcasts, until that has worked once. */
  async #restore(): Promise<void> {
    const { directory, archive, logger } = this.#deps;
    if (this.#isRestored || directory.broadcasts === undefined) {
      return;
    }
    for (const broadcast of await directory.broadcasts()) {
      if (this.#shows.has(broadcast.id) || archive.session(broadcast.id) === undefined) {
        continue;
      }
      try {
        await this.#open(broadcast);
        logger.info({ broadcast: broadcast.id }, 'broadcast taken up from disk');
      } catch (error) {
        logger.error({ broadcast: broadcast.id, reason: errorText(error) }, 'not taken up');
      }
    }
    this.#isRestored = true;
  }

  async #desired(): Promise<ReadonlyMap<string, Broadcast | undefined>> {
    const { directory } = this.#deps;
    const ids = [...this.#shows.keys()];
    const found = await Promise.all(ids.map((id) => directory.broadcast(id)));
    return new Map(ids.map((id, index) => [id, found[index]]));
  }

  #open(broadcast: Broadcast): Promise<LiveBroadcast> {
    const known = this.#shows.get(broadcast.id);
    if (known !== undefined && isSameSession(known.live.broadcast, broadcast)) {
      known.live.follow(widerOf(known.live.broadcast, broadcast));
      return Promise.resolve(known.live);
    }
    const opening = this.#opening.get(broadcast.id) ?? this.#make(broadcast);
    this.#opening.set(broadcast.id, opening);
    return opening;
  }

  async #make(broadcast: Broadcast): Promise<LiveBroadcast> {
    const { archive, agreement, clock, onChange, onLoss } = this.#deps;
    try {
      const before = this.#shows.get(broadcast.id);
      if (before === undefined && this.#shows.size >= this.#config.maxBroadcasts) {
        throw new GatewayError(
          'too_busy',
          `${this.#config.maxBroadcasts} broadcasts are held already`,
        );
      }
      // Another ladder or grid is another session: nothing of the old one fits it.
      before?.live.end();
      const depth = depthOf(this.#config, broadcast.grid);
      const restored =
        (await archive.restore(broadcast, depth.ringSegments)) ?? before?.live.successor();
      const live: LiveBroadcast = new LiveBroadcast(
        broadcast,
        depth,
        (track, change) => {
          onChange(live, track, change);
        },
        {
          archive,
          ...(agreement === undefined ? {} : { agreement }),
          onLoss:
            onLoss &&
            ((track, loss) => {
              onLoss(live, track, loss);
            }),
          nowMs: () => clock.nowMs(),
          dvrWindowMs: this.#config.dvr.windowMs,
          ...(restored === undefined ? {} : { restored }),
        },
      );
      const nowMs = clock.nowMs();
      const endedMs = live.isEnded ? nowMs : undefined;
      const seen: Seen = { live, renderings: new Renderings(), usedMs: nowMs, endedMs };
      this.#shows.set(broadcast.id, seen);
      this.#obey(seen, broadcast);
      return live;
    } finally {
      this.#opening.delete(broadcast.id);
    }
  }

  #obey(seen: Seen, desired: Broadcast | undefined): void {
    const { clock, logger } = this.#deps;
    const { live } = seen;
    const { id } = live.broadcast;
    seen.unwantedMs = desired === undefined ? seen.unwantedMs : undefined;
    if (desired === undefined) {
      seen.unwantedMs ??= clock.nowMs();
      if (!live.isEnded && clock.nowMs() - seen.unwantedMs < UNWANTED_MS) {
        return;
      }
      live.end();
      this.#shows.delete(id);
      logger.info({ broadcast: id }, 'nobody wants it any more: forgotten');
    } else if (isEndDesired(desired) && !live.isEnded) {
      live.end();
      seen.endedMs = clock.nowMs();
      logger.info({ broadcast: id }, 'broadcast ended');
    } else if (!isEndDesired(desired) && live.isEnded) {
      live.start();
      seen.endedMs = undefined;
      seen.usedMs = clock.nowMs();
      logger.info({ broadcast: id }, 'broadcast starts again');
    }
  }

  #forget(): void {
    const { archive, clock } = this.#deps;
    const nowMs = clock.nowMs();
    const isFull = this.#shows.size >= this.#config.maxBroadcasts;
    for (const [id, { live, usedMs, endedMs }] of this.#shows) {
      const isKept = archive.session(id) !== undefined;
      const isIdle =
        nowMs - usedMs > FORGET_AFTER_MS &&
        (live.status(nowMs).publishDelayMs ?? Infinity) > FORGET_AFTER_MS;
      if (isIdle && (!isKept || isFull)) {
        this.#shows.delete(id);
      } else if (isKept && endedMs !== undefined && nowMs - endedMs > RELEASE_AFTER_MS) {
        this.#release(live);
      }
    }
  }

  /** What has ended and is on disk is not held in memory as well. */
  #release(live: LiveBroadcast): void {
    const { archive } = this.#deps;
    const { id, ladder } = live.broadcast;
    for (const { name } of [...ladder.video, ...ladder.audio]) {
      const ring = live.track(name)?.ring;
      if (ring === undefined || ring.segments.length === 0) {
        continue;
      }
      const kept = new Map(archive.list(id, name).map(({ msn, bytes }) => [msn, bytes]));
      if (ring.segments.every(({ msn, bytes }) => kept.get(msn) === bytes)) {
        ring.release();
      }
    }
  }
}

/** Whether its end was asked for since it last started. */
function isEndDesired({ endedMs, startedMs }: Broadcast): boolean {
  return endedMs !== undefined && endedMs >= (startedMs ?? 0);
}

/** Whether `now` goes on with what is: the same ladder, or in the same run one that has grown. */
function isSameSession(was: Broadcast, now: Broadcast): boolean {
  const isSameRun = was.createdMs === now.createdMs && was.startedMs === now.startedMs;
  return (
    isEqual(was.grid, now.grid) &&
    (isEqual(was.ladder, now.ladder) || (isSameRun && (isWithin(was, now) || isWithin(now, was))))
  );
}

/** A Redis that lost the newest of its data may name fewer rungs than are published. */
function widerOf(was: Broadcast, now: Broadcast): Broadcast {
  return isWithin(was, now) ? now : was;
}

function isWithin({ ladder: some }: Broadcast, { ladder: all }: Broadcast): boolean {
  const rungs = [...all.video, ...all.audio].map((rung) => JSON.stringify(rung));
  return [...some.video, ...some.audio].every((rung) => rungs.includes(JSON.stringify(rung)));
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
