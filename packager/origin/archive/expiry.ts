/** Which media goes first when bytes run out. Pure. */
import type { Holding } from './holding.ts';
import type { Session } from './session.ts';

/** What is deleted next: everything of a session before a number, or all of it. */
export type Victim = {
  readonly holding: Holding;
  readonly session: Session;
  readonly beforeMsn?: number;
};

// A session that is being written keeps at least this: what a ring may not hold any more.
const MIN_SEGMENTS = 16;

/**
 * Recordings that have ended, the oldest end first; then what running broadcasts keep beyond their
 * DVR window, then the window itself: each time the oldest segment, in all of its tracks.
 *
 * @param onlySpare stops before the window
 */
export function nextVictim(
  holdings: Iterable<Holding>,
  windowMs: number,
  onlySpare: boolean,
): Victim | undefined {
  let best: Ranked | undefined;
  for (const holding of holdings) {
    for (const session of holding.sessions) {
      const ranked = rank(holding, session, windowMs);
      if (ranked !== undefined && !(onlySpare && ranked.rank === WINDOW)) {
        best = best === undefined || isBefore(ranked, best) ? ranked : best;
      }
    }
  }
  return best?.victim;
}

type Ranked = { readonly victim: Victim; readonly rank: number; readonly ms: number };

const ENDED = 0;
const SPARE = 1;
const WINDOW = 2;

function rank(holding: Holding, session: Session, windowMs: number): Ranked | undefined {
  const { oldestMsn, newestMsn } = session;
  if (oldestMsn === undefined || newestMsn === undefined) {
    return undefined;
  }
  if (!holding.isLive(session)) {
    return { victim: { holding, session }, rank: ENDED, ms: session.msOf(newestMsn) };
  }
  if (newestMsn - oldestMsn < MIN_SEGMENTS) {
    return undefined;
  }
  const isSpare = oldestMsn < (session.floorMsn(windowMs) ?? oldestMsn);
  return {
    victim: { holding, session, beforeMsn: oldestMsn + 1 },
    rank: isSpare ? SPARE : WINDOW,
    ms: session.msOf(oldestMsn),
  };
}

function isBefore(a: Ranked, b: Ranked): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.ms < b.ms);
}
