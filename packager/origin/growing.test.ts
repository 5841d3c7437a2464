/** A ladder that grows while two slots publish: runs that know the new rung take over, whoever is first. */
import { expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { Publisher } from './publisher.ts';

const DEPTH = { windowSegments: 30, ringSegments: 45 };
const RUNG = { name: 'v180-2', width: 320, height: 180, bitrateBps: 200_000 };
const GROWN: Broadcast = {
  ...BROADCAST,
  ladder: { ...BROADCAST.ladder, video: [...BROADCAST.ladder.video, RUNG] },
};
const NARROW = ['v180', 'a128'];
const WIDE = ['v180', 'v180-2', 'a128'];

/** An encoder: all its tracks, from a segment on, until it is refused. */
type Run = {
  readonly slot: number;
  readonly attempt: number;
  readonly tracks: readonly string[];
  readonly from: number;
  readonly publishers: Map<string, Publisher>;
};

function run(slot: number, attempt: number, tracks: readonly string[], from: number): Run {
  return { slot, attempt, tracks, from, publishers: new Map() };
}

/** A quarter of a segment of each track; false where it is fenced off. */
function publish(live: LiveBroadcast, { slot, attempt, tracks, publishers }: Run, at: number) {
  return tracks.every((name) => {
    const [header, media] = name === 'a128' ? [AUDIO_HEADER, audio] : [VIDEO_HEADER, video];
    const identity = { slot, epoch: { timestamp: 1, attempt } };
    const publisher = publishers.get(name) ?? live.addPublisher(name, identity, header);
    publishers.set(name, publisher);
    return live.publish(name, publisher, media(at, at + 0.25)) !== 'fenced';
  });
}

it.each([
  ['that of the slot that is followed first', [0, 1]],
  ['that of the other first', [1, 0]],
  ['and the slot that is followed has none yet', [1]],
])('another run of each slot takes over, %s', async (_which, order) => {
  let nowMs = N * 2000;
  const held = new Map<string, string>();
  const live = new LiveBroadcast(BROADCAST, DEPTH, () => undefined, {
    nowMs: () => unixMs(nowMs),
    agreement: {
      claim: (key, value) => {
        held.set(key, held.get(key) ?? value);
        return Promise.resolve(held.get(key));
      },
      claims: () => Promise.resolve(new Map()),
    },
  });
  await live.ready;
  let runs = [
    ...[0, 1].map((slot) => run(slot, 1, NARROW, N)),
    ...order.map((slot, index) => run(slot, 2, WIDE, N + 3 + index)),
  ];
  for (let at = N; at < N + 12; at += 0.25) {
    nowMs = (at + 0.25) * 2000;
    if (at === N + 2) {
      live.follow(GROWN);
    }
    runs = runs.filter((one) => at < one.from || publish(live, one, at));
    live.giveUpOnLateTracks(unixMs(nowMs));
    await new Promise(setImmediate);
  }
  const left = [0, 1].map((slot) => `${slot}.${order.includes(slot) ? 2 : 1}`);
  expect(runs.map(({ slot, attempt }) => `${slot}.${attempt}`).sort()).toEqual(left);
  expect(live.gapSegments).toBe(0);
  expect(live.presentation()?.windows.map(({ track }) => track.name)).toEqual(WIDE);
});
