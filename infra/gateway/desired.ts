/**
 * Changes of what is desired: broadcasts are made, stopped, started again and taken away here, by
 * the API and by streamers alike. Writes Redis only; the controller and the roles follow.
 */
import type { RedisDirectory } from './directory.ts';
import type { Grid } from '../kernel/grid.ts';
import { fitLadder, type LadderWish, resolveLadder } from '../kernel/ladder.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Broadcast, Ladder } from '../kernel/wire.ts';

/** What came of a change: refusals are answers, not faults. */
export type Change =
  | { readonly kind: 'done'; readonly broadcast: Broadcast }
  | { readonly kind: 'unknown' }
  /** It is not in a state that allows this. */
  | { readonly kind: 'conflict'; readonly reason: string }
  /** There are as many as there may be. */
  | { readonly kind: 'full'; readonly reason: string };

/** What a broadcast is made of; the rest are defaults of the configuration. */
export type Wish = {
  readonly id: string;
  readonly source?: Broadcast['source'] | undefined;
  /** A preset's frame rate counts where no grid is wished with it. */
  readonly ladder?: LadderWish | undefined;
  readonly grid?: Grid | undefined;
  /** Null where it is not known, whatever was said before. */
  readonly sourceHeight?: number | null | undefined;
  readonly redundancy?: Broadcast['redundancy'] | undefined;
};

/** What a broadcast is to be instead; the rest stays. */
export type Amendment = Omit<Wish, 'id'>;

/** The changes. Of two of one broadcast at the same instant the later is made of the earlier. */
export type DesiredBroadcasts = {
  create(wish: Wish): Promise<Change>;
  /**
   * Changes one. Another source, source height, ladder or grid makes what runs run anew: the caller
   * has made sure that nobody watches. Redundancy changes under its viewers.
   */
  patch(id: string, amendment: Amendment): Promise<Change>;
  /** Asks for the end; one that has ended stays so. */
  stop(id: string): Promise<Change>;
  /**
   * Its source is `height` pixels high in run `run`: rungs above that are left out, or come back.
   * Changes nothing where it has another run by now, is declared or measured higher already.
   */
  measured(id: string, run: number, height: number): Promise<Change>;
  /** Starts one that was stopped; one that runs goes on. It is measured anew. */
  start(id: string): Promise<Change>;
  /** Forgets one; the caller has made sure that nobody publishes it. */
  remove(id: string): Promise<Change>;
};

/** What the changes work on. */
export type DesiredDeps = {
  readonly directory: Pick<
    RedisDirectory,
    | 'broadcast'
    | 'broadcasts'
    | 'addBroadcast'
    | 'changeBroadcast'
    | 'saveBroadcast'
    | 'removeBroadcast'
  >;
  readonly nowMs: () => number;
  readonly maxBroadcasts: number;
  readonly ladder: Ladder;
  readonly grid: Grid;
  readonly sourceHeight?: number | undefined;
  readonly redundancy: Broadcast['redundancy'];
  readonly logger: Pick<Logger, 'info'>;
};

/** Those that ended are kept until they are deleted, up to this many in all. */
const MAX_KEPT = 1000;

/** Whether its end was asked for. */
export function isEnded(broadcast: Pick<Broadcast, 'endedMs'>): boolean {
  return broadcast.endedMs !== undefined;
}

/** Tells one run of a broadcast from the next: another start is another run (Unix ms). */
export function runOf({
  createdMs,
  startedMs,
}: Pick<Broadcast, 'createdMs' | 'startedMs'>): number {
  return startedMs ?? createdMs;
}

type Encoding = Pick<
  Broadcast,
  'ladder' | 'wholeLadder' | 'sourceHeight' | 'measuredHeight' | 'grid'
>;
type Encoded = Omit<Encoding, 'sourceHeight'> & { readonly sourceHeight?: number | undefined };

/** What is encoded, as wished, the rest as it is now. */
function encodingOf(wish: Pick<Wish, 'ladder' | 'grid' | 'sourceHeight'>, now: Encoded): Encoding {
  const whole = wish.ladder ?? now.wholeLadder ?? now.ladder;
  const { ladder, grid } = resolveLadder(whole, now.grid);
  const { sourceHeight = now.sourceHeight } = wish;
  return {
    ...fitted(ladder, sourceHeight ?? now.measuredHeight),
    ...(sourceHeight == null ? {} : { sourceHeight }),
    ...(now.measuredHeight === undefined ? {} : { measuredHeight: now.measuredHeight }),
    grid: wish.grid ?? grid,
  };
}

/** What is encoded of a ladder, and all of it where that is not the same. */
function fitted(
  whole: Ladder,
  height: number | undefined,
): Pick<Broadcast, 'ladder' | 'wholeLadder'> {
  const ladder = fitLadder(whole, height);
  return ladder.video.length === whole.video.length ? { ladder } : { ladder, wholeLadder: whole };
}

/** The same broadcast with a source of which it is known how high it is. */
function withMeasured(known: Broadcast, run: number, height: number): Broadcast {
  const { ladder, wholeLadder = ladder, ...rest } = known;
  const isNews =
    !isEnded(known) &&
    runOf(known) === run &&
    known.sourceHeight === undefined &&
    height > (known.measuredHeight ?? 0);
  return isNews ? { ...rest, ...fitted(wholeLadder, height), measuredHeight: height } : known;
}

/** Another run is measured anew. */
function unmeasured(known: Broadcast): Broadcast {
  return { ...known, measuredHeight: undefined };
}

/** Which rungs are not encoded since they are above the source, and why; undefined where none is. */
export function leftOutOf({
  ladder,
  wholeLadder,
  sourceHeight,
  measuredHeight,
}: Encoding): { readonly tracks: readonly string[]; readonly reason: string } | undefined {
  const kept = new Set(ladder.video.map(({ name }) => name));
  const tracks = (wholeLadder?.video ?? []).flatMap(({ name }) => (kept.has(name) ? [] : [name]));
  const height = sourceHeight ?? measuredHeight;
  if (tracks.length === 0 || height === undefined) {
    return undefined;
  }
  const how = sourceHeight === undefined ? 'is' : 'is declared to be';
  return { tracks, reason: `above the source, which ${how} ${height} pixels high` };
}

/** Whether more changes than what viewers do not see. */
export function isReshaped({ source, sourceHeight, ladder, grid }: Amendment): boolean {
  return [source, sourceHeight, ladder, grid].some((part) => part !== undefined);
}

/** The changes on a directory. */
export function desiredBroadcasts(deps: DesiredDeps): DesiredBroadcasts {
  const { directory } = deps;
  const now = (): number => Math.round(deps.nowMs());

  const refusal = async (id: string): Promise<Change | undefined> => {
    const others = (await directory.broadcasts()).filter((broadcast) => broadcast.id !== id);
    const running = others.filter((broadcast) => !isEnded(broadcast)).length;
    if (running >= deps.maxBroadcasts) {
      return { kind: 'full', reason: `${running} broadcasts run; maxBroadcasts allows no more` };
    }
    return others.length < MAX_KEPT
      ? undefined
      : { kind: 'full', reason: `${MAX_KEPT} broadcasts are kept; delete some that have ended` };
  };
  const sayLeftOut = (broadcast: Broadcast): void => {
    const leftOut = leftOutOf(broadcast);
    if (leftOut !== undefined) {
      deps.logger.info({ broadcast: broadcast.id, ...leftOut }, 'rungs are left out');
    }
  };
  const change = async (id: string, make: (known: Broadcast) => Broadcast): Promise<Change> => {
    const broadcast = await directory.changeBroadcast(id, make);
    return broadcast === undefined ? { kind: 'unknown' } : { kind: 'done', broadcast };
  };

  return {
    async create(wish) {
      const source = wish.source ?? { kind: 'pixel-streaming', streamerId: wish.id };
      // Who encodes elsewhere has rungs, not a picture that the configuration could know of.
      const sourceHeight = source.kind === 'publish' ? undefined : deps.sourceHeight;
      const broadcast: Broadcast = {
        ...{ id: wish.id, source },
        ...encodingOf(wish, { ...deps, sourceHeight }),
        redundancy: wish.redundancy ?? deps.redundancy,
        createdMs: now(),
      };
      const refused = await refusal(wish.id);
      if (refused !== undefined) {
        return refused;
      }
      if (await directory.addBroadcast(broadcast)) {
        sayLeftOut(broadcast);
        return { kind: 'done', broadcast };
      }
      const known = await directory.broadcast(wish.id);
      if (known !== undefined && !isEnded(known)) {
        return {
          kind: 'conflict',
          reason: `broadcast '${wish.id}' exists and runs; stop it first`,
        };
      }
      await directory.saveBroadcast(broadcast);
      sayLeftOut(broadcast);
      return { kind: 'done', broadcast };
    },
    async patch(id, amendment) {
      const { source, redundancy } = amendment;
      const changed = await change(id, (known) => {
        const { createdMs, startedMs, endedMs } = known;
        return {
          ...{ id, createdMs, source: source ?? known.source },
          ...encodingOf(amendment, isReshaped(amendment) ? unmeasured(known) : known),
          redundancy: redundancy ?? known.redundancy,
          ...(startedMs === undefined ? {} : { startedMs }),
          ...(endedMs === undefined ? {} : { endedMs }),
          // Jobs carry what they were made for: those of another run are over.
          ...(isEnded(known) || !isReshaped(amendment)
            ? {}
            : { startedMs: Math.max(now(), runOf(known) + 1) }),
        };
      });
      if (changed.kind === 'done' && isReshaped(amendment)) {
        sayLeftOut(changed.broadcast);
      }
      return changed;
    },
    // The instants of one broadcast only grow, whatever the clock says: their order is its state.
    stop: (id) =>
      change(id, (known) =>
        isEnded(known) ? known : { ...known, endedMs: Math.max(now(), runOf(known) + 1) },
      ),
    async measured(id, run, height) {
      const before = await directory.broadcast(id);
      const changed = await change(id, (known) => withMeasured(known, run, height));
      if (changed.kind === 'done' && changed.broadcast.measuredHeight !== before?.measuredHeight) {
        sayLeftOut(changed.broadcast);
      }
      return changed;
    },
    async start(id) {
      const refused = await refusal(id);
      return (
        refused ??
        change(id, (known) => {
          const { endedMs, ...rest } = known;
          return endedMs === undefined
            ? known
            : { ...unmeasured(rest), startedMs: Math.max(now(), endedMs + 1) };
        })
      );
    },
    async remove(id) {
      const broadcast = await directory.broadcast(id);
      if (broadcast === undefined) {
        return { kind: 'unknown' };
      }
      await directory.removeBroadcast(id);
      return { kind: 'done', broadcast };
    },
  };
}
