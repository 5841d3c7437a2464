/** Tells a hung encoder from a feed that says nothing. Pure: the time comes in. */

/** How long each side may be silent (ms). */
export type Patience = {
  readonly feedMs: number;
  /** Of a track of the encoder while the feed flows. */
  readonly outputMs: number;
};

/** A feed that was silent for this long has paused: the encoder cannot have anything to say. */
const PAUSE_MS = 250;

/** Hears what comes in and out of one encoder run. */
export class Silence {
  readonly #patience: Patience;
  readonly #lastOutputMs: Map<string, number>;
  #lastFeedMs: number;
  #resumedMs: number;
  /** The encoder does not read: the feed's silence is not its own. */
  isFeedHeld = false;

  /** @param expectedMs when every one of `tracks` is expected to have begun */
  constructor(tracks: readonly string[], nowMs: number, expectedMs: number, patience: Patience) {
    this.#patience = patience;
    this.#lastFeedMs = nowMs;
    this.#resumedMs = nowMs;
    this.#lastOutputMs = new Map(tracks.map((track) => [track, expectedMs]));
  }

  sawFeed(nowMs: number): void {
    if (!this.isFeedHeld && nowMs - this.#lastFeedMs > PAUSE_MS) {
      this.#resumedMs = nowMs;
    }
    this.#lastFeedMs = nowMs;
  }

  sawOutput(track: string, nowMs: number): void {
    this.#lastOutputMs.set(track, nowMs);
  }

  /** What has been silent for too long, or undefined. */
  fault(nowMs: number): string | undefined {
    const { feedMs, outputMs } = this.#patience;
    const feedSilentMs = this.isFeedHeld ? 0 : nowMs - this.#lastFeedMs;
    if (feedSilentMs > feedMs) {
      return `the feed has been silent for ${feedMs} ms`;
    }
    if (feedSilentMs > PAUSE_MS) {
      return undefined;
    }
    for (const [track, lastMs] of this.#lastOutputMs) {
      if (nowMs - Math.max(lastMs, this.#resumedMs) > outputMs) {
        return `ffmpeg has written nothing of ${track} for ${outputMs} ms`;
      }
    }
    return undefined;
  }
}
