/**
 * Keeps what runs equal to what is desired: streamers become broadcasts, broadcasts become jobs,
 * and what Redis lost is added again.
 */
import { type DesiredBroadcasts, isEnded } from './desired.ts';
import type { RedisDirectory } from './directory.ts';
import { errorText } from '../kernel/errors.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import {
  type Broadcast,
  broadcastIdOf,
  type IngestJob,
  type TranscodeJob,
} from '../kernel/wire.ts';

const RECONCILE_INTERVAL_MS = 500;

/** What the controller works on. */
export type ControllerDeps = {
  readonly logger: Logger;
  readonly directory: Pick<RedisDirectory, 'broadcast' | 'broadcasts' | 'feedOf'>;
  readonly desired: Pick<DesiredBroadcasts, 'create'>;
  readonly ingestQueue: JobQueue;
  readonly transcodeQueue: JobQueue;
};

/** Whether streamers become broadcasts, and how many of them are remembered at once. */
export type ControllerOptions = {
  readonly autoBroadcast: boolean;
  readonly maxBroadcasts: number;
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
  let withdrawn: ReadonlySet<string> = new Set();
  const identified = new Set<string>();

  const adopt = async (streamerId: string): Promise<void> => {
    const id = broadcastIdOf(streamerId);
    if (!options.autoBroadcast) {
      return;
    }
    const namesake = await deps.directory.broadcast(id);
    if (namesake !== undefined) {
      const fault = adoptionFault(namesake, streamerId);
      if (fault !== undefined) {
        deps.logger.warn({ streamerId, broadcast: id }, `streamer is not broadcast: ${fault}`);
      }
      return;
    }
    const source = { kind: 'pixel-streaming', streamerId } as const;
    const change = await deps.desired.create({ id, source });
    if (change.kind === 'full') {
      deps.logger.warn({ streamerId, reason: change.reason }, 'streamer is not broadcast');
    } else if (change.kind === 'done') {
      deps.logger.info({ broadcast: id, streamerId }, 'broadcast created for a new streamer');
    }
  };

  /** What runs is ended by its own watch; what waits is taken back here, once for each end. */
  const withdraw = async (ended: readonly Broadcast[]): Promise<void> => {
    const endOf = ({ id, endedMs }: Broadcast): string => `${id}@${endedMs ?? 0}`;
    for (const broadcast of ended.filter((one) => !withdrawn.has(endOf(one)))) {
      await deps.ingestQueue.remove(broadcast.id);
      await deps.transcodeQueue.remove(transcodeJobId(broadcast.id));
    }
    withdrawn = new Set(ended.map(endOf));
  };

  const reconcile = async (): Promise<void> => {
    for (const streamerId of identified) {
      await adopt(streamerId);
      identified.delete(streamerId);
    }
    // Nothing runs here for a broadcast that somebody else publishes.
    const ours = (await deps.directory.broadcasts()).filter(
      ({ source }) => source.kind === 'pixel-streaming',
    );
    await withdraw(ours.filter(isEnded));
    for (const broadcast of ours.filter((one) => !isEnded(one))) {
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

/** Why a streamer does not feed the broadcast of its name, or undefined where it does. */
function adoptionFault(namesake: Broadcast, streamerId: string): string | undefined {
  if (namesake.source.kind !== 'pixel-streaming' || namesake.source.streamerId !== streamerId) {
    return 'its id gives the name of another broadcast; change the id';
  }
  return isEnded(namesake)
    ? `its broadcast was stopped; \`grandstand broadcast start ${namesake.id}\``
    : undefined;
}
