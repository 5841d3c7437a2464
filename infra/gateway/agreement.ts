/**
 * What several origins must agree on, in Redis: SET NX, so that the first to ask decides
 * (architecture §2). An answer that is late is no answer: the live path never waits for Redis.
 */
import type { Agreement } from '../kernel/directory.ts';
import { withDeadline } from '../kernel/lifecycle.ts';
import type { KeyValueStore } from '../kernel/redis.ts';

const AGREEMENT = 'grandstand:agreement:';
const ANSWER_MS = 300;

/** Agreement among the origins of one Redis. */
export function redisAgreement(store: Pick<KeyValueStore, 'claim' | 'list'>): Agreement {
  const inTime = <T>(answer: Promise<T>): Promise<T | undefined> =>
    withDeadline(answer, ANSWER_MS).catch(() => undefined);
  return {
    claim: (key, value, keepMs) => inTime(store.claim(`${AGREEMENT}${key}`, value, keepMs)),
    claims: (prefix) =>
      inTime(
        store
          .list(`${AGREEMENT}${prefix}`)
          .then(
            (found) =>
              new Map([...found].map(([key, value]) => [key.slice(AGREEMENT.length), value])),
          ),
      ),
  };
}
