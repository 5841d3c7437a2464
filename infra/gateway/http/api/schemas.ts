/** Bodies that the API takes. */
import { z } from 'zod';
import { gridSchema } from '../../../kernel/grid.ts';
import { broadcastIdSchema, ladderSchema, sourceSchema } from '../../../kernel/wire.ts';

/** `POST /api/v1/broadcasts`: what is left out is the configuration's. */
export const createBroadcastSchema = z.strictObject({
  id: broadcastIdSchema,
  source: sourceSchema
    .optional()
    .describe('Where its picture comes from; the streamer of the same name where left out.'),
  ladder: ladderSchema.optional(),
  grid: gridSchema.optional(),
});

/** Bodies of requests whose path says everything. */
export const emptySchema = z.strictObject({});
