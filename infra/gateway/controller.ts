/**
 * Keeps what runs equal to what is desired: streamers become broadcasts, broadcasts become jobs,
 * and what Redis lost is added again.
 */
import { type DesiredBroadcasts, isEnded, runOf } from './desired.ts';
import type { RedisDirectory } from './directory.ts';
import { heightOf, isMeasurable, Measuring } from './measuring.ts';
import { type Action, endOf, newLosses, outgrown, reconcilePlan } from './reconcile.ts';
import { errorText } from '../kernel/errors.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { type Broadcast, broadcastIdOf, type Epoch } from '../kernel/wire.ts';

const RECONCILE_INTERVAL_MS = 500;

/** What the controller works on. */
export type ControllerDeps = {
  readonly logger: Logger;
  readonly directory: Pick<
    RedisDirectory,
    | 'addBroadcast'
    | 'broadcast'
    | 'broadcasts'
    | 'feedOf'
    | 'keepMark'
    | 'lostJobs'
    | 'statusesOf'
    | 'supersede'
    | 'superseded'
    | 'workers'
  >;
  readonly desired: Pick<DesiredBroadcasts, 'create' | 'measured'>;
  readonly nowMs: () => number;
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

/** Starts reconciling every 500 ms, and at once when a streamer identifies itself. */
export function startController(deps: ControllerDeps, options: ControllerOptions): Controller {
  const stopped = new AbortController();
  let wake = new AbortController();
  let withdrawn: ReadonlySet<string> = new Set();
  let known: readonly Broadcast[] = [];
  let superseded: ReadonlyMap<string, Epoch> = new Map();
  const identified = new Set<string>();
  const measuring = new Measuring();

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

  /** A Redis that came back without its data is given back what was desired. */
  const desiredNow = async (): Promise<readonly Broadcast[]> => {
    let found = await deps.directory.broadcasts();
    if ((await deps.directory.keepMark()) && known.length > 0) {
      for (const broadcast of known) {
        await deps.directory.addBroadcast(broadcast);
      }
      // Runs are known by the ids of their jobs: under the same ids they go on.
      for (const [key, epoch] of superseded) {
        await deps.directory.supersede(key, epoch);
      }
      deps.logger.warn({ broadcasts: known.length }, 'Redis had lost its data: desired again');
      found = await deps.directory.broadcasts();
    }
    known = found;
    return found;
  };

  const carryOut = async (action: Action): Promise<void> => {
    switch (action.kind) {
      case 'ingest':
        return deps.ingestQueue.ensure(action.id, action.payload);
      case 'transcode':
        return deps.transcodeQueue.ensure(action.id, action.payload);
      case 'withdraw-ingest':
        return deps.ingestQueue.remove(action.id);
      case 'withdraw-transcode':
        return deps.transcodeQueue.remove(action.id);
    }
  };

  /** Sources are measured; what is encoded of one that has grown. */
  const measure = async (running: readonly Broadcast[]): Promise<ReadonlyMap<string, Epoch>> => {
    const narrow = new Map<string, Epoch>();
    for (const broadcast of running.filter(isMeasurable)) {
      const { id } = broadcast;
      const { ingest, encoders } = await deps.directory.statusesOf(id);
      // What the ingest of the run before said last is leased for a while.
      const isOfRun = ingest?.runMs === undefined || ingest.runMs === runOf(broadcast);
      const height = ingest?.state === 'live' && isOfRun ? heightOf(broadcast, ingest) : undefined;
      const measured = measuring.judge(broadcast, height, encoders, deps.nowMs());
      if (measured !== undefined) {
        await deps.desired.measured(id, runOf(broadcast), measured);
        wake.abort();
      }
      for (const [key, epoch] of outgrown(broadcast, encoders)) {
        narrow.set(key, epoch);
      }
    }
    measuring.keepOnly(running.map(({ id }) => id));
    return narrow;
  };

  /** What is lost or has too few rungs is wished for again at once, under another id. */
  const supersede = async (narrow: ReadonlyMap<string, Epoch>): Promise<void> => {
    const before = await deps.directory.superseded();
    const losses = newLosses(await deps.directory.lostJobs(), before);
    const wider = newLosses(narrow, new Map([...before, ...losses]));
    for (const [key, epoch] of [...losses, ...wider]) {
      await deps.directory.supersede(key, epoch);
    }
    for (const [job] of losses) {
      deps.logger.warn({ job }, 'lost where it ran: begun again elsewhere');
    }
    for (const [job] of wider) {
      deps.logger.info({ job }, 'its ladder has grown with its source: another run takes over');
    }
    superseded = new Map([...before, ...losses, ...wider]);
  };

  const reconcile = async (): Promise<void> => {
    for (const streamerId of identified) {
      await adopt(streamerId);
      identified.delete(streamerId);
    }
    const broadcasts = await desiredNow();
    const running = broadcasts.filter((broadcast) => !isEnded(broadcast));
    const feeds = await Promise.all(running.map(({ id }) => deps.directory.feedOf(id)));
    await supersede(await measure(running));
    const plan = reconcilePlan({
      ...{ broadcasts, withdrawn, superseded },
      feeds: new Set(running.flatMap(({ id }, index) => (feeds[index] === undefined ? [] : [id]))),
      workers: (await deps.directory.workers()).length,
    });
    for (const action of plan) {
      await carryOut(action);
    }
    withdrawn = new Set(broadcasts.filter(isEnded).map(endOf));
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
  const { source } = namesake;
  const isOurs = source.kind === 'pixel-streaming' && source.url === undefined;
  if (!isOurs || source.streamerId !== streamerId) {
    return 'its id gives the name of another broadcast; change the id';
  }
  return isEnded(namesake)
    ? `its broadcast was stopped; \`grandstand broadcast start ${namesake.id}\``
    : undefined;
}
