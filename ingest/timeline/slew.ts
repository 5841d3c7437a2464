/** How a track's offset follows its target: never a step, and not at all while it is near. Pure. */
import type { AccessUnit } from '../../infra/kernel/media.ts';
import { timescaleOf } from './sourceMapping.ts';

/** Whether an offset is on its way to the target. */
export type SlewState = { isSlewing: boolean };

/** Most that an offset moves per unit (architecture §2). */
const MAX_SLEW_MS_PER_UNIT = 1;
/** Most that an offset moves per elapsed media time, so that both tracks move together. */
const MAX_SLEW_RATIO = 0.02;
/**
 * An error is followed once it is larger than this, down to `CLOSE_ENOUGH_MS`: between, units keep
 * their exact distance (audio end to end, video at the source's frame rate).
 */
const FOLLOW_BEYOND_MS = { video: 4, audio: 10 } as const;
const CLOSE_ENOUGH_MS = 1;

/**
 * Ticks by which the offset moves with this unit.
 *
 * @param error target minus offset in ticks
 * @param elapsed RTP ticks since the unit before
 */
export function slewTicks(
  state: SlewState,
  error: number,
  elapsed: number,
  kind: AccessUnit['kind'],
): number {
  const ticksPerMs = timescaleOf(kind) / 1000;
  const threshold = state.isSlewing ? CLOSE_ENOUGH_MS : FOLLOW_BEYOND_MS[kind];
  state.isSlewing = Math.abs(error) > threshold * ticksPerMs;
  if (!state.isSlewing) {
    return 0;
  }
  const limit = Math.floor(
    Math.min(MAX_SLEW_MS_PER_UNIT * ticksPerMs, Math.max(0, elapsed) * MAX_SLEW_RATIO),
  );
  return Math.max(-limit, Math.min(limit, error));
}
