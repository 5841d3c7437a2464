/** What the API shows of broadcasts: what the roles last said, and who is at signalling. */
import type { Signalling } from '../../signalling/index.ts';
import { broadcastView, type BroadcastView, stateOf, type StreamerState } from './broadcastView.ts';
import type { RedisDirectory } from './directory.ts';
import type { WorkerBoard } from './workerBoard.ts';
import type { Clock } from '../kernel/broadcastClock.ts';
import { unixMs } from '../kernel/time.ts';
import type { Broadcast, BroadcastState, IngestStatus } from '../kernel/wire.ts';

/** The API's read side. */
export type Views = {
  broadcasts(): Promise<BroadcastView[]>;
  broadcast(id: string): Promise<BroadcastView | undefined>;
};

/** Views over the directory and the signalling server of this process. */
export function createViews(
  directory: RedisDirectory,
  board: Pick<WorkerBoard, 'waitOf'>,
  signalling: Pick<Signalling, 'snapshot'>,
  clock: Clock,
): Views {
  const history = new StateHistory();
  const view = async (id: string): Promise<BroadcastView | undefined> => {
    const broadcast = await directory.broadcast(id);
    if (broadcast === undefined) {
      return undefined;
    }
    const [said, wait] = await Promise.all([directory.statusesOf(id), board.waitOf(id)]);
    const statuses = { ...said, wait };
    const streamer = streamerState(signalling, broadcast, statuses.ingest);
    const now = clock.nowMs();
    const { state } = stateOf(broadcast, statuses, streamer, now);
    const since = unixMs(history.since(id, state, now));
    return broadcastView(broadcast, statuses, streamer, { nowMs: now, since });
  };
  return {
    broadcast: view,
    async broadcasts() {
      const ids = (await directory.broadcasts()).map((broadcast) => broadcast.id).sort();
      history.keepOnly(ids);
      return (await Promise.all(ids.map(view))).flatMap((one) => (one === undefined ? [] : [one]));
    },
  };
}

function streamerState(
  signalling: Pick<Signalling, 'snapshot'>,
  { source }: Broadcast,
  ingest: IngestStatus | undefined,
): StreamerState {
  if (source.kind === 'publish') {
    return { isConnected: false, presenter: null };
  }
  if (source.url !== undefined) {
    // Who is connected there, only the ingest can tell.
    return { isConnected: ingest !== undefined && ingest.state !== 'connecting', presenter: null };
  }
  const { streamerId } = source;
  const { streamers, players } = signalling.snapshot();
  const isConnected = streamers.some(
    (streamer) => streamer.streamerId === streamerId && streamer.streaming,
  );
  const player = players.find((candidate) => candidate.subscribedTo === streamerId);
  return {
    isConnected,
    presenter: player === undefined ? null : { connected: true, playerId: player.playerId },
  };
}

/** Remembers since when each broadcast has been in its state. */
class StateHistory {
  readonly #entries = new Map<
    string,
    { readonly state: BroadcastState; readonly sinceMs: number }
  >();

  /** When `state` was first seen for `id` without a change since (Unix ms). */
  since(id: string, state: BroadcastState, nowMs: number): number {
    const entry = this.#entries.get(id);
    if (entry?.state === state) {
      return entry.sinceMs;
    }
    this.#entries.set(id, { state, sinceMs: nowMs });
    return nowMs;
  }

  /** Forgets those that are not desired any more. */
  keepOnly(ids: readonly string[]): void {
    for (const id of [...this.#entries.keys()].filter((known) => !ids.includes(known))) {
      this.#entries.delete(id);
    }
  }
}
