/** The leases by which other roles find this process, renewed each second. */
import { randomBytes } from 'node:crypto';
import type { LeasedRole, RedisDirectory } from './directory.ts';
import { errorText } from '../kernel/errors.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';

const LEASE_RENEWAL_MS = 1000;

/** What a role says of itself: its base URL, or of a worker the class of its encoder. */
export type Lease = { readonly role: LeasedRole; readonly value: string };

/** Leases what runs here; `onTick` runs with each renewal. */
export function startLeases(
  directory: Pick<RedisDirectory, 'leaseRole'>,
  leases: readonly Lease[],
  onTick: () => void,
  logger: Logger,
): Closeable {
  const instance = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      try {
        for (const { role, value } of leases) {
          await directory.leaseRole(role, instance, value);
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
