/**
 * What tracks of one broadcast owe each other: a track that falls behind gets GAP, and after a hole
 * that all had, playlists wait until all are past it. Tracks may come of encoders whose clocks differ
 * (publishSession.ts takes 30 s): one that is ahead of ours counts as if it were exact, so that
 * it is no measure for the others. Decides only; liveBroadcast.ts acts.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import type { UnixMs } from '../../infra/kernel/time.ts';
import type { LiveTrack } from './liveTrack.ts';

type Hole = { readonly resumedMs: number; sinceMs: UnixMs | undefined };

/** See the file header. */
export class Sisters {
  readonly #partMs: number;
  readonly #segmentMs: number;
  readonly #tracks: () => readonly LiveTrack[];
  readonly #nowMs: () => number;
  readonly #late = new Map<LiveTrack, { readonly msn: number; readonly sinceMs: UnixMs }>();
  #hole: Hole | undefined;

  /** @param nowMs the clock; without it media alone says how far a hole reaches */
  constructor(
    { partMs, segmentMs }: Pick<Grid, 'partMs' | 'segmentMs'>,
    tracks: () => readonly LiveTrack[],
    nowMs: () => number = () => Infinity,
  ) {
    this.#partMs = partMs;
    this.#segmentMs = segmentMs;
    this.#tracks = tracks;
    this.#nowMs = nowMs;
  }

  /** Playlists stay as they are. */
  get isHeld(): boolean {
    return this.#hole !== undefined;
  }

  /** Segment that the track that is furthest has reached, the clock at most. */
  leadMsn(nowMs: UnixMs): number {
    const furthest = Math.max(0, ...this.#tracks().map((track) => track.frontierMsn ?? 0));
    return Math.min(furthest, Math.floor(nowMs / this.#segmentMs));
  }

  /** Forgets all that it waited for. */
  clear(): void {
    this.#late.clear();
    this.#hole = undefined;
  }

  /**
   * Tracks that others have been a full segment ahead of for the length of a part: less would punish
   * tracks whose connections catch up one after the other.
   */
  late(nowMs: UnixMs): readonly LiveTrack[] {
    const lead = this.leadMsn(nowMs);
    return this.#tracks().filter((track) => {
      const msn = track.frontierMsn ?? lead;
      const late = this.#late.get(track);
      if (track.followed === undefined || msn + 2 > lead) {
        this.#late.delete(track);
      } else if (late?.msn !== msn) {
        this.#late.set(track, { msn, sinceMs: nowMs });
      } else if (nowMs - late.sinceMs >= this.#partMs) {
        this.#late.delete(track);
        return true;
      }
      return false;
    });
  }

  /** Whether a sample at `resumedMs` would end a hole that all tracks have. */
  endsHole(resumedMs: number): boolean {
    const frontiers = this.#tracks().flatMap((track) => track.frontierMs ?? []);
    return (
      this.#hole === undefined &&
      frontiers.length > 1 &&
      Math.min(resumedMs, this.#nowMs()) - Math.max(...frontiers) >= this.#partMs
    );
  }

  /** Holds playlists: a track went on at `resumedMs` behind a hole. */
  hold(resumedMs: number): void {
    this.#hole = { resumedMs: Math.min(resumedMs, this.#nowMs()), sinceMs: undefined };
  }

  /**
   * Ends the hold where every track is within a part of where the first went on, or where the others
   * had the length of a part for it.
   *
   * @param nowMs absent where no time has passed
   * @returns tracks that are overdue, none where all have caught up; undefined where the hold goes on
   *   or there was none
   */
  release(nowMs?: UnixMs): readonly LiveTrack[] | undefined {
    const hole = this.#hole;
    if (hole === undefined) {
      return undefined;
    }
    const from = hole.resumedMs - this.#partMs;
    const overdue = this.#tracks().filter(({ frontierMs }) => (frontierMs ?? from) < from);
    hole.sinceMs ??= nowMs;
    const heldMs = nowMs === undefined || hole.sinceMs === undefined ? 0 : nowMs - hole.sinceMs;
    if (overdue.length > 0 && heldMs < this.#partMs) {
      return undefined;
    }
    this.#hole = undefined;
    return overdue;
  }
}
