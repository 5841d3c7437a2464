/** One request under /live, /vod or /time with what counts and watches its answer. */
import type { Drains } from './drains.ts';
import type { MediaRequest, MediaResponse } from './mediaHttp.ts';
import type { Tally } from './tally.ts';

/** A request that is being answered. */
export type Exchange = {
  readonly request: MediaRequest;
  readonly response: MediaResponse;
  /** What it asked for, as it is counted. */
  readonly kind: string;
  readonly tally: Tally;
  readonly drains: Drains;
};
