/**
 * Where RTP time lies on UTC, for one source: estimates from arrivals and from sender reports.
 * Says where each track should be (the target); following it without a step is the timeline's.
 * Pure.
 *
 * Three questions are kept apart, since each has a witness of its own. How far the tracks are from
 * each other: pairs of reports, which no error of the sender's clock touches. How the source runs
 * within seconds: the reports, which no jitter touches. How it runs in the long term: arrivals by our
 * own clock, so that a sender's clock may drift or step without moving the broadcast.
 */
import type { AccessUnit, SenderReport } from '../../infra/kernel/media.ts';
import { AUDIO_TIMESCALE, VIDEO_TIMESCALE } from '../../infra/kernel/time.ts';

/** Whose clock UTC was taken from at the start of a source. */
export type UtcSource = 'sender-report' | 'arrival';

type Kind = AccessUnit['kind'];

/** Farthest that a sender's clock may be from ours to be taken as UTC (architecture §2). */
const MAX_SENDER_CLOCK_ERROR_MS = 250;
/**
 * Farthest that the transit times of the two tracks may differ: beyond it a pair of reports is taken
 * for an outlier. Encoding and pacing explain some 200 ms.
 */
const MAX_TRANSIT_SPREAD_MS = 500;
/** Reports and pairs that a median is taken of. */
const REPORTS_KEPT = 5;
/** A report this far from those before it is of a clock that stepped: 200 ppm make 1 ms in 5 s. */
const CLOCK_STEP_MS = 20;
/** The minimum of arrivals is taken over one to two of these. */
const MIN_WINDOW_MS = 8000;
/** From the first relation on the shortest transit is learnt for this long. */
const SETTLING_MS = 16_000;
/** The long term is followed past this error, at this speed: drift is 0.2 ms/s, our clock slews by 1. */
const FOLLOW_BEYOND_MS = 5;
const FOLLOW_MS_PER_S = 1.5;

/** RTP time of `kind` in ms. */
export function rtpMs(kind: Kind, rtpTime: number): number {
  return (rtpTime * 1000) / timescaleOf(kind);
}

/** Clock rate of a track's RTP time and of its stamps. */
export function timescaleOf(kind: Kind): number {
  return kind === 'video' ? VIDEO_TIMESCALE : AUDIO_TIMESCALE;
}

/** What the reports gave: set once per source, at the first relation of its tracks. */
type Relation = {
  readonly utcFrom: UtcSource;
  readonly sinceMs: number;
  /** Shortest time from capture to arrival of the faster track; 0 where only arrivals are trusted. */
  transitMs: number;
  /** Added to the sender's clock: what it was wrong by, and what it has drifted and stepped since. */
  correctionMs: number;
  followedMs: number;
};

/** Estimates the offsets `UTC ms - RTP ms` of the tracks of one source. */
export class SourceMapping {
  readonly #tracks = { video: new TrackEstimate(), audio: new TrackEstimate() };
  readonly #hasAudio: boolean;
  readonly #expectedTransitMs: number;
  /** Audio minus video, by pairs of reports. */
  readonly #distancesMs: number[] = [];
  #relation: Relation | undefined;

  /** @param expectedTransitMs transit of the source before, for as long as nothing is reported */
  constructor(hasAudio: boolean, expectedTransitMs = 0) {
    this.#hasAudio = hasAudio;
    this.#expectedTransitMs = expectedTransitMs;
  }

  /** Whose clock UTC was taken from; 'arrival' until the reports of every track are in. */
  get utcFrom(): UtcSource {
    return this.#relation?.utcFrom ?? 'arrival';
  }

  /** Shortest time of a picture from capture to arrival, as far as it is known. */
  get transitMs(): number {
    const targetMs = this.#relation === undefined ? undefined : this.#videoTargetMs();
    const { arrivalOffsetMs } = this.#tracks.video;
    return targetMs === undefined || arrivalOffsetMs === undefined
      ? this.#expectedTransitMs
      : arrivalOffsetMs - targetMs;
  }

  observeUnit(unit: AccessUnit): void {
    const offsetMs = unit.arrivedMs - rtpMs(unit.kind, unit.rtpTime);
    this.#tracks[unit.kind].observeArrival(offsetMs, unit.arrivedMs);
    this.#follow(unit.arrivedMs);
  }

  observeReport(report: SenderReport): void {
    const stepMs = this.#tracks[report.kind].observeReport(
      report.ntpMs - rtpMs(report.kind, report.rtpTime),
    );
    if (report.kind === 'video' && this.#relation !== undefined) {
      this.#relation.correctionMs -= Math.abs(stepMs) > CLOCK_STEP_MS ? stepMs : 0;
    }
    this.#pair();
    this.#follow(report.arrivedMs);
  }

  /** Whether reports relate every expected track to UTC. */
  isRelated(): boolean {
    return this.#relation !== undefined;
  }

  /** Where the track should be, `UTC ms - RTP ms`; undefined before its first unit. */
  targetOffsetMs(kind: Kind): number | undefined {
    const { video, audio } = this.#tracks;
    if (this.#tracks[kind].arrivalOffsetMs === undefined) {
      return undefined;
    }
    const videoMs = this.#videoTargetMs();
    if (kind === 'video' || videoMs === undefined) {
      return videoMs ?? (audio.arrivalOffsetMs ?? 0) - this.#expectedTransitMs;
    }
    const arrivalDistanceMs = (audio.arrivalOffsetMs ?? 0) - (video.arrivalOffsetMs ?? 0);
    return videoMs + (median(this.#distancesMs) ?? arrivalDistanceMs);
  }

  #videoTargetMs(): number | undefined {
    const { arrivalOffsetMs, reportOffsetMs } = this.#tracks.video;
    return this.#relation === undefined || reportOffsetMs === undefined
      ? arrivalOffsetMs === undefined
        ? undefined
        : arrivalOffsetMs - this.#expectedTransitMs
      : reportOffsetMs + this.#relation.correctionMs;
  }

  /**
   * The distance of the tracks from one fresh report of each. A step of the sender's clock falls
   * between the two of one pair at most, and the median does not see it.
   */
  #pair(): void {
    const { video, audio } = this.#tracks;
    const arrivedMs = (audio.arrivalOffsetMs ?? Number.NaN) - (video.arrivalOffsetMs ?? Number.NaN);
    if (video.freshOffsetMs === undefined || audio.freshOffsetMs === undefined) {
      return;
    }
    const distanceMs = audio.freshOffsetMs - video.freshOffsetMs;
    if (Math.abs(distanceMs - arrivedMs) > MAX_TRANSIT_SPREAD_MS) {
      video.freshOffsetMs = audio.freshOffsetMs = undefined;
      return;
    }
    // Reports may come before the first unit of their track: they are kept until it is there.
    if (!Number.isNaN(arrivedMs)) {
      video.freshOffsetMs = audio.freshOffsetMs = undefined;
      keepLast(this.#distancesMs, distanceMs);
    }
  }

  /** Shortest transit of the faster track, by the sender's clock. */
  #reportedTransitMs(): number | undefined {
    const { video, audio } = this.#tracks;
    const distanceMs = median(this.#distancesMs);
    if (video.reportOffsetMs === undefined || video.arrivalOffsetMs === undefined) {
      return undefined;
    }
    const videoMs = video.arrivalOffsetMs - video.reportOffsetMs;
    return distanceMs === undefined || audio.arrivalOffsetMs === undefined
      ? videoMs
      : Math.min(videoMs, audio.arrivalOffsetMs - video.reportOffsetMs - distanceMs);
  }

  #follow(nowMs: number): void {
    if (this.#relation === undefined && this.#hasAudio) {
      this.#pair();
    }
    const reportedMs = this.#reportedTransitMs();
    if (reportedMs === undefined || (this.#hasAudio && this.#distancesMs.length === 0)) {
      return;
    }
    this.#relation ??= relationOf(reportedMs, nowMs);
    const relation = this.#relation;
    const transitMs = reportedMs - relation.correctionMs;
    const elapsedMs = Math.max(0, nowMs - relation.followedMs);
    relation.followedMs = Math.max(nowMs, relation.followedMs);
    if (transitMs < 0) {
      relation.correctionMs = reportedMs; // It would have been captured after it arrived.
    } else if (nowMs - relation.sinceMs < SETTLING_MS) {
      relation.transitMs = Math.min(relation.transitMs, transitMs);
    } else {
      const errorMs = transitMs - relation.transitMs;
      const limitMs = (elapsedMs * FOLLOW_MS_PER_S) / 1000;
      relation.correctionMs +=
        Math.abs(errorMs) > FOLLOW_BEYOND_MS ? Math.max(-limitMs, Math.min(limitMs, errorMs)) : 0;
    }
  }
}

/** UTC is the sender's where its clock is near ours, else that of the shortest arrival. */
function relationOf(reportedMs: number, nowMs: number): Relation {
  const isNear = Math.abs(reportedMs) <= MAX_SENDER_CLOCK_ERROR_MS;
  const transitMs = isNear ? Math.max(0, reportedMs) : 0;
  return {
    utcFrom: isNear ? 'sender-report' : 'arrival',
    sinceMs: nowMs,
    transitMs,
    correctionMs: reportedMs - transitMs,
    followedMs: nowMs,
  };
}

/** Estimates of one track. All offsets are `clock ms - RTP ms`. */
class TrackEstimate {
  /** The newest report that is in no pair yet. */
  freshOffsetMs: number | undefined;
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

  observeArrival(offsetMs: number, arrivedMs: number): void {
    if (this.#windowMin === undefined || arrivedMs - this.#windowStartMs >= MIN_WINDOW_MS) {
      this.#previousMin = this.#windowMin;
      this.#windowMin = offsetMs;
      this.#windowStartMs = arrivedMs;
    } else {
      this.#windowMin = Math.min(this.#windowMin, offsetMs);
    }
  }

  /** @returns by how much the median moved */
  observeReport(offsetMs: number): number {
    const before = this.#reportOffsetMs ?? offsetMs;
    keepLast(this.#reports, offsetMs);
    this.freshOffsetMs = offsetMs;
    this.#reportOffsetMs = median(this.#reports) ?? offsetMs;
    return this.#reportOffsetMs - before;
  }
}

function keepLast(values: number[], value: number): void {
  values.push(value);
  if (values.length > REPORTS_KEPT) {
    values.shift();
  }
}

/** The lower one where there are two in the middle. */
function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1];
}
