/**
 * `npm run chaos -- [fault …] [--times N] [--player hls|dash|both|none]`: does each fault N times to
 * a cluster on this machine under a page that plays, and prints what came of it. Exit code 1 where a
 * target is missed.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { type Fault, FAULTS } from './faults.ts';
import { openRig, type Player } from './rig.ts';
import { type Outcome, runFault } from './run.ts';
import { outcomeRow, TABLE_HEAD } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { times: { type: 'string' }, player: { type: 'string', default: 'both' } },
});
const PLAYERS: Readonly<Record<string, readonly (Player | 'none')[]>> = {
  ...{ both: ['hls', 'dash'], hls: ['hls'], dash: ['dash'] },
  // Without a browser: only what the origins have.
  none: ['none'],
};
const players = PLAYERS[values.player];
const times = values.times === undefined ? undefined : Number(values.times);
if (
  players === undefined ||
  positionals.some((name) => !FAULTS.some((fault) => fault.name === name)) ||
  (times !== undefined && !(times >= 1))
) {
  console.error('usage: npm run chaos -- [fault …] [--times N] [--player hls|dash|both|none]\n');
  FAULTS.forEach(({ name, about }) => {
    console.error(`  ${name.padEnd(20)} ${about}`);
  });
  process.exit(2);
}
const faults = FAULTS.filter(({ name }) =>
  positionals.length === 0 ? name !== 'none' : positionals.includes(name),
);
const outcomes: Outcome[] = [];
for (const redundancy of [2, 1] as const) {
  const pairs = players.flatMap((player) =>
    faults.filter((fault) => fault.redundancy === redundancy).map((fault) => ({ fault, player })),
  );
  // A cluster that a fault has broken is given up; the next fault has one of its own.
  while (pairs.length > 0) {
    outcomes.push(...(await runOnOne(redundancy, pairs)));
  }
}
console.log(`\n${TABLE_HEAD}`);
outcomes.forEach((outcome) => {
  console.log(outcomeRow(outcome));
});
const missed = outcomes.flatMap(({ fault, player, missed: texts }) =>
  texts.map((text) => `missed: ${fault}, ${player}: ${text}`),
);
missed.forEach((text) => {
  console.log(text);
});
process.exit(missed.length === 0 ? 0 : 1);

type Pair = { readonly fault: Fault; readonly player: Player | 'none' };

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 23)}  ${text}`);
}

/** Takes pairs off the list and runs them on one cluster, until none is left or it is broken. */
async function runOnOne(redundancy: 1 | 2, pairs: Pair[]): Promise<Outcome[]> {
  say(`a cluster of redundancy ${redundancy} starts`);
  const hasBrowser = pairs.some(({ player }) => player !== 'none');
  const rig = await openRig({ redundancy, hasBrowser });
  const made: Outcome[] = [];
  let page: Page | undefined;
  let playing: string | undefined;
  try {
    while (pairs.length > 0 && made.at(-1)?.isBroken !== true) {
      const { fault, player } = pairs.shift()!;
      if (player !== playing) {
        await page?.close();
        page = player === 'none' ? undefined : await rig.play(player);
        playing = player;
      }
      const count = times ?? fault.times;
      made.push(await runFault(rig, { fault, page, player, times: count, say }));
    }
  } catch (error) {
    await rig.close('failed');
    say(`logs: ${await rig.keepLogs()}`);
    throw error;
  }
  await rig.close('done');
  if (made.every((one) => one.missed.length === 0)) {
    await rig.forget();
  } else {
    const kept = await rig.keepLogs();
    await writeFile(join(kept, 'figures.json'), JSON.stringify(made, undefined, 1));
    say(`logs and figures: ${kept}`);
  }
  return made;
}
