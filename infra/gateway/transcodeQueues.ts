/**
 * Transcode jobs by class of encoder: a broadcast's job waits where a worker that lives can take it
 * soonest, moves to another class while it waits, and is not asked for at all for a while after it
 * failed. Why it waits is written down for the API.
 */
import { ENCODER_CLASSES } from '../kernel/encoders.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import type { KeyValueStore } from '../kernel/redis.ts';
import { broadcastOfJob, chooseClass, slotOfJob } from './transcodeChoice.ts';
import type { WorkerBoard } from './workerBoard.ts';

/** The name of the queue of a class. */
export function transcodeQueueName(encoderClass: string): string {
  return `transcode-${encoderClass}`;
}

const CHOICE = 'grandstand:encoder:';
/** A choice that nobody renews is forgotten with its broadcast. */
const CHOICE_MS = 30_000;

/** The queues as one. */
export function transcodeQueues(deps: {
  readonly open: (name: string) => JobQueue;
  readonly board: Pick<WorkerBoard, 'workers' | 'faultOf' | 'saveWait'>;
  readonly store: Pick<KeyValueStore, 'get' | 'lease'>;
  readonly nowMs: () => number;
}): JobQueue {
  const { board, store } = deps;
  const queues = new Map<string, JobQueue>(
    ENCODER_CLASSES.map((one) => [one, deps.open(transcodeQueueName(one))]),
  );
  return {
    async ensure(id, payload) {
      const [workers, before, fault] = await Promise.all([
        board.workers(),
        store.get(CHOICE + id),
        board.faultOf(slotOfJob(id)),
      ]);
      const choice = chooseClass(id, { workers, before, fault, nowMs: deps.nowMs() });
      if (choice.kind !== 'runs' && choice.reason !== undefined) {
        await board.saveWait(broadcastOfJob(id), choice.reason);
      }
      if (choice.kind === 'hold') {
        return;
      }
      // What runs is left alone, and is asked for again should its worker be gone the next instant.
      if (before !== undefined && before !== choice.class && choice.kind === 'wait') {
        await queues.get(before)?.remove(id);
      }
      await store.lease(CHOICE + id, choice.class, CHOICE_MS);
      await queues.get(choice.class)?.ensure(id, payload);
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
