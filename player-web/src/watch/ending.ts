/**
 * When a player that has played a broadcast to its end begins anew. Pure. The media ends before the
 * API says so, and the API may still say live of the run that is over.
 */
import type { BroadcastState } from '../lib/api.ts';

/** What is known of the end. */
export type Ending = {
  /** When the media played out (monotonic ms); undefined while it has not. */
  readonly playedOutAtMs: number | undefined;
  /** The API has said since that the run is over. */
  readonly isConfirmed: boolean;
};

/** It goes on. */
export const NOT_ENDED: Ending = { playedOutAtMs: undefined, isConfirmed: false };

/** An API that says live for this long after the end means another run (ms). */
const UNCONFIRMED_MS = 10_000;

/** The state after the API has spoken; `isAnew` where another run is live. */
export function hearApi(
  ending: Ending,
  api: BroadcastState | undefined,
  nowMs: number,
): { readonly ending: Ending; readonly isAnew: boolean } {
  const hasPlayedOut = ending.playedOutAtMs !== undefined;
  if (api !== 'live') {
    const isConfirmed =
      ending.isConfirmed || api === 'ended' || (hasPlayedOut && api !== undefined);
    return { ending: { ...ending, isConfirmed }, isAnew: false };
  }
  const isAnew = ending.isConfirmed || nowMs - (ending.playedOutAtMs ?? nowMs) > UNCONFIRMED_MS;
  return { ending: isAnew ? NOT_ENDED : ending, isAnew };
}
