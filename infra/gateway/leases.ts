/** The leases by which other roles find this process, renewed each second. */
import { randomBytes } from 'node:crypto';
import type { RedisDirectory } from './directory.ts';
import { errorText } from '../kernel/errors.ts';
import { type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';

const LEASE_RENEWAL_MS = 1000;

/** Leases the origin and the signalling server at `internalUrl`; `onTick` runs with each renewal. */
export function startLeases(
  directory: RedisDirectory,
  internalUrl: string,
  onTick: () => void,
  logger: Logger,
): Closeable {
  const instance = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      try {
        await directory.leaseRole('origin', instance, internalUrl);
        await directory.leaseRole('signalling', instance, internalUrl);
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
