/**
 * Integer media time on the UTC-locked timeline and the grid of segments, parts and chunks.
 * Pure arithmetic: nothing here reads a clock (broadcastClock.ts does, through functions it is
 * given). Float seconds exist only as text, made by `formatSeconds`.
 */

declare const ticksBrand: unique symbol;
declare const unixMsBrand: unique symbol;

/** Media time in units of a timescale since 1970-01-01T00:00:00Z; an integer below 2^53. */
export type Ticks = number & { readonly [ticksBrand]: true };

/** Wall time in milliseconds since 1970-01-01T00:00:00Z; may carry a fraction. */
export type UnixMs = number & { readonly [unixMsBrand]: true };

/** Ticks per second of every video track (RTP's 90 kHz clock, RFC 6184 §5.1). */
export const VIDEO_TIMESCALE = 90_000;

/** Ticks per second of every audio track (Opus and AAC at 48 kHz). */
export const AUDIO_TIMESCALE = 48_000;

/** Brands an integer as ticks. Throws RangeError on anything that is not a safe integer. */
export function ticks(value: number): Ticks {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`ticks must be a safe integer (got ${value})`);
  }
  return value as Ticks;
}

/** Brands a finite number as Unix milliseconds. Throws RangeError otherwise. */
export function unixMs(value: number): UnixMs {
  if (!Number.isFinite(value)) {
    throw new RangeError(`Unix milliseconds must be finite (got ${value})`);
  }
  return value as UnixMs;
}

/** How `rescale` treats a result that is not whole. */
export type Rounding = 'floor' | 'ceil' | 'round';

/**
 * Rescales an integer from one timescale to another without leaving 2^53 on the way: the whole
 * seconds and the rest are scaled apart, so only the result has to fit.
 *
 * @param value integer in units of `from`
 * @param rounding 'round' is half up
 */
export function rescale(value: number, from: number, to: number, rounding: Rounding): Ticks {
  const whole = Math.floor(value / from);
  const scaledRest = (value - whole * from) * to;
  const quotient = Math.floor(scaledRest / from);
  const remainder = scaledRest - quotient * from;
  const carry =
    rounding === 'floor'
      ? 0
      : rounding === 'ceil'
        ? remainder > 0
          ? 1
          : 0
        : remainder * 2 >= from
          ? 1
          : 0;
  return ticks(whole * to + quotient + carry);
}

/** Ticks of a wall time, rounded half up to the nearest tick. */
export function ticksFromUnixMs(time: UnixMs, timescale: number): Ticks {
  const wholeMs = Math.floor(time);
  const fraction = Math.round((time - wholeMs) * 1000);
  return rescale(wholeMs * 1000 + fraction, 1_000_000, timescale, 'round');
}

/** Wall time of a tick count, to the microsecond. */
export function unixMsFromTicks(value: Ticks, timescale: number): UnixMs {
  return unixMs(rescale(value, timescale, 1_000_000, 'round') / 1000);
}

/** Seconds as text with six decimals, exact to the microsecond (EXTINF, EXT-X-PART DURATION). */
export function formatSeconds(value: number, timescale: number): string {
  const us = rescale(Math.abs(value), timescale, 1_000_000, 'round');
  const whole = Math.floor(us / 1_000_000);
  const text = `${whole}.${String(us - whole * 1_000_000).padStart(6, '0')}`;
  return value < 0 ? `-${text}` : text;
}

/** An instant as `2026-11-20T19:00:00.000Z`: EXT-X-PROGRAM-DATE-TIME, wallClockTime. */
export function formatIsoMs(value: Ticks, timescale: number): string {
  return new Date(rescale(value, timescale, 1000, 'round')).toISOString();
}
