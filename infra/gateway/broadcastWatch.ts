/** Tells of broadcasts whose state changed, while somebody listens. */
import { errorText } from '../kernel/errors.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import type { EventStream } from './http/api/events.ts';
import type { Views } from './views.ts';

/** What is told of a broadcast; `state` is null where it was deleted. */
export type BroadcastChange = {
  readonly id: string;
  readonly state: string | null;
  readonly reason: string | null;
};

const INTERVAL_MS = 500;

/** Looks every 500 ms. */
export function startBroadcastWatch(
  views: Pick<Views, 'broadcasts'>,
  events: Pick<EventStream, 'clients' | 'publish'>,
  logger: Logger,
): Closeable {
  const stopped = new AbortController();
  let before: ReadonlyMap<string, BroadcastChange> | undefined;
  const look = async (): Promise<void> => {
    const now = new Map(
      (await views.broadcasts()).map(({ id, state, reason }) => [
        id,
        { id, state, reason: reason ?? null },
      ]),
    );
    for (const data of before === undefined ? [] : changes(before, now)) {
      events.publish({ type: 'broadcast', data });
    }
    before = now;
  };
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      if (events.clients === 0) {
        before = undefined;
      } else {
        await look().catch((error: unknown) => {
          logger.debug({ error: errorText(error) }, 'broadcasts cannot be read');
        });
      }
      await pause(INTERVAL_MS, stopped.signal);
    }
  })();
  return {
    async close() {
      stopped.abort();
      await loop;
    },
  };
}

/** What differs between two looks. Pure. */
export function changes(
  before: ReadonlyMap<string, BroadcastChange>,
  now: ReadonlyMap<string, BroadcastChange>,
): BroadcastChange[] {
  const changed = [...now.values()].filter(({ id, state, reason }) => {
    const old = before.get(id);
    return old?.state !== state || old.reason !== reason;
  });
  const gone = [...before.keys()].filter((id) => !now.has(id));
  return [...changed, ...gone.map((id) => ({ id, state: null, reason: 'deleted' }))];
}
