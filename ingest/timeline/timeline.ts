/**
 * The UTC timeline of one broadcast: stamps every access unit, across sources, never at or below
 * the last stamp of its track, and keeps audio running where a source has none. Where RTP time
 * lies on UTC is sourceMapping's estimate; here it is followed by slewing. Pure: time comes in
 * with the units and with `advance`.
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
  /** Silence is never made before this stamp (48 kHz). */
  fillFrom: number | undefined;
};

/** Longest that first units wait for the sender reports of both tracks, from the first picture. */
const MAX_HOLD_MS = 2000;
const MAX_HELD_UNITS = 2048;
const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Audio that waits for a first picture: about 2 s. */
const MAX_HELD_AUDIO_ALONE = 100;
/** A stamp that lies farther ahead of its target than this is a new RTP time base, not drift. */
const MAX_AHEAD_MS = 1000;
/** A stamp that lies farther behind its arrival than this is a new RTP time base, not delay. */
const MAX_BEHIND_MS = 3000;
/**
 * Held units of one track that lie farther apart than this (arrival against RTP time) are of two
 * RTP time bases: one of them could not be stamped on the other's. Less than `MAX_BEHIND_MS` by
 * what sender reports may add, so that what is released is never held again.
 */
const MAX_HELD_SPREAD_MS = 1500;
/** How far a new source may be pushed up to stay above the last stamps. */
const MAX_LEAD_MS = 900;
/** Least distance of two video stamps: 1 ms, so that the feed's rounding keeps them apart. */
const MIN_VIDEO_STEP = 90;
/** Audio this far behind video is taken as gone, and silence goes on to the second number. */
const AUDIO_GONE_TICKS = 0.4 * AUDIO_TIMESCALE;
const AUDIO_FILL_BEHIND_TICKS = 0.1 * AUDIO_TIMESCALE;
const MAX_FILL_TICKS = 2 * AUDIO_TIMESCALE;

/** Stamps the units of one broadcast, one source after another. */
export class Timeline {
  #source: Source | undefined;
  #lastVideo: number | undefined;
  #lastAudio: number | undefined;
  #audioEnd = 0;
  #dropped = 0;
  #rebases = 0;

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
    this.#source = newSource(info.hasAudio);
  }

  endSource(): void {
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

  /** Keeps the unit until it can be mapped; units of the time base before are given up. */
  #hold(source: Source, unit: AccessUnit): void {
    const offsetMs = unit.arrivedMs - rtpMs(unit.kind, unit.rtpTime);
    const { heldOffsetMs = offsetMs } = source[unit.kind];
    if (Math.abs(offsetMs - heldOffsetMs) > MAX_HELD_SPREAD_MS) {
      this.#dropped += source.held.length;
      this.#rebases += 1;
      Object.assign(source, newSource(source.hasAudio));
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

  /** Held units go when every track is related to UTC, or when they were held long enough. */
  #releaseWhenDue(source: Source, nowMs: UnixMs): StampedUnit[] {
    if (source.isMapped || source.firstVideoMs === undefined) {
      return [];
    }
    const isDue =
      !source.hasAudio ||
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
    const firsts = (['video', 'audio'] as const)
      .map((kind) => held.find((unit) => unit.kind === kind))
      .filter((unit) => unit !== undefined);
    const leadMs = Math.max(0, ...firsts.map((unit) => this.#leadMs(source, unit)));
    for (const unit of firsts) {
      source[unit.kind].offset = targetTicks(source, unit.kind, Math.min(leadMs, MAX_LEAD_MS));
      source[unit.kind].lastRtpTime = unit.rtpTime;
      if (unit.kind === 'audio') {
        source.fillFrom = unit.rtpTime + (source.audio.offset ?? 0);
      }
    }
    return held.flatMap((unit) => this.#stampOrHold(source, unit));
  }

  /** How far `unit`, at its target, lies below the first stamp that is still free. */
  #leadMs(source: Source, unit: AccessUnit): number {
    const free =
      unit.kind === 'video'
        ? (this.#lastVideo ?? Number.NEGATIVE_INFINITY) + MIN_VIDEO_STEP
        : this.#audioEnd;
    const time = unit.rtpTime + targetTicks(source, unit.kind, 0);
    return ((free - time) * 1000) / timescaleOf(unit.kind);
  }

  /** Stamps where the source is mapped; a unit of a new RTP time base starts the wait again. */
  #stampOrHold(source: Source, unit: AccessUnit): StampedUnit[] {
    const time = source.isMapped ? this.#mapped(source, unit) : undefined;
    if (time === undefined) {
      if (source.isMapped) {
        this.#rebases += 1;
        Object.assign(source, newSource(source.hasAudio));
      }
      this.#hold(source, unit);
      return [];
    }
    return unit.kind === 'video'
      ? this.#stampVideo(source, unit, time)
      : this.#stampAudio(unit, time);
  }

  /** Stamp of `unit` after slewing; undefined where its RTP time base is a new one. */
  #mapped(source: Source, unit: AccessUnit): number | undefined {
    const track = source[unit.kind];
    const timescale = timescaleOf(unit.kind);
    const target = targetTicks(source, unit.kind, 0);
    track.offset ??= target;
    const error = target - track.offset;
    track.offset += slewTicks(track, error, unit.rtpTime - track.lastRtpTime, unit.kind);
    track.lastRtpTime = unit.rtpTime;
    const time = unit.rtpTime + track.offset;
    const behindMs = unit.arrivedMs - (time * 1000) / timescale;
    const aheadMs = (-error * 1000) / timescale;
    return aheadMs > MAX_AHEAD_MS || behindMs > MAX_BEHIND_MS ? undefined : time;
  }

  #stampVideo(source: Source, unit: AccessUnit, mapped: number): StampedUnit[] {
    const time = Math.max(mapped, (this.#lastVideo ?? 0) + MIN_VIDEO_STEP);
    this.#lastVideo = time;
    const { kind, data, isKeyframe } = unit;
    return [{ kind, time: ticks(time), data, isKeyframe }, ...this.#fillSilence(source, time)];
  }

  #stampAudio(unit: AccessUnit, time: number): StampedUnit[] {
    const duration = opusDurationTicks(unit.data);
    // Slewing back overlaps by less than a millisecond; what overlaps more was said already.
    if (time < this.#audioEnd - duration / 8 || time <= (this.#lastAudio ?? 0)) {
      this.#dropped += 1;
      return [];
    }
    this.#lastAudio = time;
    this.#audioEnd = time + duration;
    return [{ kind: 'audio', time: ticks(time), data: unit.data, isKeyframe: true }];
  }

  /** Silence along the video's progress where no audio comes, in packets end to end. */
  #fillSilence(source: Source, videoTime: number): StampedUnit[] {
    const videoNow = rescale(videoTime, VIDEO_TIMESCALE, AUDIO_TIMESCALE, 'floor');
    const isHeard = source.audio.offset !== undefined;
    source.fillFrom ??= toSilenceGrid(videoNow);
    const until = videoNow - (isHeard ? AUDIO_FILL_BEHIND_TICKS : 0);
    let time = Math.max(this.#audioEnd, source.fillFrom);
    if (isHeard && videoNow - time < AUDIO_GONE_TICKS) {
      return [];
    }
    time = Math.max(time, toSilenceGrid(until - MAX_FILL_TICKS));
    const silence: StampedUnit[] = [];
    for (; time + OPUS_SILENCE_TICKS <= until; time += OPUS_SILENCE_TICKS) {
      silence.push({ kind: 'audio', time: ticks(time), data: OPUS_SILENCE, isKeyframe: true });
      this.#lastAudio = time;
      this.#audioEnd = time + OPUS_SILENCE_TICKS;
    }
    return silence;
  }
}

function newSource(hasAudio: boolean): Source {
  const newTrack = (): Track => ({
    offset: undefined,
    lastRtpTime: 0,
    isSlewing: false,
    heldOffsetMs: undefined,
  });
  return {
    hasAudio,
    mapping: new SourceMapping(hasAudio),
    video: newTrack(),
    audio: newTrack(),
    isMapped: false,
    held: [],
    heldBytes: 0,
    firstVideoMs: undefined,
    fillFrom: undefined,
  };
}

/** Target of a track that has been heard, in its ticks. */
function targetTicks(source: Source, kind: Kind, leadMs: number): number {
  const targetMs = (source.mapping.targetOffsetMs(kind) ?? 0) + leadMs;
  return Math.round((targetMs * timescaleOf(kind)) / 1000);
}

function toSilenceGrid(time: number): number {
  return Math.ceil(time / OPUS_SILENCE_TICKS) * OPUS_SILENCE_TICKS;
}
