/** A broadcast through anything that may happen to it, at any instant: what was told stays true. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { renderIframePlaylist, renderMediaPlaylist, renderMpd } from '../playlists/index.ts';
import { CONFIG, Station, TRACKS } from './archive/fixtures.ts';
import { MemoryDisk } from './archive/memoryDisk.ts';
import { audio, FIRST_MSN as N, video } from './fixtures.ts';
import type { View } from './presentation.ts';
import type { Publisher } from './publisher.ts';

type Step =
  | { readonly kind: 'publish' | 'hole' | 'lag'; readonly eighths: number }
  | { readonly kind: 'leave' | 'newcomer' | 'otherHeader' | 'late' | 'end' | 'start' | 'restart' };

const OTHER_HEADER = VIDEO_HEADER.map((byte, index) => (index === 15 ? 1 : byte));
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'publish' as const,
        'publish' as const,
        'hole' as const,
        'lag' as const,
      ),
      eighths: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(['leave', 'newcomer', 'otherHeader', 'late', 'end', 'start', 'restart'] as const),
      ),
    }),
  },
);

/** Does the steps, and looks after each at all that players are told. */
class Journey {
  #station: Station;
  #disk = new MemoryDisk();
  #at = N;
  #attempt = 0;
  #header = VIDEO_HEADER;
  #publishers: { v: Publisher; a: Publisher } | undefined;
  readonly #told = new Map<string, string>();
  readonly #sequence = new Map<string, number>();

  private constructor(station: Station, disk: MemoryDisk) {
    this.#station = station;
    this.#disk = disk;
  }

  static async begin(): Promise<Journey> {
    const disk = new MemoryDisk();
    return new Journey(await Station.open('/media', { fileSystem: disk, config: CONFIG }), disk);
  }

  async take(step: Step): Promise<void> {
    const { live } = this.#station;
    switch (step.kind) {
      case 'publish':
        this.#publish(step.eighths / 8, TRACKS);
        break;
      case 'lag':
        this.#publish(step.eighths / 8, ['v180']);
        break;
      case 'hole':
        this.#at += step.eighths;
        break;
      case 'leave':
        this.#leave();
        break;
      case 'newcomer':
        this.#publishers = undefined;
        break;
      case 'otherHeader':
        this.#publishers = undefined;
        this.#header = this.#header === VIDEO_HEADER ? OTHER_HEADER : VIDEO_HEADER;
        break;
      case 'late':
        live.giveUpOnLateTracks(unixMs(this.#at * 2000));
        live.giveUpOnLateTracks(unixMs(this.#at * 2000 + 1000));
        break;
      case 'end':
        live.end();
        break;
      case 'start':
        this.#station.nowMs = this.#at * 2000;
        live.start();
        this.#publishers = undefined;
        break;
      case 'restart':
        await this.#restart();
    }
    // A disk that cannot keep up loses segments, which is another story (archive.test.ts).
    await this.#station.archive.idle();
    this.#look();
  }

  #publish(segments: number, tracks: readonly string[]): void {
    const { live } = this.#station;
    const from = this.#at;
    this.#at += segments;
    if (live.isEnded) {
      return;
    }
    this.#publishers ??= this.#join();
    for (let at = from; at < this.#at; at += 0.25) {
      const to = Math.min(this.#at, at + 0.25);
      live.publish('v180', this.#publishers.v, video(at, to));
      if (tracks.includes('a128')) {
        live.publish('a128', this.#publishers.a, audio(at, to));
      }
    }
  }

  #join(): { v: Publisher; a: Publisher } {
    this.#attempt += 1;
    const identity = { slot: 0, epoch: { timestamp: 1, attempt: this.#attempt } };
    const { live } = this.#station;
    return {
      v: live.addPublisher('v180', identity, this.#header),
      a: live.addPublisher('a128', identity, AUDIO_HEADER),
    };
  }

  #leave(): void {
    if (this.#publishers !== undefined) {
      this.#station.live.leave('v180', this.#publishers.v);
      this.#station.live.leave('a128', this.#publishers.a);
      this.#publishers = undefined;
    }
  }

  async #restart(): Promise<void> {
    await this.#station.archive.idle();
    const isEnded = this.#station.live.isEnded;
    this.#disk = this.#disk.copy();
    const broadcast = { ...this.#station.live.broadcast };
    this.#station = await Station.open('/media', {
      fileSystem: this.#disk,
      config: CONFIG,
      broadcast: isEnded ? { ...broadcast, endedMs: 1 } : broadcast,
    });
    this.#publishers = undefined;
    if (isEnded) {
      this.#station.live.end();
    }
  }

  #look(): void {
    for (const view of ['live', 'dvr'] as const) {
      this.#lookAt(view);
    }
  }

  #lookAt(view: View): void {
    const presentation = this.#station.live.presentation(view);
    if (presentation === undefined) {
      return;
    }
    renderMpd(presentation);
    for (const { track, segments } of presentation.windows) {
      const text = renderMediaPlaylist(presentation, track.name);
      expect(text.includes('#EXT-X-ENDLIST')).toBe(this.#station.live.isEnded);
      if (track.kind === 'video') {
        renderIframePlaylist(presentation, track.name);
      }
      for (const tag of ['MEDIA-SEQUENCE', 'DISCONTINUITY-SEQUENCE']) {
        const value = Number(new RegExp(`#EXT-X-${tag}:(\\d+)`).exec(text)?.[1]);
        const key = `${view} ${track.name} ${tag}`;
        expect(value).toBeGreaterThanOrEqual(this.#sequence.get(key) ?? 0);
        this.#sequence.set(key, value);
      }
      const first = segments[0]?.msn ?? 0;
      for (const [index, { msn, start, duration, isGap, era, parts }] of segments.entries()) {
        expect(msn).toBe(first + index);
        const key = `${track.name} ${msn}`;
        const told = JSON.stringify([start, duration, isGap, era]);
        expect([key, this.#told.get(key) ?? told]).toEqual([key, told]);
        this.#told.set(key, told);
        if (parts.length > 0) {
          expect(parts.reduce((sum, part) => sum + part.duration, 0)).toBe(duration);
        }
      }
    }
  }
}

it('[U01 U02 U06 H18 H19] holes, ends, starts, restarts and other headers at any instant', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 4, maxLength: 24 }), async (steps) => {
      const journey = await Journey.begin();
      for (const step of steps) {
        await journey.take(step);
      }
    }),
    { numRuns: 100 },
  );
}, 120_000);
