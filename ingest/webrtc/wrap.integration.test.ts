/** Loss over the wrap of the sequence numbers and of SRTP's roll-over counter, both ways. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CloseStack, closeStack } from '../../infra/kernel/lifecycle.ts';
import { type RelayedPlayer, startRelayedPlayer } from '../../test/support/relayedPlayer.ts';
import { startSyntheticStreamer } from '../../test/support/syntheticStreamer.ts';
import { until } from '../../test/support/until.ts';
import type { PeerStats } from './messages.ts';

let stack: CloseStack;
beforeEach(() => {
  stack = closeStack((error) => {
    throw error;
  });
});
afterEach(() => stack.close('test is over'));

type Watched = { readonly rtpTimes: number[]; stats: PeerStats | undefined; ended: string[] };

async function watch(player: RelayedPlayer, firstSequence: number): Promise<Watched> {
  stack.push(player);
  // 2 Mbit/s is about 220 packets a second.
  stack.push(startSyntheticStreamer(player.streamerUrl, { bitrateBps: 2_000_000, firstSequence }));
  const watched: Watched = { rtpTimes: [], stats: undefined, ended: [] };
  await player.watch((event) => {
    if (event.kind === 'unit' && event.unit.kind === 'video') {
      watched.rtpTimes.push(event.unit.rtpTime);
    } else if (event.kind === 'stats') {
      watched.stats = event.stats;
    } else if (event.kind === 'ended') {
      watched.ended.push(event.reason);
    }
  });
  await until('pictures', 10_000, () => watched.rtpTimes.length > 0);
  return watched;
}

it('repairs 3 % of loss in both directions across the wrap', async () => {
  const player = await startRelayedPlayer({ lossPercent: 3, delayMs: 10 });
  const watched = await watch(player, 65_400);
  // More packets than are left to the wrap, and all of what is lost is asked for.
  await until('what lies behind the wrap', 10_000, () => watched.rtpTimes.length > 90);
  const stats = await until('counts', 3000, () =>
    (watched.stats?.packetsReceived ?? 0) > 500 ? watched.stats : undefined,
  );
  const steps = watched.rtpTimes.slice(1).map((time, index) => time - watched.rtpTimes[index]!);
  expect(new Set(steps)).toEqual(new Set([3000])); // not one picture is missing
  expect(stats.nacksSent).toBeGreaterThan(0);
  expect(stats).toMatchObject({ unauthentic: 0, framesDamaged: 0 });
  expect(player.relay.dropped().toStreamer).toBeGreaterThan(0);
  expect(watched.ended).toEqual([]);
});

it('goes on after an outage that holds the wrap', async () => {
  const player = await startRelayedPlayer({ delayMs: 10 });
  const watched = await watch(player, 65_300);
  player.relay.blackout(1500); // 330 packets: from before the wrap to well behind it
  const before = watched.rtpTimes.length;
  await until('pictures of after the outage', 1500 + 3000, () => {
    const newest = watched.rtpTimes.at(-1) ?? 0;
    return newest - (watched.rtpTimes[before] ?? newest) > 90_000 * 1.5;
  });
  const stats = await until('counts', 3000, () =>
    (watched.stats?.packetsLost ?? 0) > 200 ? watched.stats : undefined,
  );
  expect(stats.unauthentic).toBe(0);
  expect(watched.ended).toEqual([]);
});
