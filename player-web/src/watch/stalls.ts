/**
 * Counts stalls: spans in which playback should have advanced and did not. Pure: it is told where
 * playback stands a few times per second and does not believe the media element's events, which
 * miss a starved decoder and fire for seeks.
 */

/** Where playback stands at an instant. */
export type PlaybackSample = {
  /** Monotonic (ms). */
  readonly atMs: number;
  /** `currentTime` (s). */
  readonly positionS: number;
  /** The viewer paused, or playback has not been allowed to start. */
  readonly isPaused: boolean;
  /** A seek is under way, or the player was just rebuilt: position says nothing. */
  readonly isSeeking: boolean;
};

/** What has been counted so far. */
export type StallState = {
  /** Stalls that reached `MIN_STALL_MS`, the open one with them. */
  readonly stalls: number;
  /** Time spent in them (ms), up to the last sample. */
  readonly stalledMs: number;
  /** Playback has advanced at least once; what comes before is start-up, not a stall. */
  readonly hasStarted: boolean;
  readonly isStalled: boolean;
  /** When playback last advanced (monotonic ms). */
  readonly lastProgressMs: number | undefined;
  /** Time in stalls that are over (ms). */
  readonly closedMs: number;
  readonly positionS: number | undefined;
};

/** Shorter than this a viewer does not see, and a late sample looks like it (ms). */
export const MIN_STALL_MS = 250;

/** Nothing seen yet. */
export const NO_STALLS: StallState = {
  stalls: 0,
  stalledMs: 0,
  hasStarted: false,
  isStalled: false,
  lastProgressMs: undefined,
  closedMs: 0,
  positionS: undefined,
};

/** The state after one more sample. Samples come in order of time. */
export function countStall(state: StallState, sample: PlaybackSample): StallState {
  if (sample.isPaused) {
    return close(state, sample, sample.atMs);
  }
  if (sample.isSeeking || state.positionS === undefined) {
    return grow({ ...state, positionS: sample.positionS }, sample);
  }
  if (sample.positionS === state.positionS) {
    return grow(state, sample);
  }
  return { ...close(state, sample, sample.atMs), hasStarted: true };
}

function grow(state: StallState, sample: PlaybackSample): StallState {
  const sinceMs = state.lastProgressMs ?? sample.atMs;
  const spanMs = sample.atMs - sinceMs;
  const next = { ...state, lastProgressMs: sinceMs };
  if (!state.hasStarted || spanMs < MIN_STALL_MS) {
    return next;
  }
  return {
    ...next,
    isStalled: true,
    stalls: state.isStalled ? state.stalls : state.stalls + 1,
    stalledMs: state.closedMs + spanMs,
  };
}

function close(state: StallState, sample: PlaybackSample, atMs: number): StallState {
  const closedMs =
    state.isStalled && state.lastProgressMs !== undefined
      ? state.closedMs + (atMs - state.lastProgressMs)
      : state.closedMs;
  return {
    ...state,
    isStalled: false,
    closedMs,
    stalledMs: closedMs,
    lastProgressMs: atMs,
    positionS: sample.positionS,
  };
}
