/** Reports of the workers, and faults and waits of transcode jobs, in Redis. All of it expires. */
import { z } from 'zod';
import { ENCODER_CLASSES } from '../kernel/encoders.ts';
import type { KeyValueStore } from '../kernel/redis.ts';
import { type WorkerReport, workerReportSchema } from '../kernel/workerReport.ts';

const WORKERS = 'grandstand:worker:';
const FAULTS = 'grandstand:job-fault:';
const WAITS = 'grandstand:job-wait:';
const REPORT_MS = 5000;
const WAIT_MS = 5000;
/** A job that has not failed for as long begins to count anew. */
const FORGIVEN_MS = 300_000;

const faultSchema = z.object({
  reason: z.string(),
  count: z.int(),
  /** Classes of encoders that cannot do it. */
  avoid: z.array(z.enum(ENCODER_CLASSES)),
  /** It is not to be tried before (Unix ms). */
  untilMs: z.number(),
});

/** Why a job failed, how often on end, and when it may be tried again. */
export type JobFault = Readonly<z.output<typeof faultSchema>>;

/** See the file header. Waits are by broadcast, faults by slot (`slotOfJob`). */
export type WorkerBoard = {
  report(report: WorkerReport): Promise<void>;
  /** Workers that live. */
  workers(): Promise<readonly WorkerReport[]>;
  saveFault(slot: string, fault: JobFault): Promise<void>;
  faultOf(slot: string): Promise<JobFault | undefined>;
  /** Says why no job of a broadcast runs. */
  saveWait(broadcastId: string, reason: string): Promise<void>;
  waitOf(broadcastId: string): Promise<string | undefined>;
};

/** The board on a store. What does not parse is treated as absent: another version wrote it. */
export function workerBoard(store: Pick<KeyValueStore, 'get' | 'lease' | 'list'>): WorkerBoard {
  return {
    report: (report) => store.lease(WORKERS + report.instance, JSON.stringify(report), REPORT_MS),
    async workers() {
      const texts = [...(await store.list(WORKERS)).values()];
      return texts
        .flatMap((text) => parsed(text, workerReportSchema) ?? [])
        .toSorted((a, b) => a.instance.localeCompare(b.instance));
    },
    saveFault: (slot, fault) => store.lease(FAULTS + slot, JSON.stringify(fault), FORGIVEN_MS),
    async faultOf(slot) {
      const text = await store.get(FAULTS + slot);
      return text === undefined ? undefined : parsed(text, faultSchema);
    },
    saveWait: (broadcastId, reason) => store.lease(WAITS + broadcastId, reason, WAIT_MS),
    waitOf: (broadcastId) => store.get(WAITS + broadcastId),
  };
}

function parsed<T extends z.ZodType>(text: string, schema: T): z.output<T> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
