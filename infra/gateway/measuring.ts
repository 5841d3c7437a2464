/**
 * How high the source of a broadcast is, where nobody has declared it: the ladder has no rung above
 * it (architecture §1). A WebRTC source begins small, sinks while its link is bad and grows with the
 * presenter's window, so what was measured only grows, within a run. Pure: time comes in.
 */
import { isEnded, runOf } from './desired.ts';
import { fitLadder } from '../kernel/ladder.ts';
import { type Broadcast, parseEpoch, type TranscodeStatus } from '../kernel/wire.ts';

/** A height counts once it has held for this long. */
const SETTLE_MS = 2000;
/** A source that does not settle, or comes and goes, is begun with the highest of its pictures. */
const PATIENCE_MS = 6000;

type Look = {
  readonly run: number;
  readonly firstMs: number;
  /** Height of the newest picture, 0 where there is none, and since when it is that. */
  height: number;
  sinceMs: number;
  highest: number;
};

/** Whether its ladder is held to a source that is measured. */
export function isMeasurable({
  source,
  sourceHeight,
  ladder,
  wholeLadder = ladder,
}: Broadcast): boolean {
  return (
    source.kind !== 'publish' &&
    sourceHeight === undefined &&
    fitLadder(wholeLadder, 0).video.length < wholeLadder.video.length
  );
}

/** Whether it is known what is to be encoded: before that no job is made. */
export function isMeasured(broadcast: Broadcast): boolean {
  return broadcast.measuredHeight !== undefined || !isMeasurable(broadcast);
}

/**
 * How high a picture counts: rungs that are no wider than it would not enlarge it either, since it is
 * fitted in; of an ultra-wide window they are higher than it.
 */
export function heightOf(
  { ladder, wholeLadder = ladder }: Pick<Broadcast, 'ladder' | 'wholeLadder'>,
  {
    width = 0,
    height,
  }: { readonly width?: number | undefined; readonly height?: number | undefined },
): number | undefined {
  const filled = wholeLadder.video.filter((rung) => rung.width <= width);
  return height && Math.max(height, ...filled.map((rung) => rung.height));
}

/** See the file header. One for all broadcasts. */
export class Measuring {
  readonly #looks = new Map<string, Look>();

  /**
   * @param height of the newest picture (`heightOf`); undefined where there is none
   * @param encoders what its encoders said last
   * @returns the height that the ladder is to be held to from now on, where that is another
   */
  judge(
    broadcast: Broadcast,
    height: number | undefined,
    encoders: ReadonlyMap<string, Pick<TranscodeStatus, 'epoch'>>,
    nowMs: number,
  ): number | undefined {
    const { id, ladder, wholeLadder = ladder, measuredHeight } = broadcast;
    if (isEnded(broadcast) || !isMeasurable(broadcast)) {
      this.#looks.delete(id);
      return undefined;
    }
    if (height === undefined) {
      return this.#without(broadcast, nowMs);
    }
    const rungs = wholeLadder.video.map((rung) => rung.height);
    if (measuredHeight === undefined) {
      // Written down by nobody, and encoded: by a Redis that lost it. No rung is taken away.
      const encoded = isEncoded(broadcast, encoders)
        ? Math.max(...ladder.video.map((rung) => rung.height))
        : 0;
      const known = Math.max(height, encoded);
      return encoded > 0 || height >= Math.max(...rungs)
        ? known
        : this.#settled(broadcast, height, nowMs);
    }
    if (!rungs.some((rung) => rung > measuredHeight && rung <= height)) {
      this.#looks.delete(id);
      return undefined;
    }
    return this.#settled(broadcast, height, nowMs);
  }

  /** Forgets those that are not desired any more. */
  keepOnly(ids: readonly string[]): void {
    for (const id of this.#looks.keys()) {
      if (!ids.includes(id)) {
        this.#looks.delete(id);
      }
    }
  }

  /** No picture now. What grows has to hold; what nobody has seen yet does not wait for ever. */
  #without(broadcast: Broadcast, nowMs: number): number | undefined {
    const { id, measuredHeight } = broadcast;
    const known = this.#looks.get(id);
    if (known === undefined) {
      return undefined;
    }
    const isNew = measuredHeight === undefined && known.run === runOf(broadcast);
    const isOver = nowMs - known.firstMs >= PATIENCE_MS;
    if (!isNew || isOver) {
      this.#looks.delete(id);
    }
    known.height = 0;
    return isNew && isOver ? known.highest : undefined;
  }

  #settled(broadcast: Broadcast, height: number, nowMs: number): number | undefined {
    const { id } = broadcast;
    const run = runOf(broadcast);
    const known = this.#looks.get(id);
    if (known?.run !== run) {
      this.#looks.set(id, { run, firstMs: nowMs, height, sinceMs: nowMs, highest: height });
      return undefined;
    }
    known.highest = Math.max(known.highest, height);
    if (height !== known.height) {
      known.height = height;
      known.sinceMs = nowMs;
    }
    const settled =
      nowMs - known.sinceMs >= SETTLE_MS
        ? height
        : nowMs - known.firstMs >= PATIENCE_MS
          ? known.highest
          : undefined;
    if (settled !== undefined) {
      this.#looks.delete(id);
    }
    return settled;
  }
}

/** Whether this run is encoded: what an encoder of the run before said last is leased for a while. */
function isEncoded(
  broadcast: Broadcast,
  encoders: ReadonlyMap<string, Pick<TranscodeStatus, 'epoch'>>,
): boolean {
  return [...encoders.values()].some(
    ({ epoch }) => (parseEpoch(epoch)?.timestamp ?? 0) >= runOf(broadcast),
  );
}
