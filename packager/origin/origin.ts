/**
 * The origin: takes published tracks, keeps their live window, serves it as LL-HLS and LL-DASH.
 * Owns no listener (the gateway's two servers call the handlers) and no Redis.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { Agreement, Directory, StatusBoard } from '../../infra/kernel/directory.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Metrics } from '../../infra/kernel/metrics.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import { type UnixMs, unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { depthOf, type OriginConfig } from './config.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import { createMediaHandler, roomKey, type Show } from './mediaHandler.ts';
import { createPublishHandler } from './publishHandler.ts';
import { Renderings } from './renderings.ts';
import { noArchive, type RecordingSummary } from './storage.ts';
import { WaitingRoom } from './waitingRoom.ts';

/** What the origin is given. */
export type OriginDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** `broadcasts` lets a restarted origin serve what is desired before its publishers return. */
  readonly directory: Pick<Directory, 'broadcast'> & {
    broadcasts?(): Promise<readonly Broadcast[]>;
  };
  readonly board: Pick<StatusBoard, 'reportOrigin'>;
  readonly internalToken: Secret;
  /** What several origins agree on; absent: this origin is alone. */
  readonly agreement?: Agreement;
  /** Where media is kept; absent: in memory only. */
  readonly mediaDirectory?: string;
};

/** A running origin: two handlers for two servers. Each answers false where a path is not its own. */
export type Origin = Closeable & {
  /** `/live/*` and `/time` of the public server. */
  readonly handleMedia: ReturnType<typeof createMediaHandler>;
  /** `PUT` and `GET /publish/...` of the internal server; checks the token itself. */
  handlePublish(request: IncomingMessage, response: ServerResponse): boolean;
  /** Finished recordings of a broadcast, oldest first. */
  recordings(broadcastId: string): readonly RecordingSummary[];
};

type Seen = Show & { usedMs: UnixMs };

const SWEEP_MS = 100;
const SWEEPS_PER_REPORT = 10;
const FORGET_AFTER_MS = 600_000;

/** Starts an origin; `close` ends what it holds and stops its one timer. */
export function createOrigin(deps: OriginDeps, config: OriginConfig): Promise<Origin> {
  const archive = noArchive;
  const { clock, logger, metrics } = deps;
  const shows = new Map<string, Seen>();
  const publishes = new Set<ServerResponse>();
  const held = metrics.gauge('grandstand_origin_held_requests', 'Requests that wait for media.');
  const room = new WaitingRoom(config.maxHeldRequests, (size) => {
    held.set(size);
  });
  const gaps = metrics.gauge('grandstand_origin_gap_segments', 'Gap segments listed so far.');
  const delay = metrics.histogram(
    'grandstand_origin_publish_delay_seconds',
    'End of a part on the timeline to its publication.',
    [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5],
  );

  const show = (broadcast: Broadcast): Seen => {
    const known = shows.get(broadcast.id);
    if (known !== undefined && isSameShape(known.live.broadcast, broadcast)) {
      return known;
    }
    if (known === undefined && shows.size >= config.maxBroadcasts) {
      throw new GatewayError('too_busy', `${config.maxBroadcasts} broadcasts are held already`);
    }
    const depth = depthOf(config, broadcast.grid);
    const live: LiveBroadcast = new LiveBroadcast(broadcast, depth, (track, change) => {
      const { frontier, timescale } = live.track(track) ?? {};
      if (change === 'part' && frontier !== undefined && timescale !== undefined) {
        delay.observe((clock.nowMs() - unixMsFromTicks(frontier, timescale)) / 1000);
      }
      room.wake(roomKey({ live }, track), change);
    });
    const seen = { live, renderings: new Renderings(), usedMs: clock.nowMs() };
    shows.set(broadcast.id, seen);
    return seen;
  };

  const report = (): void => {
    const nowMs = clock.nowMs();
    gaps.set([...shows.values()].reduce((sum, { live }) => sum + live.gapSegments, 0));
    for (const [id, { live, usedMs }] of shows) {
      if (
        nowMs - usedMs > FORGET_AFTER_MS &&
        (live.status(nowMs).publishDelayMs ?? Infinity) > FORGET_AFTER_MS
      ) {
        shows.delete(id);
        continue;
      }
      deps.board.reportOrigin(id, live.status(nowMs)).catch((error: unknown) => {
        logger.warn({ broadcast: id, reason: errorText(error) }, 'status not reported');
      });
    }
  };

  let sweeps = 0;
  const timer = setInterval(() => {
    const nowMs = clock.nowMs();
    room.sweep(nowMs);
    for (const { live } of shows.values()) {
      live.giveUpOnLateTracks(nowMs);
    }
    sweeps += 1;
    if (sweeps % SWEEPS_PER_REPORT === 0) {
      report();
    }
  }, SWEEP_MS);

  return Promise.resolve({
    handleMedia: createMediaHandler({
      clock,
      room,
      requests: metrics.counter('grandstand_origin_requests_total', 'Answers to viewers.', [
        'kind',
        'status',
      ]),
      slowReaders: metrics.counter(
        'grandstand_origin_slow_readers_total',
        'Readers of growing segments dropped because they fell behind.',
      ),
      maxReaderBacklogBytes: config.maxReaderBacklogBytes,
      show: (id) => shows.get(id),
    }),
    handlePublish: createPublishHandler({
      logger,
      clock,
      internalToken: deps.internalToken,
      refusals: metrics.counter('grandstand_origin_refusals_total', 'Publishes refused.', [
        'reason',
      ]),
      maxBoxBytes: config.maxBoxBytes,
      async open(id, track) {
        const broadcast = await deps.directory.broadcast(id);
        const rungs = [...(broadcast?.ladder.video ?? []), ...(broadcast?.ladder.audio ?? [])];
        if (broadcast === undefined || !rungs.some(({ name }) => name === track)) {
          throw new GatewayError('not_found', `nobody wants track ${track} of ${id}`);
        }
        const seen = show(broadcast);
        seen.usedMs = clock.nowMs();
        return seen.live;
      },
      onConnection(response: ServerResponse) {
        publishes.add(response);
        response.once('close', () => publishes.delete(response));
      },
    }),
    close() {
      clearInterval(timer);
      room.clear();
      for (const response of publishes) {
        response.destroy();
      }
      return Promise.resolve();
    },
    recordings: (id: string) => archive.recordings(id),
  });
}

/** A ladder or grid that changed is another show: nothing of the old one fits it. */
function isSameShape(a: Broadcast, b: Broadcast): boolean {
  return JSON.stringify([a.ladder, a.grid]) === JSON.stringify([b.ladder, b.grid]);
}
