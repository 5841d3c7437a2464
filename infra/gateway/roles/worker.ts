/** The role `worker`: one ffmpeg per transcode job, of the classes that this machine can encode. */
import {
  createWorker,
  probeEncoders,
  type TranscodeWorker,
  type WorkerDeps,
} from '../../../packager/worker/index.ts';
import type { EncoderClass } from '../../kernel/encoders.ts';
import { errorText, GatewayError } from '../../kernel/errors.ts';
import { type JobContext, type Offer, startJobRunner } from '../../kernel/jobs.ts';
import { type Closeable, pause } from '../../kernel/lifecycle.ts';
import { fitLadder } from '../../kernel/ladder.ts';
import {
  compareEpochs,
  slotKey,
  type TranscodeJob,
  transcodeJobSchema,
} from '../../kernel/wire.ts';
import { runOf } from '../desired.ts';
import { type DeskEncoder, EncoderDesk } from '../encoderDesk.ts';
import { faultCode } from '../jobFault.ts';
import { runWhileWanted, type Want, wantOf } from '../jobWatch.ts';
import { lingersOnLeave } from '../leaving.ts';
import { jobIdOf } from '../reconcile.ts';
import { seatingOf } from '../seating.ts';
import { slotOfJob } from '../transcodeChoice.ts';
import { transcodeQueueName } from '../transcodeQueues.ts';
import { type WorkerBoard, workerBoard } from '../workerBoard.ts';
import type { House, RolePart } from './house.ts';

const SLOT_LEASE_RENEWAL_MS = 1000;
const REPORT_INTERVAL_MS = 1000;
/** Hand-over overlaps with its successor for up to 10 s. */
const CLOSE_MS = 13_000;
/** A Redis that is away holds up no shutdown. */
const SAY_STOPPING_MS = 1000;

/** Builds it; finds the encoders by probe encodes. */
export async function buildWorker(house: House): Promise<RolePart> {
  const { config, area, stack } = house;
  const { ladder, sourceHeight } = config.broadcast;
  const probed = fitLadder(ladder, sourceHeight);
  const { offers } = await probeEncoders(config.worker, probed, area('worker'));
  const crew = new Crew(house, offers);
  const [{ encoder }] = offers;
  return {
    encoder,
    leases: [{ role: 'worker', value: encoder.class }],
    work() {
      stack.push(crew.reporting());
      crew.takeJobs();
    },
  };
}

/** The desks of this process, and what they share. */
class Crew {
  readonly #house: House;
  readonly #board: WorkerBoard;
  readonly #slots: Slots;
  readonly #desks: readonly { readonly desk: EncoderDesk; readonly offer: DeskEncoder }[];
  #wake = new AbortController();
  #isStopping = false;

  constructor(house: House, offers: readonly DeskEncoder[]) {
    this.#house = house;
    this.#board = workerBoard(house.store);
    this.#slots = new Slots(house);
    const deps = {
      ...{ logger: house.area('worker'), metrics: house.metrics, board: this.#board },
      nowMs: () => house.clock.nowMs(),
      onChange: () => {
        this.#wake.abort();
      },
    };
    this.#desks = offers.map((offer) => ({ offer, desk: new EncoderDesk(deps, offer) }));
  }

  /** Says each second, and when jobs come or go, what runs here. */
  reporting(): Closeable {
    const { area } = this.#house;
    const stopped = new AbortController();
    const loop = (async () => {
      while (!stopped.signal.aborted) {
        this.#wake = new AbortController();
        await this.#report().catch((error: unknown) => {
          area('worker').debug({ error: errorText(error) }, 'report not written');
        });
        await pause(REPORT_INTERVAL_MS, AbortSignal.any([stopped.signal, this.#wake.signal]));
      }
    })();
    return {
      async close() {
        stopped.abort();
        await loop;
      },
    };
  }

  takeJobs(): void {
    const { location, area, stack } = this.#house;
    for (const { desk, offer } of this.#desks) {
      const worker = this.#workerOf(desk, offer);
      const options = {
        ...{ location, name: transcodeQueueName(offer.encoder.class), identityOf },
        // No more than there are seats: who is full would take jobs from who has room for a second.
        concurrency: offer.capacity,
        consider: (job: Pick<JobContext, 'id' | 'payload' | 'epoch'>) => this.#consider(job, desk),
        mayLinger: ({ id }: Pick<JobContext, 'id'>) => this.#mayLinger(id, offer.encoder.class),
        isReplaced: (job: Pick<JobContext, 'id' | 'epoch'>) => this.#slots.isReplaced(job),
      };
      const process = (job: JobContext): Promise<void> =>
        desk.during(job, () => this.#process(worker, job));
      stack.push(startJobRunner(options, process, area('queue')), CLOSE_MS);
    }
    // Before any runner closes: of two workers that stop at once, one at least knows of the other.
    stack.push({ close: () => this.#sayStopping() }, SAY_STOPPING_MS);
  }

  async #consider(
    job: Pick<JobContext, 'id' | 'payload' | 'epoch'>,
    desk: EncoderDesk,
  ): Promise<Offer> {
    if (this.#isStopping || !desk.hold(job.id)) {
      return 'leave';
    }
    // What cannot be asked runs: Redis being away ends nothing.
    const offer = await this.#slots.consider(job).catch(() => 'run' as const);
    if (offer !== 'run') {
      desk.letGo(job.id);
    }
    return offer;
  }

  async #sayStopping(): Promise<void> {
    this.#isStopping = true;
    await this.#report();
  }

  async #report(): Promise<void> {
    const parts = this.#desks.map(({ desk }) => desk.report());
    await this.#board.report({
      ...this.#house.seat,
      ...(this.#isStopping ? { isStopping: true } : {}),
      encoders: parts.map(({ encoder }) => encoder),
      jobs: parts.flatMap(({ jobs }) => jobs),
    });
  }

  async #mayLinger(jobId: string, needed: EncoderClass): Promise<boolean> {
    const { directory, seat, area } = this.#house;
    const [workers, lost] = await Promise.all([this.#board.workers(), directory.lostJobs()]);
    const answer = lingersOnLeave(jobId, { me: seat.instance, class: needed, workers, lost });
    area('worker').info({ job: jobId, goesOn: answer }, 'job handed back');
    return answer;
  }

  #workerOf(desk: EncoderDesk, { encoder }: DeskEncoder): TranscodeWorker {
    const { config, area, metrics, clock, directory, internalToken } = this.#house;
    const board: WorkerDeps['board'] = {
      reportTranscode(id, slot, status) {
        desk.took(id, slot, status);
        return directory.reportTranscode(id, slot, status);
      },
      reportLostFeed: (id, epoch) => directory.reportLostFeed(id, epoch),
    };
    return createWorker(
      { metrics, clock, directory, board, internalToken, logger: area('worker'), encoder },
      config.worker,
    );
  }

  async #process(worker: TranscodeWorker, context: JobContext): Promise<void> {
    const job = parseJob(context.payload);
    // All of it: whoever considered the job has taken the slot already.
    await this.#slots.during(slotKey(job.broadcast.id, job.slot), () =>
      this.#transcode(worker, job, context),
    );
  }

  async #transcode(
    worker: TranscodeWorker,
    job: TranscodeJob,
    { id, epoch, signal }: JobContext,
  ): Promise<void> {
    const { directory } = this.#house;
    const { broadcast, slot } = job;
    const feed = directory.feedOf(broadcast.id);
    const [desired, found] = await Promise.all([directory.broadcast(broadcast.id), feed]);
    if (desired === undefined && found === undefined) {
      const text = `nobody wants broadcast '${broadcast.id}', and no ingest has a feed of it`;
      throw new GatewayError('not_found', text, { subject: broadcast.id });
    }
    const want = async (): Promise<Want> => {
      const answer = wantOf(broadcast, await directory.broadcast(broadcast.id), slot);
      const isFed = (await directory.feedOf(broadcast.id)) !== undefined;
      return answer === 'wanted' && !isFed ? 'idle' : answer;
    };
    // Another try of the same job, or an id behind an epoch that was lost.
    const isTakeover = epoch.attempt > 1 || id !== slotKey(broadcast.id, slot);
    const tenure = { epoch, isTakeover };
    try {
      await runWhileWanted(signal, want, (wanted) => worker.run(job, tenure, wanted));
    } catch (error) {
      // Fenced off by the run that was wished for in its place: that is its end, and no fault.
      const isReplaced = async (): Promise<boolean> => !(await this.#slots.isCurrent(id, job));
      if (faultCode(error) !== 'fenced' || !(await isReplaced().catch(() => false))) {
        throw error;
      }
    }
  }
}

/** @throws GatewayError `bad_message` naming every fault of a payload */
function parseJob(payload: unknown): TranscodeJob {
  const { data, error } = transcodeJobSchema.safeParse(payload);
  if (data === undefined) {
    const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new GatewayError('bad_message', `the job is malformed: ${faults.join('; ')}`);
  }
  return data;
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
    if (!(await this.isCurrent(id, job))) {
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

  /** Whether the job of this id is the one that counts for its slot. */
  async isCurrent(id: string, { broadcast, slot }: TranscodeJob): Promise<boolean> {
    const key = slotKey(broadcast.id, slot);
    return id === jobIdOf(key, (await this.#house.directory.superseded()).get(key));
  }

  /** Whether another run is wished for in the place of this one. */
  async isReplaced({ id, epoch }: Pick<JobContext, 'id' | 'epoch'>): Promise<boolean> {
    const key = slotOfJob(id);
    const behind = (await this.#house.directory.superseded()).get(key);
    return behind !== undefined && id !== jobIdOf(key, behind) && compareEpochs(epoch, behind) <= 0;
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
