/** The role `worker`: one ffmpeg per transcode job, of the class that this machine can encode. */
import { createWorker, probeEncoders } from '../../../packager/worker/index.ts';
import { type JobContext, type Offer, startJobRunner } from '../../kernel/jobs.ts';
import { slotKey, transcodeJobSchema } from '../../kernel/wire.ts';
import { runOf } from '../desired.ts';
import { runWhileWanted, type Want, wantOf } from '../jobWatch.ts';
import { transcodeJobId } from '../reconcile.ts';
import { seatingOf } from '../seating.ts';
import { transcodeQueueName } from '../transcodeQueues.ts';
import type { House, RolePart } from './house.ts';

const SLOT_LEASE_RENEWAL_MS = 1000;
/** Hand-over overlaps with its successor for up to 10 s. */
const CLOSE_MS = 13_000;

/** Builds it; finds the encoder by a probe encode. */
export async function buildWorker(house: House): Promise<RolePart> {
  const { config, area, metrics, clock, directory, internalToken, stack, location } = house;
  const { offers } = await probeEncoders(config.worker, config.broadcast.ladder, area('worker'));
  const [{ encoder, capacity }] = offers;
  const worker = createWorker(
    { metrics, clock, directory, board: directory, internalToken, logger: area('worker'), encoder },
    config.worker,
  );
  const slots = new Slots(house);
  const process = async ({ payload, epoch, signal }: JobContext): Promise<void> => {
    const job = transcodeJobSchema.parse(payload);
    const want = async (): Promise<Want> => {
      const { broadcast, slot } = job;
      const answer = wantOf(broadcast, await directory.broadcast(broadcast.id), slot);
      const isFed = (await directory.feedOf(broadcast.id)) !== undefined;
      return answer === 'wanted' && !isFed ? 'idle' : answer;
    };
    await slots.during(slotKey(job.broadcast.id, job.slot), () =>
      runWhileWanted(signal, want, (wanted) => worker.run(job, epoch, wanted)),
    );
  };
  return {
    encoder,
    leases: [{ role: 'worker', value: encoder.class }],
    work() {
      const options = {
        ...{ location, name: transcodeQueueName(encoder.class), identityOf },
        concurrency: capacity,
        consider: (job: Pick<JobContext, 'id' | 'payload' | 'epoch'>) => slots.consider(job),
        hasSuccessor: () => slots.hasSuccessor(),
      };
      stack.push(startJobRunner(options, process, area('queue')), CLOSE_MS);
    },
  };
}

/** Another ladder or grid is another run of its broadcast. */
function identityOf(payload: unknown): string {
  const { data } = transcodeJobSchema.safeParse(payload);
  return data === undefined
    ? JSON.stringify(payload)
    : JSON.stringify([data.broadcast.id, runOf(data.broadcast), data.group, data.slot]);
}

/** Which slots run here, and which may. */
class Slots {
  readonly #house: House;
  readonly #mine = new Set<string>();

  constructor(house: House) {
    this.#house = house;
  }

  async consider({ id, payload, epoch }: Omit<JobContext, 'signal'>): Promise<Offer> {
    const { directory, seat, area } = this.#house;
    const { data: job } = transcodeJobSchema.safeParse(payload);
    if (job === undefined) {
      return 'run';
    }
    const [key, otherKey] = [job.slot, 1 - job.slot].map((slot) =>
      slotKey(job.broadcast.id, slot),
    ) as [string, string];
    if (id !== transcodeJobId(key, (await directory.superseded()).get(key))) {
      return 'drop';
    }
    const [other, workers] = await Promise.all([directory.slotOf(otherKey), directory.workers()]);
    const waitedMs = Date.now() - epoch.timestamp;
    const seating = this.#mine.has(otherKey)
      ? seatingOf(seat, seat, [...workers, seat], waitedMs)
      : seatingOf(seat, other, workers, waitedMs);
    if (seating.kind === 'leave') {
      area('queue').debug({ job: id, why: seating.why }, 'job left to another worker');
      return 'leave';
    }
    // At once, so that the other slot, if it is considered just now, finds this one here.
    this.#mine.add(key);
    return 'run';
  }

  async hasSuccessor(): Promise<boolean> {
    const { directory, seat } = this.#house;
    return (await directory.workers()).some(({ instance }) => instance !== seat.instance);
  }

  /** Says that slot `key` runs here for as long as `work` does. */
  async during(key: string, work: () => Promise<void>): Promise<void> {
    const { directory, seat } = this.#house;
    const say = (): void => {
      directory.leaseSlot(key, seat).catch(() => undefined);
    };
    this.#mine.add(key);
    say();
    const timer = setInterval(say, SLOT_LEASE_RENEWAL_MS);
    try {
      await work();
    } finally {
      clearInterval(timer);
      this.#mine.delete(key);
    }
  }
}
