/**
 * Transcode jobs by class of encoder: a broadcast's job waits where a worker that lives can take it,
 * and goes to another class only when the one it is in has no worker any more.
 */
import { ENCODER_CLASSES } from '../kernel/encoders.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import type { KeyValueStore } from '../kernel/redis.ts';

/** The name of the queue of a class. */
export function transcodeQueueName(encoderClass: string): string {
  return `transcode-${encoderClass}`;
}

const CHOICE = 'grandstand:encoder:';
/** A choice that nobody renews is forgotten with its broadcast. */
const CHOICE_MS = 30_000;

/**
 * The queues as one.
 *
 * @param deps.encoders classes of the workers that live
 */
export function transcodeQueues(deps: {
  readonly open: (name: string) => JobQueue;
  readonly encoders: () => Promise<readonly string[]>;
  readonly store: Pick<KeyValueStore, 'get' | 'lease'>;
}): JobQueue {
  const queues = new Map<string, JobQueue>(
    ENCODER_CLASSES.map((one) => [one, deps.open(transcodeQueueName(one))]),
  );
  return {
    async ensure(id, payload) {
      const living = await deps.encoders();
      const before = await deps.store.get(CHOICE + id);
      const chosen =
        before !== undefined && living.includes(before)
          ? before
          : (ENCODER_CLASSES.find((one) => living.includes(one)) ?? before);
      if (chosen === undefined) {
        return;
      }
      if (before !== undefined && before !== chosen) {
        await queues.get(before)?.remove(id);
      }
      await deps.store.lease(CHOICE + id, chosen, CHOICE_MS);
      await queues.get(chosen)?.ensure(id, payload);
    },
    async remove(id) {
      for (const queue of queues.values()) {
        await queue.remove(id);
      }
    },
    async close(reason) {
      await Promise.all([...queues.values()].map((queue) => queue.close(reason)));
    },
  };
}
