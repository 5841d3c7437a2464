/** What viewers get of a live broadcast over a while: bit rates of its tracks against what is announced. */
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';

/** One track over the window. */
export type RungFigures = {
  readonly name: string;
  readonly askedBps: number;
  readonly meanBps: number;
  /** Largest segment over its duration, with the sound's for a video rung, as BANDWIDTH counts. */
  readonly peakBps: number;
};

/** BANDWIDTH of the variants by the track they play. */
export async function announcedBps(
  url: string,
  broadcast: string,
): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/live/${broadcast}/main.m3u8`)).text();
  return new Map(
    [...text.matchAll(/#EXT-X-STREAM-INF:BANDWIDTH=(\d+).*\n([^/\n]+)\//g)].map(
      ([, bps, track = '']) => [track, Number(bps)],
    ),
  );
}

/** Segments `first` to `last` of every track of the default ladder, of 2 s each. */
export async function rungFigures(
  url: string,
  broadcast: string,
  first: number,
  last: number,
): Promise<RungFigures[]> {
  const rungs = [...DEFAULT_LADDER.audio, ...DEFAULT_LADDER.video];
  const figures: RungFigures[] = [];
  let soundPeakBps = 0;
  for (const { name, bitrateBps } of rungs) {
    const rates: number[] = [];
    for (let msn = first; msn <= last; msn += 1) {
      const response = await fetch(`${url}/live/${broadcast}/${name}/${msn}.m4s`);
      rates.push(((await response.arrayBuffer()).byteLength * 8) / 2);
    }
    const isSound = name.startsWith('a');
    const peakBps = Math.max(...rates);
    figures.push({
      ...{ name, askedBps: bitrateBps },
      meanBps: rates.reduce((a, b) => a + b, 0) / rates.length,
      peakBps: isSound ? peakBps : peakBps + soundPeakBps,
    });
    soundPeakBps = isSound ? peakBps : soundPeakBps;
  }
  return figures;
}
