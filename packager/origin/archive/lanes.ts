/**
 * Work that is done behind the live path: each lane in order, a few lanes at a time, so that a disk
 * that hangs occupies a few threads and not all of the process's.
 */

const MAX_JOBS = 512;

/** Work of a lane; its faults are its own: it never rejects. */
export type LaneJob = () => Promise<void>;

/** See the file header. */
export class Lanes {
  readonly #ready: Lane[] = [];
  readonly #width: number;
  #running = 0;
  #onIdle: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  lane(): Lane {
    return new Lane((lane) => {
      this.#ready.push(lane);
      this.#start();
    });
  }

  /** When nothing is left to do. */
  idle(): Promise<void> {
    return this.#running === 0 && this.#ready.length === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #start(): void {
    while (this.#running < this.#width) {
      const lane = this.#ready.shift();
      if (lane === undefined) {
        break;
      }
      this.#running += 1;
      void lane.drain().then(() => {
        this.#running -= 1;
        this.#start();
      });
    }
    if (this.#running === 0) {
      const waiting = this.#onIdle;
      this.#onIdle = [];
      waiting.forEach((resolve) => {
        resolve();
      });
    }
  }
}

/** Jobs one after the other. */
export class Lane {
  readonly #jobs: LaneJob[] = [];
  readonly #onReady: (lane: Lane) => void;
  #isScheduled = false;

  constructor(onReady: (lane: Lane) => void) {
    this.#onReady = onReady;
  }

  /** Whether more work should be refused: what was promised already still gets its place. */
  get isFull(): boolean {
    return this.#jobs.length >= MAX_JOBS;
  }

  push(job: LaneJob): void {
    this.#jobs.push(job);
    this.#schedule();
  }

  /** Does what was there when it began, then lets others have their turn. */
  async drain(): Promise<void> {
    for (const job of this.#jobs.splice(0)) {
      await job();
    }
    this.#isScheduled = false;
    if (this.#jobs.length > 0) {
      this.#schedule();
    }
  }

  #schedule(): void {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#onReady(this);
    }
  }
}
