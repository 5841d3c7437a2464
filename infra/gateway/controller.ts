/**
 * Keeps what runs equal to what is desired: streamers become broadcasts, broadcasts become jobs,
 * and what Redis lost is added again.
 */
import type { RedisDirectory } from './directory.ts';
import { errorText } from '../kernel/errors.ts';
import type { Grid } from '../kernel/grid.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import {
  type Broadcast,
  broadcastIdOf,
  type IngestJob,
  type Ladder,
  type TranscodeJob,
} from '../kernel/wire.ts';

const RECONCILE_INTERVAL_MS = 500;

/** What the controller works on. */
export type ControllerDeps = {
  readonly logger: Logger;
  readonly directory: Pick<RedisDirectory, 'broadcasts' | 'saveBroadcast' | 'feedOf'>;
  readonly ingestQueue: JobQueue;
  readonly transcodeQueue: JobQueue;
  readonly nowMs: () => number;
};

/** How new broadcasts are made. */
export type ControllerOptions = {
  readonly autoBroadcast: boolean;
  readonly maxBroadcasts: number;
  readonly ladder: Ladder;
  readonly grid: Grid;
};

/** The running controller. */
export type Controller = Closeable & {
  /** A streamer has identified itself under `streamerId`. */
  streamerIdentified(streamerId: string): void;
};

/** Id of the transcode job of a broadcast's whole ladder. */
export function transcodeJobId(broadcastId: string): string {
  return `${broadcastId}.main.0`;
}

/** Starts reconciling every 500 ms, and at once when a streamer identifies itself. */
export function startController(deps: ControllerDeps, options: ControllerOptions): Controller {
  const stopped = new AbortController();
  let wake = new AbortController();
  const identified = new Set<string>();

  const adopt = async (streamerId: string, known: readonly Broadcast[]): Promise<void> => {
    const id = broadcastIdOf(streamerId);
    if (!options.autoBroadcast) {
      return;
    }
    const namesake = known.find((broadcast) => broadcast.id === id);
    if (namesake !== undefined) {
      if (namesake.source.streamerId !== streamerId) {
        deps.logger.warn(
          { streamerId, broadcast: id, takenBy: namesake.source.streamerId },
          'streamer is not broadcast: its id gives the name of another broadcast; change the id',
        );
      }
      return;
    }
    if (known.length >= options.maxBroadcasts) {
      deps.logger.warn(
        { streamerId, maxBroadcasts: options.maxBroadcasts },
        'streamer is not broadcast: too many broadcasts',
      );
      return;
    }
    await deps.directory.saveBroadcast({
      id,
      source: { kind: 'pixel-streaming', streamerId },
      ladder: options.ladder,
      grid: options.grid,
      createdMs: Math.round(deps.nowMs()),
    });
    deps.logger.info({ broadcast: id, streamerId }, 'broadcast created for a new streamer');
  };

  const reconcile = async (): Promise<void> => {
    for (const streamerId of identified) {
      await adopt(streamerId, await deps.directory.broadcasts());
      identified.delete(streamerId);
    }
    for (const broadcast of await deps.directory.broadcasts()) {
      await deps.ingestQueue.ensure(broadcast.id, { broadcast } satisfies IngestJob);
      // A worker's seat is only asked for while there is something to encode.
      if ((await deps.directory.feedOf(broadcast.id)) !== undefined) {
        const job: TranscodeJob = { broadcast, group: 'main', slot: 0 };
        await deps.transcodeQueue.ensure(transcodeJobId(broadcast.id), job);
      }
    }
  };

  const loop = (async () => {
    while (!stopped.signal.aborted) {
      try {
        await reconcile();
      } catch (error) {
        deps.logger.warn({ error: errorText(error) }, 'reconciling failed; it is tried again');
      }
      await pause(RECONCILE_INTERVAL_MS, AbortSignal.any([stopped.signal, wake.signal]));
      wake = new AbortController();
    }
  })();

  return {
    streamerIdentified(streamerId) {
      if (identified.size < options.maxBroadcasts) {
        identified.add(streamerId);
        wake.abort();
      }
    },
    async close() {
      stopped.abort();
      await loop;
    },
  };
}
