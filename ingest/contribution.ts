/**
 * One broadcast's way from access units to the feed: ties the timeline (which stamps) to the feed
 * (which writes and fans out), puts a slate in while there is no picture, and owns the only timers of
 * all. Leaves RTP and reconnecting to the source that calls it, and routes and tokens to the ingest's
 * HTTP edge.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../infra/kernel/broadcastClock.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import {
  type AccessUnit,
  type SenderReport,
  type StampedUnit,
  VIDEO_CODECS,
  type VideoCodec,
  type VideoParameters,
} from '../infra/kernel/media.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import { type UnixMs, unixMs } from '../infra/kernel/time.ts';
import type { TimelineAnchor } from '../infra/kernel/wire.ts';
import { Feed, refuse } from './feed/feed.ts';
import type { SlateLoop } from './slate/encodeLoop.ts';
import { LoopPlayer } from './slate/loopPlayer.ts';
import type { Slates } from './slate/slates.ts';
import { Timeline } from './timeline/timeline.ts';

/** Where a source puts its media. Calls are synchronous, in the order of arrival. */
export interface MediaSink {
  /** A new peer: new RTP time bases. Implies `endSource` of the one before. */
  beginSource(info: { readonly hasAudio: boolean }): void;
  /** Before the first video unit of a source, and whenever they change. */
  videoParameters(parameters: VideoParameters): void;
  /** The sink keeps `data`: hand over bytes that nobody writes to again. */
  accessUnit(unit: AccessUnit): void;
  senderReport(report: SenderReport): void;
  /** The peer is gone: what it sent last stays, until the slate comes. Idempotent. */
  endSource(reason: string): void;
}

/** Counts and states of one broadcast's contribution, since it was created. */
export type ContributionStats = {
  /** What is on the timeline now: nothing, units held until the tracks are mapped, or live. */
  readonly state: 'idle' | 'holding' | 'live';
  /** What readers of the feed see. */
  readonly shown: 'nothing' | 'live' | 'slate';
  /** Where UTC came from for the present source. */
  readonly utcFrom: 'sender-report' | 'arrival' | undefined;
  readonly codec: string | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly videoUnits: number;
  readonly audioUnits: number;
  /** Units refused because they could not be stamped above the last stamp of their track. */
  readonly unitsDropped: number;
  readonly readers: number;
  /** Readers that were too slow and were cut off. */
  readonly readersDropped: number;
};

/** The contribution feed of one broadcast. */
export type Contribution = Closeable &
  MediaSink & {
    /** Answers a `GET` of the feed; the token has been checked. */
    handle(request: IncomingMessage, response: ServerResponse): void;
    /** Newest video stamp in the feed, Unix ms; undefined before the first. */
    newestMs(): UnixMs | undefined;
    /** Whether a reader that comes now is served, be it with a slate. */
    isReady(): boolean;
    /** Goes on where another ingest stopped. Before the first source. */
    resume(anchor: TimelineAnchor): void;
    /** Where the timeline stands now, for the next ingest; undefined before the first picture. */
    anchor(): Omit<TimelineAnchor, 'runMs'> | undefined;
    /** Shows this still in place of the source's pictures; undefined: its pictures again. */
    freezeFrame(jpeg: Uint8Array | undefined): void;
    stats(): ContributionStats;
  };

/** What a contribution is given. */
export type ContributionDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Asks the source for a keyframe; the source throttles. */
  readonly requestKeyframe: (reason: string) => void;
  readonly slates: Slates;
};

/** One broadcast's contribution. */
export type ContributionOptions = {
  readonly broadcastId: string;
  /** Rate of the slate. */
  readonly fps: number;
  /** Without a picture for this long the slate is shown. */
  readonly slateAfterMs: number;
  /** Without a picture for this long the readers are ended. */
  readonly slateMaxMs: number;
};

/** Without a picture and without a slate the readers are ended after this long. */
const PICTURE_TIMEOUT_MS = 1500;
/** One frame of the usual rate: a slate is not written in bursts. */
const CHECK_EVERY_MS = 33;
/** A larger freeze frame is no picture of a stream. */
const MAX_FREEZE_BYTES = 8 * 1024 * 1024;

/** Makes the contribution; nothing runs until a source begins or an anchor is resumed. */
export function createContribution(
  deps: ContributionDeps,
  options: ContributionOptions,
): Contribution {
  const logger = deps.logger.child({ area: 'ingest', broadcastId: options.broadcastId });
  return new FeedContribution({ ...deps, logger }, options);
}

class FeedContribution implements Contribution {
  readonly #deps: ContributionDeps;
  readonly #options: ContributionOptions;
  readonly #timeline: Timeline;
  readonly #feed: Feed;
  readonly #metrics: ReturnType<typeof metricsOf>;
  readonly #count = { video: 0, audio: 0 };
  #rebasesSeen = 0;
  #utcFrom: ContributionStats['utcFrom'];
  /** Parameters of the source's pictures; the feed has the slate's while that is shown. */
  #parameters: VideoParameters | undefined;
  #codec: VideoCodec | undefined;
  /** When the source's last picture came; undefined before the first, and when it was given up. */
  #pictureMs: UnixMs | undefined;
  /** What is shown in place of the source. */
  #slate: LoopPlayer | undefined;
  #frozen: SlateLoop | undefined;
  #freezes = 0;
  /** The source has given a keyframe since the slate came. */
  #isReturning = false;
  /** Whether something is written that a reader could join. */
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: ContributionDeps, options: ContributionOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#timeline = new Timeline(options.fps);
    this.#metrics = metricsOf(deps.metrics);
    const requestKeyframe = (reason: string): void => {
      if (this.#slate === undefined) {
        deps.requestKeyframe(reason);
      } else {
        this.#slate.restart();
      }
    };
    this.#feed = new Feed({ ...deps, requestKeyframe });
  }

  beginSource(info: { readonly hasAudio: boolean }): void {
    if (!this.#isClosed) {
      this.#timeline.beginSource(info);
      this.#isReturning = false;
      this.#start();
    }
  }

  videoParameters(parameters: VideoParameters): void {
    this.#parameters = parameters;
    this.#codec = parameters.codec;
    this.#deps.slates.prepare(parameters.codec);
    if (this.#slate === undefined) {
      this.#feed.setParameters(parameters);
    }
  }

  accessUnit(unit: AccessUnit): void {
    if (this.#isClosed || this.#timeline.state === 'idle') {
      return;
    }
    if (unit.kind === 'video' && !this.#accepts(unit)) {
      return;
    }
    this.#write(this.#timeline.push(unit));
  }

  senderReport(report: SenderReport): void {
    this.#write(this.#timeline.senderReport(report));
  }

  endSource(reason: string): void {
    if (this.#timeline.state === 'idle') {
      return;
    }
    this.#timeline.endSource();
    this.#utcFrom = undefined;
    this.freezeFrame(undefined);
    this.#deps.logger.info({ reason, readers: this.#feed.readers }, 'source ended');
  }

  handle(_request: IncomingMessage, response: ServerResponse): void {
    if (this.isReady() && this.#feed.parameters !== undefined) {
      this.#feed.join(response);
    } else {
      refuse(response, 'no picture yet');
    }
  }

  newestMs(): UnixMs | undefined {
    return this.#feed.newestMs;
  }

  isReady(): boolean {
    return this.#isOpen;
  }

  resume(anchor: TimelineAnchor): void {
    this.#timeline.resume(anchor);
    this.#pictureMs = unixMs(anchor.pictureMs);
    this.#codec = VIDEO_CODECS.find((codec) => codec === anchor.codec);
    if (this.#codec !== undefined) {
      this.#deps.slates.prepare(this.#codec);
    }
    this.#start();
  }

  anchor(): Omit<TimelineAnchor, 'runMs'> | undefined {
    const point = this.#timeline.point;
    return point === undefined || this.#pictureMs === undefined || this.#codec === undefined
      ? undefined
      : { ...point, pictureMs: this.#pictureMs, codec: this.#codec };
  }

  freezeFrame(jpeg: Uint8Array | undefined): void {
    this.#freezes += 1;
    if (jpeg === undefined || jpeg.byteLength > MAX_FREEZE_BYTES) {
      if (this.#frozen !== undefined) {
        this.#frozen = undefined;
        this.#isReturning = false;
        this.#pictureMs = this.#deps.clock.nowMs();
        this.#deps.requestKeyframe('the picture is not frozen any more');
      }
      return;
    }
    const freeze = this.#freezes;
    if (this.#parameters !== undefined) {
      void this.#deps.slates.frozen(jpeg, this.#parameters).then((loop) => {
        this.#frozen = freeze === this.#freezes ? loop : this.#frozen;
      });
    }
  }

  stats(): ContributionStats {
    const { codec, width, height } = this.#parameters ?? {};
    return {
      state: this.#timeline.state,
      shown: !this.#isOpen ? 'nothing' : this.#slate === undefined ? 'live' : 'slate',
      utcFrom: this.#utcFrom,
      ...{ codec, width, height },
      videoUnits: this.#count.video,
      audioUnits: this.#count.audio,
      unitsDropped: this.#timeline.dropped,
      readers: this.#feed.readers,
      readersDropped: this.#feed.readersDropped,
    };
  }

  async close(reason: string): Promise<void> {
    this.endSource(reason);
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#end(reason);
    await this.#deps.slates.close(reason);
  }

  #start(): void {
    this.#timer ??= setInterval(() => {
      this.#check();
    }, CHECK_EVERY_MS);
  }

  /** After a slate the source goes on from a keyframe; while it says that it is frozen, not at all. */
  #accepts(unit: AccessUnit): boolean {
    if (this.#slate !== undefined) {
      if (this.#frozen !== undefined) {
        return false;
      }
      if (!this.#isReturning && !unit.isKeyframe) {
        this.#deps.requestKeyframe('the picture returns');
        return false;
      }
      this.#isReturning = true;
    }
    this.#pictureMs = this.#deps.clock.nowMs();
    return true;
  }

  #check(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#write(this.#timeline.advance(nowMs));
    this.#bridge(nowMs);
    this.#feed.check(nowMs);
  }

  /** Keeps something on the feed while no picture comes. */
  #bridge(nowMs: UnixMs): void {
    if (this.#pictureMs === undefined || this.#timeline.point === undefined) {
      return;
    }
    const { slateAfterMs, slateMaxMs } = this.#options;
    const silentMs = nowMs - this.#pictureMs;
    const isSilent = silentMs >= slateAfterMs;
    const card =
      isSilent && this.#codec !== undefined ? this.#deps.slates.card(this.#codec) : undefined;
    const loop = this.#frozen ?? card;
    if (silentMs > Math.max(slateMaxMs, PICTURE_TIMEOUT_MS)) {
      this.#pictureMs = undefined;
      this.#end('no picture comes');
    } else if (slateMaxMs > 0 && loop !== undefined && loop !== this.#slate?.loop) {
      this.#show(loop, nowMs);
    } else if (this.#slate === undefined && silentMs > PICTURE_TIMEOUT_MS) {
      this.#end('no picture comes');
    }
    const slate = this.#slate;
    if (slate !== undefined) {
      this.#toFeed(this.#timeline.fill(nowMs, () => slate.next()));
    }
  }

  #show(loop: SlateLoop, nowMs: UnixMs): void {
    this.#metrics.slates.add();
    this.#deps.logger.warn(
      { silentMs: Math.round(nowMs - (this.#pictureMs ?? nowMs)), isFrozen: loop === this.#frozen },
      'no picture comes; the slate is shown',
    );
    this.#slate = new LoopPlayer(loop);
    this.#isReturning = false;
    this.#feed.setParameters(loop.parameters);
  }

  #write(units: readonly StampedUnit[]): void {
    for (const unit of units) {
      this.#count[unit.kind] += 1;
      this.#metrics.units.add(1, { kind: unit.kind });
    }
    if (this.#slate !== undefined && units.some(({ kind }) => kind === 'video')) {
      this.#slate = undefined;
      this.#deps.logger.info({}, 'the picture is back');
      if (this.#parameters !== undefined) {
        this.#feed.setParameters(this.#parameters);
      }
    }
    this.#toFeed(units);
    const { utcFrom, rebases } = this.#timeline;
    if (utcFrom !== this.#utcFrom && utcFrom !== undefined) {
      this.#deps.logger.info({ utcFrom }, 'source is mapped to UTC');
    }
    this.#utcFrom = utcFrom;
    if (rebases > this.#rebasesSeen) {
      this.#metrics.rebases.add(rebases - this.#rebasesSeen);
      this.#rebasesSeen = rebases;
      this.#deps.logger.warn({ rebases }, 'source jumped in RTP time and is mapped anew');
    }
  }

  #toFeed(units: readonly StampedUnit[]): void {
    for (const unit of units) {
      this.#isOpen ||= unit.kind === 'video' && this.#feed.parameters !== undefined;
      this.#feed.write(unit);
    }
  }

  #end(reason: string): void {
    this.#slate = undefined;
    if (this.#isOpen) {
      this.#isOpen = false;
      const { readers } = this.#feed;
      this.#deps.logger.warn({ readers, reason }, 'the feed ends its readers');
    }
    this.#feed.end(reason);
  }
}

type Metered = {
  readonly units: ReturnType<Metrics['counter']>;
  readonly rebases: ReturnType<Metrics['counter']>;
  readonly slates: ReturnType<Metrics['counter']>;
};

function metricsOf(metrics: Metrics): Metered {
  return {
    units: metrics.counter(
      'grandstand_ingest_units_total',
      'Access units and audio packets stamped',
      ['kind'],
    ),
    rebases: metrics.counter(
      'grandstand_ingest_rebases_total',
      'Jumps of a source in RTP time that were mapped anew',
    ),
    slates: metrics.counter(
      'grandstand_ingest_slates_total',
      'Times that a slate or a freeze frame took the place of the picture',
    ),
  };
}
