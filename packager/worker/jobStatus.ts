/** What a job says of itself each second. Pure: the time comes in. */
import type { UnixMs } from '../../infra/kernel/time.ts';
import type { TranscodeStatus } from '../../infra/kernel/wire.ts';
import type { EncoderChoice } from './encoder.ts';

/** Encoded media this far behind the clock is worth saying: the machine is too slow. */
const BEHIND_MS = 3000;
const MAX_REASON_CHARACTERS = 4000;

/** Counts frames and restarts; `render` makes the report and starts the next interval. */
export class JobStatus {
  readonly #encoder: EncoderChoice;
  readonly #epoch: string;
  readonly #fps: number;
  #state: TranscodeStatus['state'] = 'starting';
  #reason: string | undefined;
  #framesOut = 0;
  #restarts = 0;
  #endMs = 0;
  #reported: { readonly nowMs: UnixMs; readonly framesOut: number } | undefined;

  constructor(encoder: EncoderChoice, epoch: string, fps: number) {
    this.#encoder = encoder;
    this.#epoch = epoch;
    this.#fps = fps;
  }

  /** End of the newest frame of the first rung, Unix ms; 0 before the first. */
  get publishedUntilMs(): number {
    return this.#endMs;
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

  /** The report at `nowMs`; `publishFault` is why an origin gets nothing. */
  render(nowMs: UnixMs, publishFault: string | undefined): TranscodeStatus {
    const last = this.#reported;
    this.#reported = { nowMs, framesOut: this.#framesOut };
    const elapsedMs = last === undefined ? 0 : nowMs - last.nowMs;
    const mediaMs = ((this.#framesOut - (last?.framesOut ?? 0)) * 1000) / this.#fps;
    const behindMs = nowMs - this.#endMs;
    const behind =
      this.#state === 'encoding' && behindMs > BEHIND_MS
        ? `the encoder is ${(behindMs / 1000).toFixed(1)} s behind`
        : undefined;
    const reason = (this.#reason ?? publishFault ?? behind)?.slice(0, MAX_REASON_CHARACTERS);
    return {
      state: this.#state,
      ...(reason === undefined ? {} : { reason }),
      encoder: this.#encoder.name,
      encoderReason: this.#encoder.reason,
      ...(elapsedMs > 0 ? { speed: Math.round((100 * mediaMs) / elapsedMs) / 100 } : {}),
      framesOut: this.#framesOut,
      restarts: this.#restarts,
      epoch: this.#epoch,
    };
  }
}
