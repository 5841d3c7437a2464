/** Watches a media element advance, and counts its stalls (stalls.ts); what was asked for is none. */
import { countStall, NO_STALLS, type StallState } from './stalls.ts';

/** A seek that takes longer than this counts as a stall (ms). */
const SEEK_MS = 5000;

/** The progress of one media element. */
export class Progress {
  stall: StallState = NO_STALLS;
  readonly #video: HTMLVideoElement;
  /** Sought, or another player: the position says nothing until the next sample. */
  #hasSought = false;
  /** The viewer's seek is given until then to be played (monotonic ms). */
  #seekUntilMs = 0;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    video.addEventListener('seeking', () => {
      this.#hasSought = true;
    });
  }

  /** The viewer goes elsewhere: the wait until that plays is no stall. */
  expectSeek(): void {
    this.#seekUntilMs = performance.now() + SEEK_MS;
  }

  /** Another player has the element. */
  disturb(): void {
    this.#hasSought = true;
  }

  /** Counts from nothing. */
  reset(): void {
    this.stall = NO_STALLS;
  }

  /**
   * Looks where playback is.
   *
   * @param isWanted it should advance: neither paused nor at its end
   * @returns how long it had made no progress before (ms), and whether a stall is over now
   */
  sample(
    nowMs: number,
    isWanted: boolean,
  ): { readonly stillForMs: number; readonly isBack: boolean } {
    const before = this.stall;
    const { currentTime, seeking } = this.#video;
    this.stall = countStall(before, {
      atMs: nowMs,
      positionS: currentTime,
      isPaused: !isWanted || nowMs < this.#seekUntilMs,
      isSeeking: seeking || this.#hasSought,
    });
    if (!seeking && !this.#hasSought && currentTime !== before.positionS) {
      this.#seekUntilMs = 0;
    }
    this.#hasSought = false;
    return {
      stillForMs: nowMs - (before.lastProgressMs ?? nowMs),
      isBack: before.isStalled && !this.stall.isStalled,
    };
  }
}
