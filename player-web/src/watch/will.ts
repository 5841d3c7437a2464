/** What the viewer wants of the media element, to play or to pause, and whether the browser lets it. */

/** The will of one viewer. */
export class Will {
  isPaused = false;
  /** The browser refused to start without a gesture. */
  isRefused = false;
  readonly #video: HTMLVideoElement;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    video.addEventListener('play', () => {
      this.isPaused = false;
    });
    // Started by a media key, where the page was refused.
    video.addEventListener('playing', () => {
      this.isRefused = false;
    });
  }

  /** Nothing is to be played now, or can be. */
  get isIdle(): boolean {
    return this.isPaused || this.isRefused;
  }

  play(): void {
    this.isPaused = false;
    this.#video.play().then(
      () => {
        this.isRefused = false;
      },
      (error: unknown) => {
        this.isRefused = error instanceof DOMException && error.name === 'NotAllowedError';
        if (this.isRefused && !this.#video.muted) {
          // A new player after a fault has no gesture behind it: rather silent than still.
          this.#video.muted = true;
          this.isRefused = false;
          this.play();
        }
      },
    );
  }
}
