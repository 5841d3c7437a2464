/**
 * The UTC timeline of one broadcast: stamps every access unit, across sources, never at or below
 * the last stamp of its track, and keeps audio running where a source has none, and pictures of the
 * caller's where there is no source. Where RTP time lies on UTC is sourceMapping's estimate; here it
 * is followed by slewing. Pure: time comes in with the units, with `advance` and with `fill`.
 */
import type { AccessUnit, SenderReport, StampedUnit } from '../../infra/kernel/media.ts';
import { AUDIO_TIMESCALE, rescale, ticks, VIDEO_TIMESCALE } from '../../infra/kernel/time.ts';
import type { Ticks, UnixMs } from '../../infra/kernel/time.ts';
import { OPUS_SILENCE, OPUS_SILENCE_TICKS, opusDurationTicks } from './opus.ts';
import { slewTicks, type SlewState } from './slew.ts';
import { rtpMs, SourceMapping, timescaleOf, type UtcSource } from './sourceMapping.ts';

/** What the timeline does now. */
export type TimelineState = 'idle' | 'holding' | 'live';

type Kind = AccessUnit['kind'];

type Track = SlewState & {
  /** Stamp minus RTP time in ticks; undefined until the track is mapped. */
  offset: number | undefined;
  lastRtpTime: number;
  /** Arrival minus RTP time of the first unit that was held (ms). */
  heldOffsetMs: number | undefined;
};

type Source = {
  readonly hasAudio: boolean;
  mapping: SourceMapping;
  video: Track;
  audio: Track;
  isMapped: boolean;
  held: AccessUnit[];
  heldBytes: number;
  firstVideoMs: UnixMs | undefined;
  /** How far it was pushed up to stay above the last stamps. */
  leadMs: number;
};

/** An encoded picture without a place in time. */
export type Picture = { readonly data: Uint8Array; readonly isKeyframe: boolean };

/** Where a timeline stands, for one that goes on with it. */
export type TimelinePoint = {
  /** Nothing was stamped past this (Unix ms). */
  readonly newestMs: number;
  /** Shortest time from capture to arrival of its last source. */
  readonly transitMs: number;
};

/**
 * Longest that the first units of a broadcast wait for the sender reports of both tracks, from the
 * first picture. Once there are viewers pictures do not wait: silence goes on in place of the sound
 * until it is known where it belongs, or for as long.
 */
const MAX_HOLD_MS = 2000;
const MAX_HELD_UNITS = 2048;
const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Audio that waits for a first picture: about 2 s. */
const MAX_HELD_AUDIO_ALONE = 100;
/** A stamp that lies farther ahead of its arrival than this is a new RTP time base, not drift. */
const MAX_AHEAD_MS = 1000;
/** A stamp that lies farther behind its arrival than this is a new RTP time base, not delay. */
const MAX_BEHIND_MS = 3000;
/**
 * Held units of one track that lie farther apart than this (arrival against RTP time) are of two
 * RTP time bases: one of them could not be stamped on the other's. Less than `MAX_BEHIND_MS` by
 * what sender reports may add, so that what is released is never held again.
 */
const MAX_HELD_SPREAD_MS = 1500;
/**
 * How far a new source may be pushed up to stay above the last stamps: another ingest may have made
 * them by a clock that is ahead of ours. An origin takes 30 s (architecture §2).
 */
const MAX_LEAD_MS = 25_000;
/** Most that the transit of one source says of the next one's. */
const MAX_TRANSIT_MS = 250;
/** Least distance of two video stamps: 1 ms, so that the feed's rounding keeps them apart. */
const MIN_VIDEO_STEP = 90;
/** Audio this far behind video is taken as gone, and silence goes on to the second number. */
const AUDIO_GONE_TICKS = 0.4 * AUDIO_TIMESCALE;
const AUDIO_FILL_BEHIND_TICKS = 0.1 * AUDIO_TIMESCALE;
const MAX_FILL_TICKS = 2 * AUDIO_TIMESCALE;
/**
 * How far the caller's pictures stay behind the clock: about what a picture takes from capture to
 * arrival, so that a source that comes (back) finds its place above them.
 */
const FILL_BEHIND_MS = 100;
/** Pictures of the caller's that are stamped at once, at most; a longer hole stays. */
const MAX_FILL_MS = 2000;

/** Stamps the units of one broadcast, one source after another. */
export class Timeline {
  readonly #frameTicks: number;
  #source: Source | undefined;
  #lastVideo: number | undefined;
  #lastAudio: number | undefined;
  #audioEnd: number | undefined;
  #transitMs = 0;
  #dropped = 0;
  #rebases = 0;

  /** @param fps rate of the pictures that `fill` stamps; divides 90,000 */
  constructor(fps = 30) {
    this.#frameTicks = VIDEO_TIMESCALE / fps;
  }

  /** Where it stands; undefined before the first stamp. */
  get point(): TimelinePoint | undefined {
    return this.#lastVideo === undefined
      ? undefined
      : {
          newestMs: Math.max(
            this.#lastVideo / (VIDEO_TIMESCALE / 1000),
            (this.#audioEnd ?? 0) / (AUDIO_TIMESCALE / 1000),
          ),
          transitMs: this.#presentTransitMs(),
        };
  }

  /** Goes on after `point`; only before the first stamp. */
  resume(point: TimelinePoint): void {
    if (this.#lastVideo === undefined) {
      this.#lastVideo = Math.ceil(point.newestMs * (VIDEO_TIMESCALE / 1000));
      this.#audioEnd = toSilenceGrid(point.newestMs * (AUDIO_TIMESCALE / 1000));
      this.#lastAudio = this.#audioEnd - 1;
      this.#transitMs = point.transitMs;
    }
  }

  /** 'holding' while first units wait to be mapped. */
  get state(): TimelineState {
    return this.#source === undefined ? 'idle' : this.#source.isMapped ? 'live' : 'holding';
  }

  /** Whose clock UTC follows for this source; undefined while nothing is mapped. */
  get utcFrom(): UtcSource | undefined {
    return this.#source?.isMapped === true ? this.#source.mapping.utcFrom : undefined;
  }

  /** Newest video stamp in 90 kHz ticks. */
  get lastVideoTicks(): Ticks | undefined {
    return this.#lastVideo === undefined ? undefined : ticks(this.#lastVideo);
  }

  /** Units refused so far: audio that would overlap what was already stamped, an old time base. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How often a source jumped in RTP time and was mapped anew. */
  get rebases(): number {
    return this.#rebases;
  }

  /** A new source; the one before ends, its held units with it. */
  beginSource(info: { readonly hasAudio: boolean }): void {
    this.endSource();
    this.#source = newSource(info.hasAudio, this.#transitMs);
  }

  endSource(): void {
    this.#transitMs = this.#presentTransitMs();
    this.#source = undefined;
  }

  /** Takes the report in; returns what it sets free. */
  senderReport(report: SenderReport): StampedUnit[] {
    const source = this.#source;
    source?.mapping.observeReport(report);
    return source === undefined ? [] : this.#releaseWhenDue(source, report.arrivedMs);
  }

  /** Stamps `unit`, or holds it; returns what can be written now, in order of arrival. */
  push(unit: AccessUnit): StampedUnit[] {
    const source = this.#source;
    if (source === undefined) {
      return [];
    }
    if (source.isMapped) {
      source.mapping.observeUnit(unit);
    }
    const stamped = this.#stampOrHold(source, unit);
    return source.isMapped ? stamped : this.#releaseWhenDue(source, unit.arrivedMs);
  }

  /** Lets go of held units whose wait is over. */
  advance(nowMs: UnixMs): StampedUnit[] {
    const source = this.#source;
    return source === undefined ? [] : this.#releaseWhenDue(source, nowMs);
  }

  /**
   * Stamps pictures of the caller's one frame apart after the last stamp, as far as the clock has
   * come, and silence beside them where no audio comes. Nothing before the first stamp.
   */
  fill(nowMs: UnixMs, next: () => Picture): StampedUnit[] {
    if (this.#lastVideo === undefined) {
      return [];
    }
    const until = (nowMs - FILL_BEHIND_MS) * (VIDEO_TIMESCALE / 1000);
    const missed = Math.floor((until - this.#lastVideo) / this.#frameTicks);
    const skipped = missed - Math.floor((MAX_FILL_MS * VIDEO_TIMESCALE) / 1000 / this.#frameTicks);
    const units: StampedUnit[] = [];
    let time = this.#lastVideo + Math.max(0, skipped) * this.#frameTicks;
    for (time += this.#frameTicks; time <= until; time += this.#frameTicks) {
      this.#lastVideo = time;
      units.push({ kind: 'video', time: ticks(time), ...next() }, ...this.#fillSilence(time));
    }
    return units;
  }

  #presentTransitMs(): number {
    const transitMs = this.#source?.mapping.transitMs ?? this.#transitMs;
    return Math.max(0, Math.min(MAX_TRANSIT_MS, transitMs));
  }

  /** Keeps the unit until it can be mapped; units of the time base before are given up. */
  #hold(source: Source, unit: AccessUnit): void {
    const offsetMs = unit.arrivedMs - rtpMs(unit.kind, unit.rtpTime);
    const { heldOffsetMs = offsetMs } = source[unit.kind];
    if (Math.abs(offsetMs - heldOffsetMs) > MAX_HELD_SPREAD_MS) {
      this.#dropped += source.held.length;
      this.#rebases += 1;
      Object.assign(source, newSource(source.hasAudio, this.#transitMs));
    }
    source[unit.kind].heldOffsetMs ??= offsetMs;
    source.mapping.observeUnit(unit);
    source.held.push(unit);
    source.heldBytes += unit.data.byteLength;
    if (unit.kind === 'video') {
      source.firstVideoMs ??= unit.arrivedMs;
    } else if (source.firstVideoMs === undefined && source.held.length > MAX_HELD_AUDIO_ALONE) {
      source.heldBytes -= source.held.shift()?.data.byteLength ?? 0;
    }
  }

  /**
   * Held units go when every track is related to UTC, or when they were held long enough; at once
   * where the timeline goes on from something.
   */
  #releaseWhenDue(source: Source, nowMs: UnixMs): StampedUnit[] {
    if (source.isMapped || source.firstVideoMs === undefined) {
      return [];
    }
    const isDue =
      !source.hasAudio ||
      this.#lastVideo !== undefined ||
      source.mapping.isRelated() ||
      nowMs - source.firstVideoMs >= MAX_HOLD_MS ||
      source.held.length >= MAX_HELD_UNITS ||
      source.heldBytes >= MAX_HELD_BYTES;
    return isDue ? this.#release(source) : [];
  }

  #release(source: Source): StampedUnit[] {
    const { held } = source;
    source.held = [];
    source.heldBytes = 0;
    source.isMapped = true;
    const first = held.find((unit) => unit.kind === 'video');
    if (first !== undefined) {
      const free = (this.#lastVideo ?? 0) + MIN_VIDEO_STEP;
      const time = first.rtpTime + targetTicks(source, 'video');
      source.leadMs = Math.min(MAX_LEAD_MS, Math.max(0, ((free - time) * 1000) / VIDEO_TIMESCALE));
      source.video.offset =
        targetTicks(source, 'video') + Math.ceil((source.leadMs * VIDEO_TIMESCALE) / 1000);
      source.video.lastRtpTime = first.rtpTime;
    }
    return held.flatMap((unit) => this.#stampOrHold(source, unit));
  }

  /** Stamps where the source is mapped; a unit of a new RTP time base starts the wait again. */
  #stampOrHold(source: Source, unit: AccessUnit): StampedUnit[] {
    if (source.isMapped && unit.kind === 'audio' && !isAudioDue(source, unit.arrivedMs)) {
      return [];
    }
    const time = source.isMapped ? this.#mapped(source, unit) : undefined;
    if (time === undefined) {
      if (source.isMapped) {
        this.#rebases += 1;
        Object.assign(source, newSource(source.hasAudio, this.#transitMs));
      }
      this.#hold(source, unit);
      return [];
    }
    return unit.kind === 'video' ? this.#stampVideo(unit, time) : this.#stampAudio(unit, time);
  }

  /** Stamp of `unit` after slewing; undefined where its RTP time base is a new one. */
  #mapped(source: Source, unit: AccessUnit): number | undefined {
    const track = source[unit.kind];
    const timescale = timescaleOf(unit.kind);
    const target = unit.kind === 'video' ? targetTicks(source, 'video') : audioTarget(source);
    track.offset ??= target;
    const error = target - track.offset;
    track.offset += slewTicks(track, error, unit.rtpTime - track.lastRtpTime, unit.kind);
    track.lastRtpTime = unit.rtpTime;
    const time = unit.rtpTime + track.offset;
    const behindMs = unit.arrivedMs - (time * 1000) / timescale;
    const isOfBase = -behindMs <= MAX_AHEAD_MS + source.leadMs && behindMs <= MAX_BEHIND_MS;
    return isOfBase ? time : undefined;
  }

  #stampVideo(unit: AccessUnit, mapped: number): StampedUnit[] {
    const time = Math.max(mapped, (this.#lastVideo ?? 0) + MIN_VIDEO_STEP);
    this.#lastVideo = time;
    const { kind, data, isKeyframe } = unit;
    return [{ kind, time: ticks(time), data, isKeyframe }, ...this.#fillSilence(time)];
  }

  #stampAudio(unit: AccessUnit, time: number): StampedUnit[] {
    const duration = opusDurationTicks(unit.data);
    const end = this.#audioEnd ?? time;
    // Slewing back overlaps by less than a millisecond; what overlaps more was said already.
    if (time < end - duration / 8 || time <= (this.#lastAudio ?? 0)) {
      this.#dropped += 1;
      return [];
    }
    const silence = this.#silence(Math.max(end, time - MAX_FILL_TICKS), time);
    this.#lastAudio = time;
    this.#audioEnd = time + duration;
    return [...silence, { kind: 'audio', time: ticks(time), data: unit.data, isKeyframe: true }];
  }

  /** Silence along the video's progress where no audio comes, in packets end to end. */
  #fillSilence(videoTime: number): StampedUnit[] {
    const videoNow = rescale(videoTime, VIDEO_TIMESCALE, AUDIO_TIMESCALE, 'floor');
    const isHeard = this.#source?.audio.offset !== undefined;
    this.#audioEnd ??= toSilenceGrid(videoNow);
    if (isHeard && videoNow - this.#audioEnd < AUDIO_GONE_TICKS) {
      return [];
    }
    const until = videoNow - (isHeard ? AUDIO_FILL_BEHIND_TICKS : 0);
    return this.#silence(Math.max(this.#audioEnd, toSilenceGrid(until - MAX_FILL_TICKS)), until);
  }

  /** Whole packets of silence from `from` on, as many as end by `until`. */
  #silence(from: number, until: number): StampedUnit[] {
    const silence: StampedUnit[] = [];
    for (let time = from; time + OPUS_SILENCE_TICKS <= until; time += OPUS_SILENCE_TICKS) {
      silence.push({ kind: 'audio', time: ticks(time), data: OPUS_SILENCE, isKeyframe: true });
      this.#lastAudio = time;
      this.#audioEnd = time + OPUS_SILENCE_TICKS;
    }
    return silence;
  }
}

function newSource(hasAudio: boolean, transitMs: number): Source {
  const newTrack = (): Track => ({
    offset: undefined,
    lastRtpTime: 0,
    isSlewing: false,
    heldOffsetMs: undefined,
  });
  return {
    hasAudio,
    mapping: new SourceMapping(hasAudio, transitMs),
    video: newTrack(),
    audio: newTrack(),
    isMapped: false,
    held: [],
    heldBytes: 0,
    firstVideoMs: undefined,
    leadMs: 0,
  };
}

/** Whether sound may be stamped: once it is known where it lies beside the picture, or never will be. */
function isAudioDue({ audio, mapping, firstVideoMs }: Source, arrivedMs: UnixMs): boolean {
  return (
    audio.offset !== undefined ||
    mapping.isRelated() ||
    arrivedMs - (firstVideoMs ?? arrivedMs) >= MAX_HOLD_MS
  );
}

/** Target of a track that has been heard, in its ticks. */
function targetTicks(source: Source, kind: Kind): number {
  return Math.round(((source.mapping.targetOffsetMs(kind) ?? 0) * timescaleOf(kind)) / 1000);
}

/** Sound follows the picture, not UTC by itself: the two never slew apart. */
function audioTarget({ video, mapping }: Source): number {
  const audioMs = mapping.targetOffsetMs('audio') ?? 0;
  const videoMs = mapping.targetOffsetMs('video') ?? audioMs;
  const aheadMs =
    video.offset === undefined ? 0 : (video.offset * 1000) / VIDEO_TIMESCALE - videoMs;
  return Math.round(((audioMs + aheadMs) * AUDIO_TIMESCALE) / 1000);
}

function toSilenceGrid(time: number): number {
  return Math.ceil(time / OPUS_SILENCE_TICKS) * OPUS_SILENCE_TICKS;
}
