/** What a run of faults came to, from what was seen at the origins and on the page. Pure. */
import { MIN_SPAN_MS, type PageSeen, type Span } from './pageWatch.ts';
import type { SegmentSeen } from './segmentWatch.ts';

/** A fault as it was done: when (Unix ms), and to whom. */
export type Strike = { readonly atMs: number; readonly text: string };

/** What one origin had of one track. */
export type TrackSeen = {
  readonly origin: string;
  readonly track: string;
  readonly kind: 'video' | 'audio';
  readonly segmentMs: number;
  readonly segments: readonly SegmentSeen[];
};

/** Samples of a second. */
export type Rates = { readonly fps: number };

/** Figures of a run. Counts of segments are over all origins and tracks. */
export type Figures = {
  readonly segments: number;
  /** Not to be had, nor listed as a gap: a hole that players are not told of. */
  readonly missing: number;
  /** Listed as a gap, whole or in part. */
  readonly gaps: number;
  /** With fewer samples than the grid has. */
  readonly short: number;
  /** Gaps and short ones outside of what nobody encoded. */
  readonly needless: number;
  /** Compared between origins, and unlike. */
  readonly compared: number;
  readonly unlike: number;
  /** Read again later, and changed. */
  readonly readAgain: number;
  readonly changed: number;
  readonly stalls: readonly Span[];
  readonly freezes: readonly Span[];
  readonly skippedMs: number;
  /** Of each strike: until the first new media, 0 where none was waited for. */
  readonly recoveriesMs: readonly number[];
  /** Of each strike: the longest time without new media around it. */
  readonly silencesMs: readonly number[];
};

/** Chunks come each 100 ms; a silence beyond this is one. */
const SILENCE_MS = 450;
/** What a worker holds is lost with it: a gap may begin this much before the strike. */
const IN_FLIGHT_MS = 1000;

/**
 * The figures.
 *
 * @param strikes in order of time; each is looked at until the next, the last until `endMs`
 */
export function figuresOf(
  tracks: readonly TrackSeen[],
  page: Pick<PageSeen, 'stalls' | 'freezes' | 'skips'> | undefined,
  strikes: readonly Strike[],
  rates: Rates,
  endMs: number,
): Figures {
  const all = tracks.flatMap((track) =>
    wholeRange(track, endMs).map((segment) => ({ track, segment })),
  );
  const silences = strikes.map((strike, index) =>
    longest(
      tracks
        .filter(({ kind }) => kind === 'video')
        .map((track) => silenceAfter(track, strike.atMs, strikes[index + 1]?.atMs ?? endMs)),
    ),
  );
  const isShort = ({ track, segment }: (typeof all)[number]): boolean =>
    segment.digest !== undefined &&
    !segment.isGap &&
    segment.samples < expected(track, segment.msn, rates);
  const short = all.filter(isShort);
  const gaps = all.filter(({ segment }) => segment.isGap);
  const isExcused = ({ track: { segmentMs }, segment: { msn } }: (typeof all)[number]): boolean =>
    strikes.some(
      ({ atMs }, index) =>
        (msn + 1) * segmentMs > atMs - IN_FLIGHT_MS &&
        msn * segmentMs < (silences[index]?.untilMs ?? 0),
    );
  const pairs = pairsOf(all);
  return {
    segments: all.length,
    missing: all.filter(({ segment }) => segment.digest === undefined && !segment.isGap).length,
    ...{ gaps: gaps.length, short: short.length },
    needless: [...gaps, ...short].filter((one) => !isExcused(one)).length,
    compared: pairs.length,
    unlike: pairs.filter(([a, b]) => a !== b).length,
    readAgain: all.filter(({ segment }) => segment.isReadAgain).length,
    changed: all.filter(({ segment }) => segment.isChanged).length,
    stalls: (page?.stalls ?? []).filter(({ lengthMs }) => lengthMs >= MIN_SPAN_MS),
    freezes: page?.freezes ?? [],
    skippedMs: (page?.skips ?? []).reduce((sum, { lengthMs }) => sum + lengthMs, 0),
    recoveriesMs: strikes.map(({ atMs }, index) => {
      const { lengthMs, untilMs } = silences[index] ?? { lengthMs: 0, untilMs: atMs };
      return lengthMs < SILENCE_MS ? 0 : untilMs - atMs;
    }),
    silencesMs: silences.map(({ lengthMs }) => lengthMs),
  };
}

type Silence = { readonly lengthMs: number; readonly untilMs: number };

function longest(silences: readonly Silence[]): Silence {
  return silences.reduce((one, other) => (other.lengthMs > one.lengthMs ? other : one), {
    lengthMs: 0,
    untilMs: 0,
  });
}

/** The longest time without a new piece that ends after `atMs`; one that does not end, ends with the look. */
function silenceAfter({ segments }: TrackSeen, atMs: number, untilMs: number): Silence {
  const pieces = segments
    .filter(({ isGap, piecesMs }) => !isGap || piecesMs.length > 1)
    .flatMap(({ piecesMs }) => piecesMs)
    .sort((a, b) => a - b);
  const before = pieces.findLast((at) => at <= atMs) ?? atMs;
  const after = pieces.filter((at) => at > atMs && at <= untilMs);
  return longest(
    [...after, untilMs].map((at, index) => ({
      lengthMs: at - (index === 0 ? before : (after[index - 1] ?? at)),
      untilMs: at,
    })),
  );
}

/** Every segment from the first that was read to the last that was over by `endMs`. */
function wholeRange({ segments, segmentMs }: TrackSeen, endMs: number): SegmentSeen[] {
  const first = segments[0]?.msn ?? 0;
  const last = Math.floor(endMs / segmentMs) - 2;
  const byMsn = new Map(segments.map((segment) => [segment.msn, segment]));
  return Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, index): SegmentSeen =>
      byMsn.get(first + index) ?? {
        ...{ msn: first + index, piecesMs: [], digest: undefined, samples: 0 },
        ...{ isGap: false, isChanged: false, isReadAgain: false },
      },
  );
}

/** Samples of a whole segment (architecture §2: whole AAC frames by the floor rule). */
function expected({ kind, segmentMs }: TrackSeen, msn: number, { fps }: Rates): number {
  if (kind === 'video') {
    return (segmentMs * fps) / 1000;
  }
  const firstOf = (number: number): number => Math.ceil((number * segmentMs * 48) / 1024);
  return firstOf(msn + 1) - firstOf(msn);
}

/** Digests of the same segment of the same track at two origins. */
function pairsOf(
  all: readonly { readonly track: TrackSeen; readonly segment: SegmentSeen }[],
): (readonly [string, string])[] {
  const first = new Map<string, string>();
  const pairs: (readonly [string, string])[] = [];
  for (const { track, segment } of all) {
    const key = `${track.track} ${segment.msn}`;
    const other = first.get(key);
    if (segment.digest === undefined) {
      continue;
    }
    if (other === undefined) {
      first.set(key, segment.digest);
    } else {
      pairs.push([other, segment.digest]);
    }
  }
  return pairs;
}
