/* eslint-disable @typescript-eslint/no-non-null-assertion -- as in tests, whose part this is */
/** For tests: two origins of one broadcast, what reaches them when, and what they ask each other. */
import type { Agreement } from '../../infra/kernel/directory.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { concatBytes, type Sample } from '../cmaf/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { Publisher } from './publisher.ts';

const HEADERS = { v180: VIDEO_HEADER, a128: AUDIO_HEADER };
export const TRACKS = ['v180', 'a128'] as const;
export type Track = (typeof TRACKS)[number];
/** Steps of a segment that a connection delivers at once. */
export const STEPS = 20;

/** Who publishes: from step `fromStep` on, where it is not there from the beginning. */
export type Maker = { readonly slot: number; readonly attempt: number; readonly fromStep?: number };

const TWO_SLOTS: readonly Maker[] = [
  { slot: 0, attempt: 1 },
  { slot: 1, attempt: 1 },
];

/** Two origins on one clock; what they ask each other waits until `deliver`. */
export class Pair {
  nowMs = N * 2000;
  readonly origins: readonly LiveBroadcast[];
  readonly publishers: Publisher[][][] = [];
  readonly held = new Map<string, string>();
  readonly #makers: readonly Maker[];
  readonly #sent: number[][][];
  readonly #asked: (() => void)[] = [];

  constructor(makers = TWO_SLOTS) {
    const { held } = this;
    this.#makers = makers;
    this.#sent = [0, 1].map(() => makers.map(({ fromStep = 0 }) => TRACKS.map(() => fromStep)));
    const agreement: Agreement = {
      claim: (key, value) => {
        held.set(key, held.get(key) ?? value);
        return Promise.resolve(held.get(key));
      },
      claims: () => Promise.resolve(new Map()),
    };
    this.origins = [0, 1].map((index) => this.#origin(index, agreement));
    for (const live of this.origins) {
      this.publishers.push(
        makers.map(({ slot, attempt, fromStep }) =>
          fromStep === undefined ? this.join(live, slot, attempt) : [],
        ),
      );
    }
  }

  join(live: LiveBroadcast, slot: number, attempt = 1): Publisher[] {
    const identity = { slot, epoch: { timestamp: 1, attempt } };
    return TRACKS.map((name) => live.addPublisher(name, identity, HEADERS[name]));
  }

  /** All of `maker` before step `until` has reached origin `o`. */
  async sendUntil(o: number, maker: number, track: number, until: number): Promise<void> {
    while ((this.#sent[o]![maker]![track] ?? 0) < until && this.#mayStill(o, maker, track)) {
      await this.send(o, maker, track);
    }
  }

  /** The next twentieth of a segment of one track reaches origin `o`. */
  async send(o: number, maker: number, track: number, until = Infinity): Promise<void> {
    const sent = this.#sent[o]![maker]!;
    const step = sent[track] ?? 0;
    if (step >= until || !this.#mayStill(o, maker, track)) {
      return;
    }
    const { slot, attempt } = this.#makers[maker]!;
    const publishers = this.publishers[o]![maker]!;
    if (publishers.length === 0) {
      publishers.push(...this.join(this.origins[o]!, slot, attempt));
    }
    sent[track] = step + 1;
    this.nowMs = Math.max(this.nowMs, (N + step / STEPS) * 2000);
    const name = TRACKS[track]!;
    const verdict = this.origins[o]!.publish(name, publishers[track]!, made(name, maker, step));
    if (verdict === 'fenced') {
      this.leave(o, maker, track);
    }
    // Claims are answered long before they count.
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.resolve();
    }
  }

  leave(o: number, maker: number, track: number): void {
    const publisher = this.publishers[o]![maker]![track];
    if (publisher?.isGone === false) {
      this.origins[o]!.leave(TRACKS[track]!, publisher);
    }
  }

  #mayStill(o: number, maker: number, track: number): boolean {
    return this.publishers[o]![maker]![track]?.isGone !== true;
  }

  /** What they have asked each other is answered. */
  deliver(): void {
    while (this.#asked.length > 0) {
      this.#asked.shift()?.();
    }
  }

  sweep(): void {
    for (const live of this.origins) {
      live.giveUpOnLateTracks(unixMs(this.nowMs));
    }
  }

  bytes(o: number, track: Track, msn: number): Uint8Array {
    return concatBytes([...(this.origins[o]!.track(track)?.ring.find(msn)?.chunks ?? [])]);
  }

  #origin(index: number, agreement: Agreement): LiveBroadcast {
    const depth = { windowSegments: 30, ringSegments: 45 };
    const live: LiveBroadcast = new LiveBroadcast(BROADCAST, depth, () => undefined, {
      agreement,
      nowMs: () => unixMs(this.nowMs),
      onLoss: (track, loss) => {
        this.#asked.push(() => {
          live.settle(track, loss, this.origins[1 - index]!.lostElsewhere(track, loss));
        });
      },
    });
    return live;
  }
}

/** What a maker makes of a twentieth of a segment: its samples carry its number. */
export function made(track: Track, maker: number, step: number): Sample[] {
  const [from, to] = [N + step / STEPS, N + (step + 1) / STEPS];
  const samples = track === 'v180' ? video(from, to) : audio(from, to);
  return samples.map((sample) => ({ ...sample, data: new Uint8Array(8).fill(maker + 1) }));
}
