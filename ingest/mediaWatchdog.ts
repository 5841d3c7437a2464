/**
 * Says when a peer that gives no picture is to be replaced, and why, whatever its connection state
 * says. Pure; time is a parameter (local monotonic ms). The back-off with jitter is Subscription's.
 */

/** Bounds of the silence. */
export type WatchdogTimes = {
  /** Since the last picture (ms). */
  readonly mediaTimeoutMs: number;
  /** Since the peer was made, before the first picture (ms). */
  readonly connectTimeoutMs: number;
};

/** What the peer counts, since its start. */
export type WatchdogCounts = { readonly packetsReceived: number; readonly unauthentic: number };

/** Why; short and few, as they are a metric's label. */
export type Silence =
  'no picture came' | 'the media stopped' | 'packets do not authenticate' | 'no picture is whole';

/** One peer's. */
export class MediaWatchdog {
  readonly #times: WatchdogTimes;
  readonly #openedMs: number;
  #pictureMs: number | undefined;
  #isFrozen = false;
  #latest: WatchdogCounts = { packetsReceived: 0, unauthentic: 0 };
  #atPicture: WatchdogCounts = this.#latest;

  constructor(times: WatchdogTimes, openedMs: number) {
    this.#times = times;
    this.#openedMs = openedMs;
  }

  /** A whole picture came. */
  picture(nowMs: number): void {
    this.#pictureMs = nowMs;
    this.#atPicture = this.#latest;
  }

  /** The streamer has stopped its picture on purpose, or goes on with it. */
  frozen(isFrozen: boolean, nowMs: number): void {
    this.#isFrozen = isFrozen;
    this.picture(nowMs);
  }

  /** The peer's counts came, as they do each second. */
  counted({ packetsReceived, unauthentic }: WatchdogCounts): void {
    this.#latest = { packetsReceived, unauthentic };
  }

  /** Why the peer is to be replaced; undefined while it is not. */
  check(nowMs: number): Silence | undefined {
    const { mediaTimeoutMs, connectTimeoutMs } = this.#times;
    if (this.#isFrozen) {
      return undefined; // that it is still there is ICE's to say
    }
    const silentMs = nowMs - (this.#pictureMs ?? this.#openedMs);
    if (silentMs <= (this.#pictureMs === undefined ? connectTimeoutMs : mediaTimeoutMs)) {
      return undefined;
    }
    if (this.#latest.unauthentic > this.#atPicture.unauthentic) {
      return 'packets do not authenticate';
    }
    if (this.#pictureMs === undefined) {
      return 'no picture came';
    }
    return this.#latest.packetsReceived > this.#atPicture.packetsReceived + COUNTED_LATE
      ? 'no picture is whole'
      : 'the media stopped';
  }
}

/** Packets of up to a second that were received with the last picture but counted after it. */
const COUNTED_LATE = 2000;
