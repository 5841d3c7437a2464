/** Reads the header of a publish into what a track is made with; refuses what is not of that track. */
import { createHash } from 'node:crypto';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { type Grid, gridTicks } from '../../infra/kernel/grid.ts';
import { parseInit, type TrackInit } from '../cmaf/index.ts';

/** The header of a track and the name that its hash gives it. */
export type TrackHeader = {
  /** `init-{hash}.mp4` */
  readonly uri: string;
  readonly bytes: Uint8Array;
  readonly init: TrackInit;
};

/**
 * @throws GatewayError `bad_init`: not a header, of another kind of track, or of a timescale that the
 *   grid is not whole in
 */
export function trackHeader(name: string, bytes: Uint8Array, { chunkMs }: Grid): TrackHeader {
  const init = parseInit(bytes);
  if ((init.kind === 'video') !== name.startsWith('v')) {
    throw new GatewayError('bad_init', `${init.kind} in track ${name}`, { subject: name });
  }
  if (
    !Number.isSafeInteger((chunkMs * init.timescale) / 1000) ||
    gridTicks(chunkMs, init.timescale) < 1
  ) {
    throw new GatewayError('bad_init', `timescale ${init.timescale} does not fit the grid`, {
      subject: name,
    });
  }
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { uri: `init-${hash}.mp4`, bytes, init };
}
