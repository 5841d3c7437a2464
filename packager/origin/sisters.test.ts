import { expect, it } from 'vitest';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { Publisher } from './publisher.ts';

const MAKE = { v180: video, a128: audio, a64: audio };
const HEADERS = { v180: VIDEO_HEADER, a128: AUDIO_HEADER, a64: AUDIO_HEADER };
type Name = keyof typeof MAKE;
const TWO: readonly Name[] = ['v180', 'a128'];
const THREE: readonly Name[] = [...TWO, 'a64'];
const STEPS = 20;

/** Encoders whose clocks differ; each 100 ms what they have made arrives, and the origin sweeps. */
class Encoders {
  readonly live: LiveBroadcast;
  readonly #publishers: Partial<Record<Name, Publisher>> = {};
  readonly #skew: Readonly<Record<Name, number>>;
  /** Versions of what players are told, one a step. */
  readonly versions: number[] = [];
  #step = 0;

  /** @param skew by how many segments their clocks are ahead of the origin's */
  constructor(skew: Partial<Record<Name, number>>) {
    const depth = { windowSegments: 30, ringSegments: 45 };
    this.#skew = { v180: 0, a128: 0, a64: 0, ...skew };
    this.live = new LiveBroadcast(BROADCAST, depth, () => undefined, { nowMs: () => this.nowMs });
  }

  get nowMs(): UnixMs {
    return unixMs(N * 2000 + (this.#step * 2000) / STEPS);
  }

  run(segments: number, names: readonly Name[] = TWO): void {
    for (const end = this.#step + segments * STEPS; this.#step < end;) {
      const from = N + this.#step / STEPS;
      this.#step += 1;
      for (const name of names) {
        const at = from + this.#skew[name];
        const publisher = (this.#publishers[name] ??= this.#join(name));
        this.live.publish(name, publisher, MAKE[name](at, at + 1 / STEPS));
      }
      this.live.giveUpOnLateTracks(this.nowMs);
      this.versions.push(this.live.version);
    }
  }

  /** Segments of a track of which something misses. */
  missing(name: Name): number[] {
    const segments = this.live.track(name)?.ring.segments ?? [];
    return segments
      .filter(({ isGap, parts }) => isGap || parts.some((part) => part.isGap))
      .map(({ msn }) => msn - N);
  }

  #join(name: Name): Publisher {
    const identity = { slot: 0, epoch: { timestamp: 1, attempt: 0 } };
    return this.live.addPublisher(name, identity, HEADERS[name]);
  }
}

it.each([0.25, 0.5, 1.5, 2.5, 4.5, 14.5])(
  'a track %d segments ahead of the clock takes nothing from others',
  (ahead) => {
    for (const name of TWO) {
      const other = name === 'v180' ? 'a128' : 'v180';
      const encoders = new Encoders({ [name]: ahead, [other]: -0.2 });
      encoders.run(20);
      expect(encoders.missing(other)).toEqual([]);
    }
  },
);

it.each([1.5, 14.5])('nor where one %d segments ahead breaks off and comes back', (ahead) => {
  const encoders = new Encoders({ a128: ahead });
  encoders.run(5.9);
  encoders.run(0.5, ['v180']);
  const before = encoders.versions.length;
  encoders.run(4);
  expect(encoders.missing('v180')).toEqual([]);
  // Nor do its playlists wait: one more part each five steps.
  const versions = encoders.versions.slice(before);
  expect(versions.every((version, at) => at < 5 || version > versions[at - 5]!)).toBe(true);
});

it.each([0.5, 1.5, 4.5])('a hole that all have ends together, one %d segments ahead', (ahead) => {
  const encoders = new Encoders({ a128: ahead });
  encoders.run(5.5);
  encoders.run(5, []);
  const { version } = encoders.live;
  encoders.run(0.2, ['a128']);
  expect(encoders.live.version).toBe(version);
  encoders.run(4.8);
  expect(encoders.live.version).toBeGreaterThan(version);
  expect(encoders.missing('v180')).toEqual([5, 6, 7, 8, 9, 10]);
});

it('one that does not come after such a hole takes no part of those that do', () => {
  const encoders = new Encoders({ a64: -0.25 });
  encoders.run(5.5, THREE);
  encoders.run(5.2, []);
  encoders.run(3, ['a128', 'a64']);
  const parts = encoders.live.track('a64')?.ring.find(N + 10)?.parts;
  expect(parts?.map(({ isGap }) => isGap)).toEqual([true, false, false, false]);
  expect(encoders.missing('v180')).toEqual([5, 6, 7, 8, 9, 10, 11]);
});

it('a track that stops gets GAP, also where the others are ahead of the clock', () => {
  const encoders = new Encoders({ a128: 4.5 });
  encoders.run(5.25);
  encoders.run(3, ['a128']);
  expect(encoders.missing('v180')).toEqual([5, 6]);
});

it.each([2.5, 4.5, 14.5])('a track %d segments behind gets GAP and takes nothing', (behind) => {
  const encoders = new Encoders({ a128: -behind });
  encoders.run(20);
  expect(encoders.missing('v180')).toEqual([]);
  expect(encoders.missing('a128').at(-1)).toBeGreaterThan(15);
  const versions = encoders.versions.slice(10 * STEPS);
  expect(versions.every((version, at) => at < 5 || version > versions[at - 5]!)).toBe(true);
});
