/** The leases by which other roles find this process, renewed each second. */
import type { LeasedRole, RedisDirectory } from './directory.ts';
import { errorText } from '../kernel/errors.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Seat } from './seating.ts';

const LEASE_RENEWAL_MS = 1000;

/** What a role says of itself: its base URL, or of a worker the class of its encoder. */
export type Lease = { readonly role: LeasedRole; readonly value: string };

/** Leases what runs here; `onTick` runs with each renewal. */
export function startLeases(
  directory: Pick<RedisDirectory, 'leaseHost' | 'leaseRole'>,
  seat: Seat,
  leases: readonly Lease[],
  onTick: () => void,
  logger: Logger,
): Closeable {
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      try {
        await directory.leaseHost(seat);
        for (const { role, value } of leases) {
          await directory.leaseRole(role, seat.instance, value);
        }
      } catch (error) {
        logger.debug({ error: errorText(error) }, 'lease not renewed');
      }
      onTick();
      await pause(LEASE_RENEWAL_MS, stopped.signal);
    }
  })();
  return {
    async close() {
      stopped.abort();
      await loop;
    },
  };
}
