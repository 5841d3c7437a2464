/** Durations as people type them: `8h`, `1h30m`, `45s`. */
import { GatewayError } from '../../infra/kernel/errors.ts';

const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const FORM =
  /^(?=\d)(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?$/;

/**
 * Milliseconds of a duration: days, hours, minutes, seconds, milliseconds, in that order.
 *
 * @throws GatewayError `bad_request` on any other text
 */
export function parseDurationMs(text: string): number {
  const match = FORM.exec(text);
  if (match === null) {
    throw new GatewayError(
      'bad_request',
      `a duration is like 8h, 1h30m or 45s (got ${JSON.stringify(text.slice(0, 40))})`,
    );
  }
  const [, ...counts] = match as unknown as (string | undefined)[];
  return Object.values(UNIT_MS).reduce(
    (sum, unitMs, index) => sum + unitMs * Number(counts[index] ?? 0),
    0,
  );
}
