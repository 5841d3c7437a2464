/**
 * One publish: bytes in, samples offered, and what they have to keep to (the grid, the clock, one
 * header). A fragment is taken whole or not at all; whatever is thrown ends this publish only.
 */
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { gridPosition, gridStart, gridTicks } from '../../infra/kernel/grid.ts';
import { type UnixMs, unixMsFromTicks } from '../../infra/kernel/time.ts';
import { type Sample, type TrackEvent, TrackReader } from '../cmaf/index.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import type { Target } from './publishTarget.ts';
import type { Publisher } from './publisher.ts';

const MAX_CLOCK_DISTANCE_MS = 30_000;
// A fragment may be as long as a segment (3 s) and arrive as it is made.
const MAX_FRAGMENT_MS = 10_000;
// A muxer may miss a frame; one that never keeps to the rate is of another rate.
const MAX_WRONG_STEPS = 8;
const AAC_FRAME_TICKS = 1024;

/** See the file header. Throws what the publish is refused for. */
export class PublishSession {
  readonly #live: LiveBroadcast;
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #reader: TrackReader;
  #publisher: Publisher | undefined;
  #newest: Sample | undefined;
  #newestSync: number | undefined;
  #wrongSteps = 0;
  #fragments = 0;
  #partialSinceMs: UnixMs | undefined;

  constructor(
    live: LiveBroadcast,
    target: Target,
    deps: { readonly clock: Clock; readonly maxBoxBytes: number },
  ) {
    this.#live = live;
    this.#target = target;
    this.#clock = deps.clock;
    this.#reader = new TrackReader({ maxBoxBytes: deps.maxBoxBytes });
    if (live.isEnded || live.track(target.track)?.isFenced(target) === true) {
      throw this.#overtaken();
    }
  }

  get fragments(): number {
    return this.#fragments;
  }

  push(slice: Uint8Array): void {
    const events = this.#reader.push(slice);
    const nowMs = this.#clock.nowMs();
    const isPartial = events.length === 0 && this.#reader.isWithin;
    this.#partialSinceMs = isPartial ? (this.#partialSinceMs ?? nowMs) : undefined;
    if (nowMs - (this.#partialSinceMs ?? nowMs) > MAX_FRAGMENT_MS) {
      throw new GatewayError('bad_media', `a fragment takes more than ${MAX_FRAGMENT_MS} ms`);
    }
    for (const event of events) {
      this.#take(event);
    }
  }

  end(): void {
    if (this.#publisher?.isGone === false) {
      this.#live.leave(this.#target.track, this.#publisher);
    }
  }

  #take(event: TrackEvent): void {
    if (event.kind === 'init') {
      this.#takeHeader(event.bytes);
      return;
    }
    const publisher = this.#publisher;
    if (publisher === undefined) {
      throw new GatewayError('bad_media', 'media before its header');
    }
    this.#fragments += 1;
    this.#check(event.samples, publisher);
    if (this.#live.publish(this.#target.track, publisher, event.samples) === 'fenced') {
      throw this.#overtaken();
    }
  }

  #takeHeader(bytes: Uint8Array): void {
    const { slot, epoch, track } = this.#target;
    const before = this.#publisher?.header.bytes;
    if (before === undefined) {
      this.#publisher = this.#live.addPublisher(track, { slot, epoch }, bytes);
    } else if (Buffer.compare(before, bytes) !== 0) {
      throw new GatewayError('fenced', 'the header changed inside a publish', { subject: track });
    }
  }

  #overtaken(): GatewayError {
    return new GatewayError(
      'fenced',
      this.#live.isEnded ? 'the broadcast has ended' : 'a newer publisher is followed',
      { subject: this.#target.track },
    );
  }

  #check(samples: readonly Sample[], publisher: Publisher): void {
    const { kind, timescale } = publisher.header.init;
    const nowMs = this.#clock.nowMs();
    for (const sample of samples) {
      checkClock(sample, timescale, nowMs);
      this.#checkStep(sample, kind, timescale);
      if (kind === 'video') {
        this.#checkGrid(sample, timescale);
      }
      this.#newest = sample;
    }
  }

  /** Decode times grow by what a frame lasts: floods and other frame rates end here. */
  #checkStep(sample: Sample, kind: 'video' | 'audio', timescale: number): void {
    const { fps } = this.#live.broadcast.grid;
    const frameTicks = kind === 'video' ? timescale / fps : AAC_FRAME_TICKS;
    const step = this.#newest === undefined ? frameTicks : sample.dts - this.#newest.dts;
    if (step <= 0) {
      throw new GatewayError('bad_media', `decode time ${sample.dts} does not grow`);
    }
    if (step < Math.floor(frameTicks)) {
      throw new GatewayError(
        'off_grid',
        `frames are ${inMs(step, timescale)} apart, not ${inMs(frameTicks, timescale)}`,
      );
    }
    // A rate that the timescale is no multiple of is rounded to whole ticks.
    this.#wrongSteps = Math.abs(step - frameTicks) < 1 ? 0 : this.#wrongSteps + 1;
    if (this.#wrongSteps > MAX_WRONG_STEPS) {
      throw new GatewayError(
        'off_grid',
        `frames are ${inMs(step, timescale)} apart, not ${inMs(frameTicks, timescale)}`,
      );
    }
  }

  /** Pictures stand on the frame grid of UTC, and every segment begins with a sync sample. */
  #checkGrid(sample: Sample, timescale: number): void {
    const { grid } = this.#live.broadcast;
    const { msn } = gridPosition(grid, sample.dts, timescale);
    const start = gridStart(grid, msn, timescale);
    const frameTicks = timescale / grid.fps;
    const past = (sample.dts - start) % frameTicks;
    const isRounded = !Number.isInteger(frameTicks) && Math.min(past, frameTicks - past) < 1;
    if (past !== 0 && !isRounded) {
      throw new GatewayError(
        'off_grid',
        `first picture is ${inMs(sample.dts - start, timescale)} past the grid instant, which is ` +
          `${inMs(past, timescale)} past the frame grid of UTC (${grid.fps} a second)`,
      );
    }
    this.#checkComposition(sample, start, timescale);
    const isCrossing =
      this.#newest !== undefined && gridPosition(grid, this.#newest.dts, timescale).msn < msn;
    if (isCrossing && sample.dts === start && !sample.isSync) {
      throw this.#offGrid(timescale, msn);
    }
    if (sample.isSync) {
      this.#newestSync = sample.dts;
    }
  }

  #offGrid(timescale: number, msn: number): GatewayError {
    const { grid } = this.#live.broadcast;
    const sync = this.#newestSync;
    if (sync === undefined) {
      return new GatewayError('off_grid', `no sync sample up to segment ${msn}`);
    }
    const past = sync % gridTicks(grid.segmentMs, timescale);
    return new GatewayError(
      'off_grid',
      `newest sync sample is ${inMs(past, timescale)} past the grid instant, and segment ${msn} ` +
        `begins without one: IDRs belong at multiples of ${grid.segmentMs} ms since 1970`,
    );
  }

  /** A picture is shown in its own segment or the next: nothing before the sync sample. */
  #checkComposition(sample: Sample, start: number, timescale: number): void {
    const shown = sample.dts + sample.compositionOffset;
    const segment = gridTicks(this.#live.broadcast.grid.segmentMs, timescale);
    if (shown < start || sample.compositionOffset > segment) {
      throw new GatewayError(
        'bad_media',
        `composition offset ${sample.compositionOffset} shows a picture outside its segment`,
      );
    }
  }
}

function checkClock(sample: Sample, timescale: number, nowMs: UnixMs): void {
  const distanceMs = unixMsFromTicks(sample.dts, timescale) - nowMs;
  if (Math.abs(distanceMs) > MAX_CLOCK_DISTANCE_MS) {
    throw new GatewayError(
      'off_grid',
      `decode time ${sample.dts} is ${Math.round(distanceMs / 1000)} s from the broadcast clock (at most 30)`,
    );
  }
}

function inMs(ticks: number, timescale: number): string {
  return `${((ticks * 1000) / timescale).toFixed(1)} ms`;
}
