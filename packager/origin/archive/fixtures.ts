/** For tests: a broadcast of synthetic samples that is published into an archive. */
import { silentLogger } from '../../../infra/kernel/logger.ts';
import { noMetrics } from '../../../infra/kernel/metrics.ts';
import { unixMs } from '../../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../../cmaf/fixtures.ts';
import { audio, BROADCAST, FIRST_MSN, video } from '../fixtures.ts';
import { LiveBroadcast } from '../liveBroadcast.ts';
import type { RestoredBroadcast } from '../storage.ts';
import type { Publisher } from '../publisher.ts';
import { type ArchiveDeps, type DiskArchive, openArchive } from './archive.ts';
import type { ArchiveConfig } from './housekeeping.ts';

/** Tracks of the broadcast in `../fixtures.ts`. */
export const TRACKS = ['v180', 'a128'] as const;

/** Enough for every test that does not set its own. */
export const CONFIG: ArchiveConfig = {
  windowMs: 7_200_000,
  maxBytes: 2 ** 40,
  retentionMs: 86_400_000,
};

/** An archive in `directory`, on a clock that follows what is published. */
export class Station {
  readonly archive: DiskArchive;
  readonly live: LiveBroadcast;
  readonly restored: RestoredBroadcast | undefined;
  readonly #clock: { nowMs: number };
  #publishers: { v: Publisher; a: Publisher } | undefined;

  private constructor(
    archive: DiskArchive,
    restored: RestoredBroadcast | undefined,
    clock: { nowMs: number },
    ringSegments: number,
    dvrWindowMs: number,
  ) {
    this.archive = archive;
    this.restored = restored;
    this.#clock = clock;
    this.live = new LiveBroadcast(
      BROADCAST,
      { windowSegments: 30, ringSegments },
      () => undefined,
      {
        archive,
        nowMs: () => unixMs(clock.nowMs),
        dvrWindowMs,
        ...(restored === undefined ? {} : { restored }),
      },
    );
  }

  /** Opens, restores, is ready to publish. */
  static async open(
    directory: string,
    {
      config = CONFIG,
      ringSegments = 45,
      broadcast = BROADCAST,
      ...deps
    }: Partial<Pick<ArchiveDeps, 'fileSystem' | 'maxQueuedBytes' | 'metrics'>> & {
      readonly config?: ArchiveConfig;
      readonly ringSegments?: number;
      readonly broadcast?: typeof BROADCAST;
    } = {},
  ): Promise<Station> {
    const clock = { nowMs: FIRST_MSN * 2000 };
    const archive = await openArchive(
      {
        logger: silentLogger,
        metrics: noMetrics,
        ...deps,
        clock: { nowMs: () => unixMs(clock.nowMs) },
      },
      config,
      directory,
    );
    const restored = await archive.restore(broadcast, ringSegments);
    return new Station(archive, restored, clock, ringSegments, config.windowMs);
  }

  set nowMs(value: number) {
    this.#clock.nowMs = value;
  }

  /** Publishes both tracks, a quarter of a segment at a time, from segment `from` up to `to`. */
  publish(from: number, to: number, attempt = 1): void {
    const identity = { slot: 0, epoch: { timestamp: 1, attempt } };
    if (this.#publishers?.v.epoch.attempt !== attempt) {
      this.#publishers = {
        v: this.live.addPublisher('v180', identity, VIDEO_HEADER),
        a: this.live.addPublisher('a128', identity, AUDIO_HEADER),
      };
    }
    for (let at = from; at < to; at += 0.25) {
      this.#clock.nowMs = (at + 0.25) * 2000;
      this.live.publish('v180', this.#publishers.v, video(at, Math.min(to, at + 0.25)));
      this.live.publish('a128', this.#publishers.a, audio(at, Math.min(to, at + 0.25)));
    }
  }

  /** The same in steps, each of them on disk before the next. */
  async publishSlowly(from: number, to: number, attempt = 1): Promise<void> {
    for (let at = from; at < to; at += 1) {
      this.publish(at, Math.min(to, at + 1), attempt);
      await this.archive.idle();
      this.archive.sweep();
      await this.archive.idle();
    }
  }

  /** Ends the broadcast; on disk when it resolves. */
  async end(): Promise<void> {
    this.live.end();
    await this.archive.idle();
  }
}
