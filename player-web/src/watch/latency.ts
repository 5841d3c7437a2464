/**
 * Latency mathematics: from media time to UTC and from there to glass-to-glass latency. Pure.
 * Media time is UTC (architecture §2), so the latency of a frame is the instant it reaches the
 * glass minus the instant its own timestamp says.
 */

/** A segment of a playlist: where it starts in the player's time (s) and what UTC that is (ms). */
export type DatedSegment = {
  readonly startS: number;
  readonly durationS: number;
  readonly unixMs: number;
};

/**
 * UTC of a position in the player's own time, by the segment that holds it, else by the nearest
 * one (EXT-X-PROGRAM-DATE-TIME maps every instant of its segment, RFC 8216 §4.3.2.6).
 */
export function unixMsAt(segments: readonly DatedSegment[], positionS: number): number | undefined {
  let nearest: DatedSegment | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const segment of segments) {
    const beyondS = positionS - (segment.startS + segment.durationS);
    const distance = Math.max(segment.startS - positionS, beyondS, 0);
    if (distance <= nearestDistance) {
      nearest = segment;
      nearestDistance = distance;
    }
  }
  return nearest === undefined ? undefined : nearest.unixMs + (positionS - nearest.startS) * 1000;
}

/** The position (s) of an instant (Unix ms), at the nearest end of the playlist where it has none. */
export function positionAt(segments: readonly DatedSegment[], unixMs: number): number | undefined {
  let nearest: number | undefined;
  let nearestDistanceMs = Number.POSITIVE_INFINITY;
  for (const { startS, durationS, unixMs: startMs } of segments) {
    const intoMs = unixMs - startMs;
    const insideMs = Math.min(Math.max(intoMs, 0), durationS * 1000);
    const distanceMs = Math.abs(intoMs - insideMs);
    // At a boundary the later segment: its first frame is the one meant.
    if (distanceMs <= nearestDistanceMs) {
      nearest = startS + insideMs / 1000;
      nearestDistanceMs = distanceMs;
    }
  }
  return nearest;
}

/** The span that the segments cover; undefined where there are none. */
export function spanOf(
  segments: readonly DatedSegment[],
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const first = segments[0];
  const last = segments.at(-1);
  return first === undefined || last === undefined
    ? undefined
    : { fromMs: first.unixMs, toMs: last.unixMs + last.durationS * 1000 };
}

/** Values of the last while, in order of time; bounded. */
export type Series = readonly { readonly atMs: number; readonly value: number }[];

/** Adds a value and forgets those older than `windowMs`. */
export function addToSeries(series: Series, atMs: number, value: number, windowMs: number): Series {
  return [...series.filter((point) => atMs - point.atMs < windowMs), { atMs, value }];
}

/** The middle value of the last `windowMs`; undefined where there is none. */
export function medianOf(series: Series, nowMs: number, windowMs: number): number | undefined {
  const values = series
    .filter((point) => nowMs - point.atMs < windowMs)
    .map((point) => point.value)
    .sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)];
}

/** Closer to the live edge than the target by this, a player is one late part from a stall (ms). */
const TOO_CLOSE_MS = 250;
/** Close enough to the target to play at full speed again (ms). */
const BACK_IN_PLACE_MS = 50;

/**
 * Whether to play slower until the target is reached. After a hole hls.js goes on with the first
 * frames that arrive, nearer to the edge than it can hold, and has no slow-down of its own.
 *
 * @param wasTooClose the last answer (hysteresis)
 * @param targetMs 0 where there is none
 */
export function isTooClose(wasTooClose: boolean, latencyMs: number, targetMs: number): boolean {
  return latencyMs < targetMs - (wasTooClose ? BACK_IN_PLACE_MS : TOO_CLOSE_MS);
}

/** How far past its target a player may drift before it is taken to the live edge at once (ms). */
const JUMP_MARGIN_MS = 2500;
/** For how long it must have been there: a short spike mends itself by faster playback (ms). */
const JUMP_AFTER_MS = 4000;

/**
 * Whether playback has stayed so far behind that speeding up is hopeless. hls.js speeds up only
 * within one target duration of its target and would stay behind for ever (media-facts B.6).
 *
 * @param series latency in ms, at least the last 4 s
 */
export function shouldJumpToLive(series: Series, nowMs: number, targetMs: number): boolean {
  const limitMs = targetMs + JUMP_MARGIN_MS;
  const recent = series.filter((point) => nowMs - point.atMs < JUMP_AFTER_MS + 500);
  const first = recent[0];
  return (
    first !== undefined &&
    nowMs - first.atMs >= JUMP_AFTER_MS &&
    recent.every((point) => point.value > limitMs)
  );
}
