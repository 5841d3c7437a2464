/** The table of `npm run chaos`. Pure. */
import type { Outcome } from './run.ts';

const COLUMNS = [
  ['fault', 18],
  ['player', 6],
  ['times', 5],
  ['segments', 8],
  ['missing', 7],
  ['gaps', 4],
  ['short', 5],
  ['unlike', 9],
  ['changed', 9],
  ['stalls', 6],
  ['longest ms', 10],
  ['total ms', 8],
  ['frozen ms', 9],
  ['skipped ms', 10],
  ['back after ms, median / max', 27],
  ['silence ms', 10],
  ['rebuilds', 8],
  ['busy', 5],
  ['targets', 7],
] as const;

/** Its head, with what the columns mean. */
export const TABLE_HEAD = [
  'segments, missing, gaps, short: of all tracks at both origins. unlike: pairs of the two origins with other bytes, of those',
  'compared. changed: segments that had other bytes when read again, of those read again. stalls: playback stood still for',
  '100 ms or more; frozen: the longest time one picture was shown. back after: from the fault to the first new media.',
  'silence: the longest time without new media. busy: share of both cores, by anybody on the machine.',
  '',
  row(COLUMNS.map(([name]) => name)),
].join('\n');

/** A row. */
export function outcomeRow({ fault, player, strikes, figures, ...rest }: Outcome): string {
  if (figures === undefined) {
    return row([fault, player, '0', ...Array<string>(15).fill('-'), 'MISSED']);
  }
  const recoveries = sorted(figures.recoveriesMs);
  const median = recoveries[Math.floor((recoveries.length - 1) / 2)] ?? 0;
  return row([
    ...[fault, player, String(strikes.length), String(figures.segments), String(figures.missing)],
    ...[String(figures.gaps), String(figures.short)],
    ...[`${figures.unlike}/${figures.compared}`, `${figures.changed}/${figures.readAgain}`],
    ...(player === 'none' ? ['-', '-', '-', '-', '-'] : pageCells(figures)),
    `${median.toFixed(0)} / ${(recoveries.at(-1) ?? 0).toFixed(0)}`,
    Math.max(0, ...figures.silencesMs).toFixed(0),
    String(rest.rebuilds),
    `${(rest.busy * 100).toFixed(0)} %`,
    rest.missed.length === 0 ? 'met' : 'MISSED',
  ]);
}

function pageCells({ stalls, freezes, skippedMs }: NonNullable<Outcome['figures']>): string[] {
  const lengths = stalls.map(({ lengthMs }) => lengthMs);
  return [
    String(stalls.length),
    Math.max(0, ...lengths).toFixed(0),
    lengths.reduce((sum, one) => sum + one, 0).toFixed(0),
    Math.max(0, ...freezes.map(({ lengthMs }) => lengthMs)).toFixed(0),
    skippedMs.toFixed(0),
  ];
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const width = COLUMNS[index]?.[1] ?? 0;
      return index < 2 ? cell.padEnd(width) : cell.padStart(width);
    })
    .join('  ');
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
