/** What a job says of itself each second. Pure: the time comes in. */
import type { UnixMs } from '../../infra/kernel/time.ts';
import type { Broadcast, TranscodeStatus } from '../../infra/kernel/wire.ts';
import type { EncoderChoice } from './encoder.ts';
import { FeedMeter } from './feedMeter.ts';

/** Encoded media this far behind the clock is worth saying: the machine is too slow. */
const BEHIND_MS = 3000;
const MAX_REASON_CHARACTERS = 4000;

/** What is encoded. */
type Encoded = Pick<Broadcast, 'ladder'> & { readonly grid: Pick<Broadcast['grid'], 'fps'> };

/** Counts frames and restarts; `render` makes the report and starts the next interval. */
export class JobStatus {
  readonly #encoder: EncoderChoice;
  readonly #epoch: string;
  readonly #fps: number;
  readonly #tracks: readonly string[];
  #state: TranscodeStatus['state'] = 'starting';
  #reason: string | undefined;
  #framesOut = 0;
  #restarts = 0;
  #endMs = 0;
  #reported:
    { readonly nowMs: UnixMs; readonly framesIn: number; readonly framesOut: number } | undefined;
  /** What the feed brings, and how long until it is published. */
  readonly meter = new FeedMeter();

  constructor(encoder: EncoderChoice, epoch: string, { grid, ladder }: Encoded) {
    this.#encoder = encoder;
    this.#epoch = epoch;
    this.#fps = grid.fps;
    this.#tracks = [...ladder.video, ...ladder.audio].map(({ name }) => name);
  }

  /** End of the newest frame of the first rung, Unix ms; 0 before the first. */
  get publishedUntilMs(): number {
    return this.#endMs;
  }

  /** Frames of the first rung so far. */
  get framesOut(): number {
    return this.#framesOut;
  }

  /** A frame of the first rung that ends at `endMs`. */
  encoded(endMs: UnixMs): void {
    this.#state = 'encoding';
    this.#reason = undefined;
    this.#framesOut += 1;
    this.#endMs = endMs;
  }

  /** There is nothing to encode. */
  waiting(reason: string): void {
    this.#reason = reason;
  }

  /** A run has ended and another will start. */
  restarting(reason: string): void {
    this.#state = 'restarting';
    this.#reason = reason;
    this.#restarts += 1;
  }

  /**
   * The report at `nowMs`.
   *
   * @param publishFault why an origin gets nothing
   * @param isTaken whether any origin gets something
   */
  render(nowMs: UnixMs, publishFault: string | undefined, isTaken = true): TranscodeStatus {
    const behindMs = nowMs - this.#endMs;
    const behind =
      this.#state === 'encoding' && behindMs > BEHIND_MS
        ? `the encoder is ${(behindMs / 1000).toFixed(1)} s behind`
        : undefined;
    const reason = (this.#reason ?? publishFault ?? behind)?.slice(0, MAX_REASON_CHARACTERS);
    return {
      state: this.#state,
      ...(reason === undefined ? {} : { reason }),
      ...(isTaken ? {} : { isTaken }),
      encoder: this.#encoder.name,
      encoderReason: this.#encoder.reason,
      ...this.#pace(nowMs),
      ...this.#delays(),
      framesIn: this.meter.framesIn,
      framesOut: this.#framesOut,
      restarts: this.#restarts,
      epoch: this.#epoch,
      tracks: [...this.#tracks],
    };
  }

  /** Frames per second since the last report. */
  #pace(nowMs: UnixMs): Pick<TranscodeStatus, 'speed' | 'fpsIn' | 'fpsOut'> {
    const last = this.#reported;
    const { framesIn } = this.meter;
    this.#reported = { nowMs, framesIn, framesOut: this.#framesOut };
    if (last === undefined || nowMs <= last.nowMs) {
      return {};
    }
    const rate = (frames: number): number =>
      Math.round((10_000 * frames) / (nowMs - last.nowMs)) / 10;
    const fpsOut = rate(this.#framesOut - last.framesOut);
    return {
      ...{ speed: Math.round((100 * fpsOut) / this.#fps) / 100, fpsOut },
      fpsIn: rate(framesIn - last.framesIn),
    };
  }

  #delays(): Pick<TranscodeStatus, 'videoDelayMs' | 'audioDelayMs'> {
    const video = this.meter.takeDelays('video');
    const audio = this.meter.takeDelays('audio');
    return {
      ...(video === undefined ? {} : { videoDelayMs: video.p50Ms }),
      ...(audio === undefined ? {} : { audioDelayMs: audio.p50Ms }),
    };
  }
}
