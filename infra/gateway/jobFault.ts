/** What is remembered of a job that failed, so that it ends in a clear state and is not tried for ever. Pure. */
import type { EncoderClass } from '../kernel/encoders.ts';
import { errorText, GatewayError } from '../kernel/errors.ts';
import type { JobFault } from './workerBoard.ts';

const FIRST_HOLD_MS = 1000;
const MAX_HOLD_MS = 120_000;
/** An encoder that fails is no fault of the job: this many others are tried at once. */
const FREE_MOVES = 2;
const MAX_REASON_CHARACTERS = 500;

/** A stable name of what went wrong, for metrics. */
export function faultCode(error: unknown): string {
  return error instanceof GatewayError ? error.code : 'unexpected';
}

/**
 * The fault after `before`; undefined where another has taken the job over, which is none. A job
 * that fails is held back for longer each time, up to two minutes.
 */
export function nextFault(
  error: unknown,
  before: JobFault | undefined,
  encoderClass: EncoderClass,
  nowMs: number,
): JobFault | undefined {
  const code = faultCode(error);
  if (code === 'fenced') {
    return undefined;
  }
  const count = (before?.count ?? 0) + 1;
  const isEncoder = code === 'encoder_failed' || code === 'encoder_unsupported';
  const tries = isEncoder ? count - FREE_MOVES : count;
  const holdMs =
    tries <= 0 ? 0 : Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 3 ** Math.min(tries - 1, 9));
  const avoid = before?.avoid ?? [];
  return {
    reason: reasonOf(error),
    count,
    avoid:
      code === 'encoder_unsupported' && !avoid.includes(encoderClass)
        ? [...avoid, encoderClass]
        : avoid,
    untilMs: nowMs + holdMs,
  };
}

/** In a line. */
function reasonOf(error: unknown): string {
  return errorText(error)
    .replaceAll(/\s*\n\s*/g, ' | ')
    .slice(0, MAX_REASON_CHARACTERS);
}
