/** Desired broadcasts in memory: what tests give in place of Redis. */
import type { DesiredDeps } from './desired.ts';
import type { Broadcast } from '../kernel/wire.ts';

/** The directory's read and write side of desired broadcasts, and what it holds. */
export function memoryDirectory(): {
  readonly directory: DesiredDeps['directory'];
  readonly saved: ReadonlyMap<string, Broadcast>;
} {
  const saved = new Map<string, Broadcast>();
  return {
    saved,
    directory: {
      broadcast: (id) => Promise.resolve(saved.get(id)),
      broadcasts: () => Promise.resolve([...saved.values()]),
      addBroadcast: (broadcast) => {
        const isNew = !saved.has(broadcast.id);
        saved.set(broadcast.id, saved.get(broadcast.id) ?? broadcast);
        return Promise.resolve(isNew);
      },
      saveBroadcast: (broadcast) => {
        saved.set(broadcast.id, broadcast);
        return Promise.resolve();
      },
      changeBroadcast: (id, make) => {
        const known = saved.get(id);
        const changed = known && make(known);
        if (changed !== undefined) {
          saved.set(id, changed);
        }
        return Promise.resolve(changed);
      },
      removeBroadcast: (id) => {
        saved.delete(id);
        return Promise.resolve();
      },
    },
  };
}
