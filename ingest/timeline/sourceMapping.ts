/**
 * Where RTP time lies on UTC, for one source: estimates from arrivals and from sender reports.
 * Says where each track should be (the target); following it without a step is the timeline's.
 * Pure.
 */
import type { AccessUnit, SenderReport } from '../../infra/kernel/media.ts';
import { AUDIO_TIMESCALE, VIDEO_TIMESCALE } from '../../infra/kernel/time.ts';

/** Whose clock UTC is taken from for the life of a source. */
export type UtcSource = 'sender-report' | 'arrival';

type Kind = AccessUnit['kind'];

/** Farthest that a sender's clock may be from ours to be taken as UTC (architecture §2). */
const MAX_SENDER_CLOCK_ERROR_MS = 250;
/**
 * Farthest that the transit times of the two tracks may differ: beyond it a report is taken for an
 * outlier. Encoding and pacing explain some 200 ms.
 */
const MAX_TRANSIT_SPREAD_MS = 500;
const REPORTS_KEPT = 5;
/** The minimum of arrivals is taken over one to two of these. */
const MIN_WINDOW_MS = 8000;

/** RTP time of `kind` in ms. */
export function rtpMs(kind: Kind, rtpTime: number): number {
  return (rtpTime * 1000) / timescaleOf(kind);
}

/** Clock rate of a track's RTP time and of its stamps. */
export function timescaleOf(kind: Kind): number {
  return kind === 'video' ? VIDEO_TIMESCALE : AUDIO_TIMESCALE;
}

/** Estimates the offsets `UTC ms - RTP ms` of the tracks of one source. */
export class SourceMapping {
  readonly #tracks = { video: new TrackEstimate(), audio: new TrackEstimate() };
  readonly #hasAudio: boolean;
  #utcFrom: UtcSource | undefined;

  constructor(hasAudio: boolean) {
    this.#hasAudio = hasAudio;
  }

  /** Whose clock UTC follows; 'arrival' until the reports of every track are in. */
  get utcFrom(): UtcSource {
    return this.#utcFrom ?? 'arrival';
  }

  observeUnit(unit: AccessUnit): void {
    const offsetMs = unit.arrivedMs - rtpMs(unit.kind, unit.rtpTime);
    this.#tracks[unit.kind].observeArrival(offsetMs, unit.arrivedMs);
    this.#relate();
  }

  observeReport(report: SenderReport): void {
    this.#tracks[report.kind].observeReport(report.ntpMs - rtpMs(report.kind, report.rtpTime));
    this.#relate();
  }

  /** Whether reports relate every expected track to UTC. */
  isRelated(): boolean {
    return (
      this.#utcFrom !== undefined &&
      (!this.#hasAudio || this.#tracks.audio.reportOffsetMs !== undefined)
    );
  }

  /** Where the track should be, `UTC ms - RTP ms`; undefined before its first unit. */
  targetOffsetMs(kind: Kind): number | undefined {
    const track = this.#tracks[kind];
    return track.arrivalOffsetMs === undefined
      ? undefined
      : track.arrivalOffsetMs + track.aboveArrivalMs;
  }

  /**
   * Fixes each track against its arrivals by the reports. While a report is missing or is an
   * outlier the last relation stays and the arrivals alone carry on.
   */
  #relate(): void {
    const heard = [this.#tracks.video, this.#tracks.audio].filter(
      (track) => track.arrivalOffsetMs !== undefined,
    );
    if (this.#tracks.video.transitMs === undefined || !this.#isWholeEnough(heard)) {
      return;
    }
    const transits = heard.map((track) => track.transitMs);
    if (!transits.every((transit) => transit !== undefined)) {
      return;
    }
    const minTransitMs = Math.min(...transits);
    if (Math.max(...transits) - minTransitMs > MAX_TRANSIT_SPREAD_MS) {
      return;
    }
    this.#utcFrom ??=
      Math.abs(minTransitMs) <= MAX_SENDER_CLOCK_ERROR_MS ? 'sender-report' : 'arrival';
    const shiftMs = this.#utcFrom === 'arrival' ? minTransitMs : beyondBand(minTransitMs);
    for (const track of heard) {
      track.aboveArrivalMs = shiftMs - (track.transitMs ?? 0);
    }
  }

  /** Before the first relation an expected audio track is waited for. */
  #isWholeEnough(heard: readonly TrackEstimate[]): boolean {
    return this.#utcFrom !== undefined || !this.#hasAudio || heard.length === 2;
  }
}

/**
 * How far the shortest transit, by the sender's clock, lies outside what is taken as it is: below
 * 0 its pictures would come from the future, above 250 ms its clock has drifted away from ours.
 */
function beyondBand(minTransitMs: number): number {
  return minTransitMs < 0 ? minTransitMs : Math.max(0, minTransitMs - MAX_SENDER_CLOCK_ERROR_MS);
}

/** Estimates of one track. All offsets are `clock ms - RTP ms`. */
class TrackEstimate {
  /** Where the target lies above the shortest arrival; 0 or less. Written by the mapping. */
  aboveArrivalMs = 0;
  readonly #reports: number[] = [];
  #reportOffsetMs: number | undefined;
  #windowStartMs = 0;
  #windowMin: number | undefined;
  #previousMin: number | undefined;

  /** Shortest arrival of the last 8 to 16 s by our clock. */
  get arrivalOffsetMs(): number | undefined {
    return this.#windowMin === undefined
      ? undefined
      : Math.min(this.#windowMin, this.#previousMin ?? this.#windowMin);
  }

  /** Median of the last reports, by the sender's clock. */
  get reportOffsetMs(): number | undefined {
    return this.#reportOffsetMs;
  }

  /** Shortest transit, if the sender's clock were ours. */
  get transitMs(): number | undefined {
    const arrivalOffsetMs = this.arrivalOffsetMs;
    return arrivalOffsetMs === undefined || this.#reportOffsetMs === undefined
      ? undefined
      : arrivalOffsetMs - this.#reportOffsetMs;
  }

  observeArrival(offsetMs: number, arrivedMs: number): void {
    if (this.#windowMin === undefined || arrivedMs - this.#windowStartMs >= MIN_WINDOW_MS) {
      this.#previousMin = this.#windowMin;
      this.#windowMin = offsetMs;
      this.#windowStartMs = arrivedMs;
    } else {
      this.#windowMin = Math.min(this.#windowMin, offsetMs);
    }
  }

  observeReport(offsetMs: number): void {
    this.#reports.push(offsetMs);
    if (this.#reports.length > REPORTS_KEPT) {
      this.#reports.shift();
    }
    const sorted = this.#reports.toSorted((a, b) => a - b);
    this.#reportOffsetMs = sorted[(sorted.length - 1) >> 1];
  }
}
