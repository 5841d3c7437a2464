/**
 * The publishing one of two workers is killed while somebody watches: nobody is to notice. The
 * faults of `npm run chaos` are many and long; this is one of them, once, for every change.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAULTS } from '../chaos/faults.ts';
import { GRID, openRig, type Rig, TRACKS } from '../chaos/rig.ts';
import { type Outcome, runFault } from '../chaos/run.ts';
import { until } from '../support/until.ts';
import { watchStats } from '../support/watchPage.ts';

const PLAYER = 'hls';
const fault = FAULTS.find(({ name }) => name === 'kill-worker')!;
let rig: Awaited<ReturnType<typeof openRig>> | undefined;
let page: Page;
let isPassed = false;

beforeAll(async () => {
  rig = await openRig({ redundancy: fault.redundancy, hasBrowser: true });
  page = (await rig.play(PLAYER))!;
});

afterAll(async () => {
  await rig?.close('done');
  if (isPassed) {
    await rig?.forget();
  } else if (rig !== undefined) {
    say(`the cluster's logs: ${await rig.keepLogs()}`);
  }
});

it('a worker killed under a player costs no segment, no byte and no reload', async () => {
  const { cluster } = rig!;
  const pids = workerPids(cluster);
  const outcome = await runFault(rig!, { fault, page, player: PLAYER, times: 1, say });
  const { figures, strikes } = outcome;
  say(summary(outcome));
  // One of them is another process now: the fault was one.
  expect(workerPids(cluster).filter((pid) => !pids.includes(pid))).toHaveLength(1);
  expect(outcome).toMatchObject({ isBroken: false, reloads: 0 });
  expect(figures).toMatchObject({ missing: 0, gaps: 0, short: 0, unlike: 0, changed: 0 });
  // Seen before, in and after the fault, at both origins, and read again: else it says nothing.
  expect(figures!.compared).toBeGreaterThanOrEqual(4 * TRACKS.length);
  expect(figures!.readAgain).toBeGreaterThan(0);

  const before = await watchStats(page);
  const past = Math.max(before.currentTimeUnixMs, strikes[0]!.atMs + GRID.segmentMs) + 1000;
  await until('the page plays on, past the kill', 20_000, async () => {
    return (await watchStats(page)).currentTimeUnixMs > past;
  });
  isPassed = true;
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function workerPids(cluster: Rig['cluster']): (number | undefined)[] {
  return cluster.of('worker').map(({ pid }) => pid);
}

/** What is not asserted: it is a busy machine's as much as ours. */
function summary({ figures, rebuilds, lastFault, busy }: Outcome): string {
  const stallsMs = figures?.stalls.map(({ lengthMs }) => Math.round(lengthMs)) ?? [];
  return (
    `stalls [${stallsMs.join(', ')}] ms, silence ${Math.round(figures?.silencesMs[0] ?? 0)} ms, ` +
    `compared ${figures?.compared ?? 0}, read again ${figures?.readAgain ?? 0}, ` +
    `engine built anew ${rebuilds} times (${lastFault ?? 'no fault'}), machine ${Math.round(busy * 100)} % busy`
  );
}
