/** What each living worker says of itself (lease in Redis, renewed each second). */
import { z } from 'zod';
import { ENCODER_CLASSES } from './encoders.ts';
import { transcodeStatusSchema } from './wire.ts';

/** A worker's report. */
export const workerReportSchema = z.object({
  instance: z.string(),
  host: z.string(),
  isStopping: z.boolean().optional().describe('It takes no more jobs.'),
  encoders: z.array(
    z.object({
      class: z.enum(ENCODER_CLASSES),
      name: z.string(),
      reason: z.string(),
      capacity: z.int().describe('Jobs at once when all is well.'),
      capacityReason: z.string(),
      limit: z.int().describe('Jobs at once now: fewer after a fault of the encoder.'),
      limitReason: z.string().optional(),
      running: z.int(),
    }),
  ),
  jobs: z.array(
    z.object({
      id: z.string(),
      broadcast: z.string(),
      class: z.enum(ENCODER_CLASSES),
      startedMs: z.number(),
      status: transcodeStatusSchema.optional(),
    }),
  ),
});

/** A worker's report. */
export type WorkerReport = Readonly<z.output<typeof workerReportSchema>>;
