/** One fault, done some times to a cluster under a page that plays. */
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import type { Page } from 'playwright-core';
import { errorText } from '../../infra/kernel/errors.ts';
import { pause } from '../../infra/kernel/lifecycle.ts';
import type { Fault } from './faults.ts';
import { type Figures, figuresOf, type Strike, type TrackSeen } from './figures.ts';
import { type PageSeen, readPage, watchPage } from './pageWatch.ts';
import { GRID, type Rig, TRACKS } from './rig.ts';
import { nowMs, SegmentWatch } from './segmentWatch.ts';

/** What came of it. */
export type Outcome = {
  readonly fault: string;
  readonly player: string;
  readonly strikes: readonly Strike[];
  readonly figures: Figures | undefined;
  /** What the figures were made of. */
  readonly tracks: readonly TrackSeen[];
  /** Loads of the page after the first; engines that it built anew by itself. */
  readonly reloads: number;
  readonly rebuilds: number;
  readonly lastFault: string | null;
  /** Share of the machine's time that was used, by anybody (0 to 1), and the load. */
  readonly busy: number;
  readonly load: number;
  /** Targets that do not hold, and what ended the run early. */
  readonly missed: readonly string[];
  /** The cluster did not become ready again: nothing else can be done to it. */
  readonly isBroken: boolean;
};

/** What is done, and under whose eyes. */
export type RunOptions = {
  readonly fault: Fault;
  readonly page: Page | undefined;
  readonly player: string;
  readonly times: number;
  readonly say: (text: string) => void;
};

/** Segments watched before the first strike and after the last. */
const LEAD_MS = 2 * GRID.segmentMs;
const TAIL_MS = 2 * GRID.segmentMs;

/** Does `fault` `times` times and looks at what comes of it; `say` is told of each step. */
export async function runFault(rig: Rig, options: RunOptions): Promise<Outcome> {
  const { fault, page, player } = options;
  const watches = watchesOf(rig);
  const strikes: Strike[] = [];
  let loads = 0;
  page?.on('load', () => (loads += 1));
  const cpu = await cpuTimes();
  let ending: string | undefined;
  try {
    await strikeAll(rig, options, strikes);
  } catch (error) {
    ending = errorText(error);
    options.say(`${fault.name}, ${player}: ${ending}`);
  }
  const endMs = nowMs();
  const seen = page === undefined ? undefined : await readPage(page).catch(() => undefined);
  await Promise.all(watches.map((watch) => watch.close()));
  const tracks = watches.map(trackSeen);
  const figures =
    strikes.length === 0 ? undefined : figuresOf(tracks, seen, strikes, { fps: GRID.fps }, endMs);
  return {
    ...{ fault: fault.name, player, strikes, figures, tracks, reloads: loads },
    ...{ rebuilds: seen?.builds ?? 0, lastFault: seen?.lastFault ?? null },
    ...{ busy: await busySince(cpu), load: loadavg()[0] ?? 0, isBroken: ending !== undefined },
    missed: [
      ...(ending === undefined ? [] : [ending]),
      ...(loads === 0 ? [] : ['the page was loaded anew']),
      ...missedOf(fault, figures),
    ],
  };
}

/** Does it again and again, each time once all is well. */
async function strikeAll(
  rig: Rig,
  { fault, page, player, times, say }: RunOptions,
  strikes: Strike[],
): Promise<void> {
  if (page !== undefined) {
    await watchPage(page);
  }
  await pause(LEAD_MS);
  while (strikes.length < times) {
    // Anywhere in a segment, not where the last one left off.
    await pause(Math.random() * GRID.segmentMs);
    const strike = await fault.strike(rig);
    strikes.push(strike);
    await pause(fault.lookMs);
    await rig.untilReady();
    const wellS = (nowMs() - strike.atMs) / 1000;
    const stood = longestSince(page === undefined ? undefined : await readPage(page), strike.atMs);
    say(
      `${fault.name}, ${player} ${strikes.length}/${times}: ${strike.text}; ` +
        `all is well again by ${wellS.toFixed(1)} s; longest stall ${stood.toFixed(0)} ms`,
    );
  }
  await pause(TAIL_MS);
}

function missedOf({ targets }: Fault, figures: Figures | undefined): string[] {
  return figures === undefined
    ? []
    : targets.filter(({ holds }) => !holds(figures)).map(({ text }) => text);
}

function watchesOf({ cluster }: Rig): SegmentWatch[] {
  return cluster.of('origin').flatMap(({ plan }) =>
    TRACKS.map(
      ({ track }) =>
        new SegmentWatch({
          ...{ origin: plan.name, url: plan.url, broadcast: cluster.broadcast, track },
          segmentMs: GRID.segmentMs,
        }),
    ),
  );
}

function trackSeen({ of, seen }: SegmentWatch): TrackSeen {
  const kind = TRACKS.find(({ track }) => track === of.track)?.kind ?? 'video';
  return {
    ...{ origin: of.origin, track: of.track, kind, segmentMs: of.segmentMs },
    segments: [...seen.values()].sort((a, b) => a.msn - b.msn),
  };
}

function longestSince(seen: PageSeen | undefined, atMs: number): number {
  const spans = (seen?.stalls ?? []).filter((span) => span.atMs + span.lengthMs > atMs);
  return Math.max(0, ...spans.map(({ lengthMs }) => lengthMs));
}

type CpuTimes = { readonly idle: number; readonly all: number };

async function cpuTimes(): Promise<CpuTimes> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8').catch(() => '')).split('\n');
  const times = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: (times[3] ?? 0) + (times[4] ?? 0), all: times.reduce((sum, one) => sum + one, 0) };
}

async function busySince(before: CpuTimes): Promise<number> {
  const now = await cpuTimes();
  return 1 - (now.idle - before.idle) / Math.max(1, now.all - before.all);
}
