/**
 * The origin: takes published tracks, keeps their live window, serves it as LL-HLS and LL-DASH.
 * Owns no listener (the gateway's servers call the handlers) and no Redis.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { Agreement, Directory, StatusBoard } from '../../infra/kernel/directory.ts';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Metrics } from '../../infra/kernel/metrics.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import { unixMsFromTicks } from '../../infra/kernel/time.ts';
import type { Presentation } from '../playlists/model.ts';
import { type DiskArchive, openArchive } from './archive/archive.ts';
import type { OriginConfig } from './config.ts';
import { askSisters, createHandoverHandler } from './handover.ts';
import { type LostPublisher, LostPublishers } from './lostPublishers.ts';
import {
  createMediaHandler,
  type MediaRequest,
  type MediaResponse,
  type Recorded,
  roomKey,
} from './mediaHandler.ts';
import { createPublishHandler } from './publishHandler.ts';
import { Renderings } from './renderings.ts';
import { type DesiredState, Shows, type ShowsDeps } from './shows.ts';
import { noArchive, type RecordingSummary } from './storage.ts';
import { WaitingRoom } from './waitingRoom.ts';

/** What the origin is given. */
export type OriginDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly directory: DesiredState & Partial<Pick<Directory, 'origins'>>;
  readonly board: Pick<StatusBoard, 'reportLostPublisher' | 'reportOrigin'>;
  /** Base URL of the internal listener here, by which this origin knows itself among `origins`. */
  readonly internalBaseUrl?: string;
  readonly internalToken: Secret;
  /** What several origins agree on; absent: this origin is alone. */
  readonly agreement?: Agreement;
  /** Where media is kept; absent: in memory only. */
  readonly mediaDirectory?: string;
};

/** A running origin: two handlers for two servers. Each answers false where a path is not its own. */
export type Origin = Closeable & {
  /** `/live/*`, `/vod/*` and `/time` of the public servers, HTTP/1.1 or HTTP/2. */
  handleMedia(request: MediaRequest, response: MediaResponse): boolean;
  /** `/publish/*` and `/handover/*` of the internal server; checks the token itself. */
  handlePublish(request: IncomingMessage, response: ServerResponse): boolean;
  /** Finished recordings of a broadcast, oldest first. */
  recordings(broadcastId: string): readonly RecordingSummary[];
};

const SWEEP_MS = 100;
const SWEEPS_PER_SECOND = 10;

/** Starts an origin with what its disk has; `close` ends what it holds and stops its one timer. */
export async function createOrigin(deps: OriginDeps, config: OriginConfig): Promise<Origin> {
  const { clock, logger, metrics } = deps;
  const kept = await archiveOf(deps, config);
  const archive = kept ?? noArchive;
  const held = metrics.gauge('grandstand_origin_held_requests', 'Requests that wait for media.');
  const room = new WaitingRoom(
    config.maxHeldRequests,
    (size) => {
      held.set(size);
    },
    config.maxHeldRequestsPerBroadcast,
  );
  const gaps = metrics.gauge('grandstand_origin_gap_segments', 'Gap segments listed so far.');
  const delay = metrics.histogram(
    'grandstand_origin_publish_delay_seconds',
    'End of a part on the timeline to its publication.',
    [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5],
  );
  const lost = new LostPublishers();
  const sisters = followSisters(deps);
  const shows = new Shows(
    {
      clock,
      logger,
      directory: deps.directory,
      archive,
      agreement: deps.agreement,
      onLoss: sisters.onLoss,
      onChange: (live, track, change) => {
        const { frontier, timescale } = live.track(track) ?? {};
        if (change === 'part' && frontier !== undefined && timescale !== undefined) {
          delay.observe((clock.nowMs() - unixMsFromTicks(frontier, timescale)) / 1000);
        }
        room.wake(roomKey({ live }, track), change);
      },
    },
    config,
  );
  await Promise.all([shows.follow(), sisters.follow()]);

  const publishes = new Set<ServerResponse>();
  let sweeps = 0;
  const timer = setInterval(() => {
    const nowMs = clock.nowMs();
    room.sweep(nowMs);
    for (const live of shows.all()) {
      live.giveUpOnLateTracks(nowMs);
    }
    reportLosses(deps, lost.due(nowMs));
    sweeps += 1;
    if (sweeps % SWEEPS_PER_SECOND === 0) {
      void shows.follow();
      void sisters.follow();
      kept?.sweep();
      gaps.set(shows.all().reduce((sum, { gapSegments }) => sum + gapSegments, 0));
      report(deps, shows);
    }
  }, SWEEP_MS);

  const handlePublish = createPublishHandler({
    logger,
    clock,
    lost,
    internalToken: deps.internalToken,
    refusals: metrics.counter('grandstand_origin_refusals_total', 'Publishes refused.', ['reason']),
    maxBoxBytes: config.maxBoxBytes,
    open: (id, track) => shows.forPublish(id, track),
    onConnection(response) {
      publishes.add(response);
      response.once('close', () => publishes.delete(response));
    },
  });
  const handleHandover = createHandoverHandler({
    token: deps.internalToken,
    nowMs: () => clock.nowMs(),
    find: (id) => shows.get(id)?.live,
  });
  return {
    handleMedia: createMediaHandler({
      clock,
      room,
      requests: metrics.counter('grandstand_origin_requests_total', 'Answers to viewers.', [
        'kind',
        'status',
      ]),
      slowReaders: metrics.counter(
        'grandstand_origin_slow_readers_total',
        'Readers of a growing segment dropped for being too slow.',
      ),
      maxReaderBacklogBytes: config.maxReaderBacklogBytes,
      show: (id) => shows.get(id),
      archive,
      recording: recordedOf((id, recording) => archive.recording(id, recording)),
    }),
    handlePublish: (request, response) =>
      handlePublish(request, response) || handleHandover(request, response),
    recordings: (id) => archive.recordings(id),
    async close(reason) {
      clearInterval(timer);
      room.clear();
      for (const response of publishes) {
        response.destroy();
      }
      await archive.close(reason);
    },
  };
}

async function archiveOf(
  deps: OriginDeps,
  { dvr }: OriginConfig,
): Promise<DiskArchive | undefined> {
  const { clock, logger, mediaDirectory, metrics } = deps;
  return dvr.isEnabled && mediaDirectory !== undefined
    ? openArchive({ clock, logger, metrics }, dvr, mediaDirectory)
    : undefined;
}

/** The other origins, as the directory named them last, and what they are asked. */
function followSisters(deps: OriginDeps): {
  follow(): Promise<void>;
  readonly onLoss: ShowsDeps['onLoss'];
} {
  const { directory, internalBaseUrl, internalToken: token, logger } = deps;
  let sisters: readonly string[] = [];
  return {
    async follow() {
      const named = await directory.origins?.().catch(() => undefined);
      // While Redis is away, and just after it came back without its data, the last answer counts.
      if (named !== undefined && named.length > 0) {
        sisters = named.filter((origin) => origin !== internalBaseUrl);
      }
    },
    onLoss:
      internalBaseUrl === undefined
        ? undefined
        : (live, track, loss) => {
            const init = live.track(track)?.newestHeader?.init;
            const broadcast = live.broadcast.id;
            const { slot } = loss;
            logger.warn({ broadcast, track, slot }, 'publisher lost: the other slot goes on');
            const answer =
              init === undefined
                ? Promise.resolve([])
                : askSisters(sisters, { broadcast, track, loss }, init, { token, logger });
            void answer.then((samples) => {
              live.settle(track, loss, samples);
            });
          },
  };
}

function reportLosses({ board, logger }: OriginDeps, losses: readonly LostPublisher[]): void {
  for (const { broadcast, slot, epoch } of losses) {
    logger.warn({ broadcast, slot }, 'publisher lost, and not back');
    board.reportLostPublisher(broadcast, slot, epoch).catch((error: unknown) => {
      logger.warn({ broadcast, reason: errorText(error) }, 'lost publisher not reported');
    });
  }
}

function report({ board, clock, logger }: OriginDeps, shows: Shows): void {
  for (const live of shows.all()) {
    const { id } = live.broadcast;
    board.reportOrigin(id, live.status(clock.nowMs())).catch((error: unknown) => {
      logger.warn({ broadcast: id, reason: errorText(error) }, 'status not reported');
    });
  }
}

/** A recording never changes: what was rendered of it is kept for as long as its presentation is. */
function recordedOf(
  find: (broadcastId: string, recordingId: string) => Presentation | undefined,
): (broadcastId: string, recordingId: string) => Recorded | undefined {
  const known = new WeakMap<Presentation, Recorded>();
  return (broadcastId, recordingId) => {
    const presentation = find(broadcastId, recordingId);
    if (presentation === undefined) {
      return undefined;
    }
    const recorded = known.get(presentation) ?? { presentation, renderings: new Renderings() };
    known.set(presentation, recorded);
    return recorded;
  };
}
