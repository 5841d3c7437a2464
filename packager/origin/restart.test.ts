/** A restart of an origin with two slots: who goes on, in which segment. */
import { describe, expect, it } from 'vitest';
import type { Agreement } from '../../infra/kernel/directory.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast, type LiveBroadcastOptions } from './liveBroadcast.ts';
import { memoryArchive } from './memoryArchive.ts';
import type { Publisher } from './publisher.ts';

const DEPTH = { windowSegments: 6, ringSegments: 8 };
const STEP = 0.25;
const TRACKS = [
  { name: 'v180', header: VIDEO_HEADER, make: video },
  { name: 'a128', header: AUDIO_HEADER, make: audio },
] as const;

/** One origin of several, over restarts: what is on its disk and in Redis stays. */
class Origin {
  readonly claims = new Map<string, string>();
  readonly #archive = memoryArchive(DEPTH.ringSegments);
  readonly #agreement: Agreement = {
    claim: (key, value) => {
      this.claims.set(key, this.claims.get(key) ?? value);
      return Promise.resolve(this.claims.get(key));
    },
    claims: () => Promise.resolve(new Map()),
  };
  #nowMs = N * 2000;
  live = this.#begin();

  restart(): void {
    this.live = this.#begin({ restored: this.#archive.found() });
  }

  join(slot: number): readonly Publisher[] {
    const identity = { slot, epoch: { timestamp: 1, attempt: 1 } };
    return TRACKS.map(({ name, header }) => this.live.addPublisher(name, identity, header));
  }

  /** What each slot makes of segments `from` up to `to`, by turns; its samples carry its number. */
  async send(from: number, to: number, slots: readonly (readonly Publisher[])[]): Promise<void> {
    for (let at = from; at < to; at += STEP) {
      this.#nowMs = (N + at) * 2000;
      for (const publishers of slots) {
        this.burst(at, at + STEP, publishers);
      }
      await settled();
      this.live.giveUpOnLateTracks(unixMs(this.#nowMs));
    }
  }

  /** All of it at once. */
  burst(from: number, to: number, publishers: readonly Publisher[]): void {
    for (const [index, { name, make }] of TRACKS.entries()) {
      const publisher = publishers[index]!;
      const data = new Uint8Array(8).fill(publisher.slot);
      const samples = make(N + from, N + to).map((sample) => ({ ...sample, data }));
      this.live.publish(name, publisher, samples);
    }
  }

  leave(publishers: readonly Publisher[]): void {
    for (const [index, { name }] of TRACKS.entries()) {
      this.live.leave(name, publishers[index]!);
    }
  }

  /** Complete segments of a track: which parts are there, and who made the last of them. */
  segments(name: string): string[] {
    return this.live
      .track(name)!
      .ring.segments.filter(({ isClosed }) => isClosed)
      .map(({ msn, parts, chunks }) => {
        const shape = parts.map(({ isGap }) => (isGap ? 'x' : '.')).join('');
        return `${msn - N} ${shape} by ${chunks.at(-1)?.at(-1)}`;
      });
  }

  #begin(options: LiveBroadcastOptions = {}): LiveBroadcast {
    const live: LiveBroadcast = new LiveBroadcast(BROADCAST, DEPTH, () => undefined, {
      agreement: this.#agreement,
      archive: this.#archive,
      nowMs: () => unixMs(this.#nowMs),
      onLoss: (track, loss) => {
        live.settle(track, loss, []);
      },
      ...options,
    });
    return live;
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) {
    await Promise.resolve();
  }
}

describe('a restart with two slots', () => {
  it('in the midst of a segment leaves the next to whom it is claimed for', async () => {
    const origin = new Origin();
    await origin.send(0, 1.5, [origin.join(0), origin.join(1)]);
    // Another origin was the first to ask.
    origin.claims.set(`segment:demo:${N + 2}`, '1@1.1');
    origin.restart();
    await origin.send(1.5, 4, [origin.join(0), origin.join(1)]);
    for (const { name } of TRACKS) {
      expect(origin.segments(name).slice(1, 3)).toEqual(['1 .... by 0', '2 .... by 1']);
    }
    expect(origin.live.splitSegments).toBe(0);
  });

  it('behind a split leaves the rest of the segment to whom it was left before', async () => {
    const origin = new Origin();
    const [one, other] = [origin.join(0), origin.join(1)];
    await origin.send(0, 1.25, [one, other]);
    origin.leave(one);
    await origin.send(1.25, 1.5, [other]);
    origin.restart();
    await origin.send(1.5, 3, [origin.join(1)]);
    for (const { name } of TRACKS) {
      expect(origin.segments(name)).toEqual(['0 .... by 0', '1 .... by 1', '2 .... by 1']);
    }
  });

  it.each([1.5, 2])(
    'after %d segments goes on with whose turn it is, whoever comes back first',
    async (until) => {
      const origin = new Origin();
      await origin.send(0, until, [origin.join(0), origin.join(1)]);
      origin.restart();
      const other = origin.join(1);
      origin.burst(until, 3.25, other);
      await settled();
      const one = origin.join(0);
      origin.burst(until, 3.25, one);
      await origin.send(3.25, 5, [one, other]);
      for (const { name } of TRACKS) {
        expect(origin.segments(name)).toEqual([0, 1, 2, 3, 4].map((msn) => `${msn} .... by 0`));
      }
      expect(origin.live.splitSegments).toBe(0);
    },
  );

  it('goes on with the other slot where the first is not back within a part', async () => {
    const origin = new Origin();
    await origin.send(0, 2, [origin.join(0), origin.join(1)]);
    origin.restart();
    await origin.send(2, 5, [origin.join(1)]);
    expect(origin.segments('v180').slice(2)).toEqual([2, 3, 4].map((msn) => `${msn} .... by 1`));
  });
});
