/**
 * What to do when playback breaks: the one place that decides on retries, with back-off and
 * without a limit, since a live page goes on for as long as it is open. Pure; session.ts acts.
 */

/** What went wrong, in terms of what can be done about it. */
export type FaultKind =
  /** Requests of playlists or media fail although the player has retried itself. */
  | 'network'
  /** The decoder or a source buffer refused. */
  | 'media'
  /** The first manifest does not come: the broadcast is not there yet, or no more. */
  | 'manifest'
  /** The player has given up for another reason. */
  | 'other'
  /** No error, but no progress either while the broadcast is live. */
  | 'stuck';

/** What to do next, and in how long (ms). */
export type RecoveryAction = {
  readonly action: 'resumeLoading' | 'recoverMedia' | 'rebuild';
  readonly delayMs: number;
};

/** What the policy remembers between two faults. */
export type RecoveryState = {
  /** Attempts since playback last was steady. */
  readonly attempts: number;
  /** When media recovery was tried in the last while (monotonic ms). */
  readonly mediaRecoveries: readonly number[];
};

/** Nothing has gone wrong. */
export const HEALTHY: RecoveryState = { attempts: 0, mediaRecoveries: [] };

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 8000;
/** Rebuilds of stuck players are spread over this (ms). */
const STUCK_SPREAD_MS = 2000;
/** Two media recoveries within this, then a rebuild: a third would loop (hls.js API guide). */
const MEDIA_WINDOW_MS = 5000;
const MAX_MEDIA_RECOVERIES = 2;
/** Loading resumed this often in a row without playback: the player's state is not to be saved. */
const MAX_RESUMES = 3;

/**
 * Decides on one fault.
 *
 * @param random in [0, 1): spreads the retries of many viewers over ±20 %
 */
export function planRecovery(
  state: RecoveryState,
  fault: FaultKind,
  nowMs: number,
  random: number,
): { readonly state: RecoveryState; readonly next: RecoveryAction } {
  const mediaRecoveries = state.mediaRecoveries.filter((at) => nowMs - at < MEDIA_WINDOW_MS);
  const attempts = state.attempts + 1;
  const backOffMs =
    Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(state.attempts, 10)) *
    (0.8 + 0.4 * random);
  if (fault === 'media' && mediaRecoveries.length < MAX_MEDIA_RECOVERIES) {
    return {
      state: { attempts, mediaRecoveries: [...mediaRecoveries, nowMs] },
      next: { action: 'recoverMedia', delayMs: 0 },
    };
  }
  if (fault === 'network' && attempts <= MAX_RESUMES) {
    return {
      state: { attempts, mediaRecoveries },
      next: { action: 'resumeLoading', delayMs: backOffMs },
    };
  }
  // A stuck player has been given its time already; but a source that goes leaves the players of a
  // whole audience stuck in one instant.
  const delayMs = fault === 'stuck' ? STUCK_SPREAD_MS * random : backOffMs;
  return { state: { attempts, mediaRecoveries }, next: { action: 'rebuild', delayMs } };
}

const FIRST_PATIENCE_MS = 6000;
const MAX_PATIENCE_MS = 20_000;

/** How long a player may make no progress before it counts as stuck (ms): longer each time. */
export function patienceMs(attempts: number): number {
  return Math.min(MAX_PATIENCE_MS, FIRST_PATIENCE_MS + attempts * 2000);
}

/**
 * How much steady playback earns a return to the lowest latency after stalls have raised it (ms):
 * twice as much each time, so that a viewer whose network cannot hold it is left in peace.
 */
export function relaxAfterMs(relaxations: number): number {
  return Math.min(600_000, 20_000 * 2 ** Math.min(relaxations, 10));
}

/** After this much steady playback all is forgiven (ms). */
export const STEADY_AFTER_MS = 10_000;
