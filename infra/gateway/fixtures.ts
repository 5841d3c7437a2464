/** For tests: a broadcast of a streamer with the default ladder. */
import { gridSchema } from '../kernel/grid.ts';
import { type Broadcast, DEFAULT_LADDER } from '../kernel/wire.ts';

/** Of a source that nobody has declared or measured. */
export const DEMO_BROADCAST: Broadcast = {
  id: 'demo',
  source: { kind: 'pixel-streaming', streamerId: 'demo' },
  ladder: DEFAULT_LADDER,
  grid: gridSchema.parse({}),
  redundancy: 1,
  createdMs: 1000,
};
