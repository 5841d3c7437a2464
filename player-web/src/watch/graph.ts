/** The latency of the last minute as a line. */
import { addToSeries, type Series } from './latency.ts';

/** A graph that grows. */
export type LatencyGraph = {
  add(atMs: number, latencyMs: number | undefined, targetMs: number | undefined): void;
  clear(): void;
};

const SPAN_MS = 60_000;
const WIDTH = 240;
const HEIGHT = 56;

/** Binds `#graph` of the page. */
export function drawGraph(page: Document): LatencyGraph {
  const line = page.querySelector('#graph-line');
  const target = page.querySelector('#graph-target');
  let series: Series = [];

  return {
    add: (atMs, latencyMs, targetMs) => {
      if (latencyMs !== undefined) {
        series = addToSeries(series, atMs, latencyMs, SPAN_MS);
      }
      const top =
        Math.max(2000, (targetMs ?? 0) * 1.5, ...series.map((point) => point.value)) * 1.05;
      const y = (ms: number): string => (HEIGHT - (Math.max(0, ms) / top) * HEIGHT).toFixed(1);
      const x = (pointMs: number): string =>
        (WIDTH - ((atMs - pointMs) / SPAN_MS) * WIDTH).toFixed(1);
      line?.setAttribute(
        'points',
        series.map((point) => `${x(point.atMs)},${y(point.value)}`).join(' '),
      );
      target?.setAttribute('y1', y(targetMs ?? -1));
      target?.setAttribute('y2', y(targetMs ?? -1));
      target?.setAttribute('visibility', targetMs === undefined ? 'hidden' : 'visible');
    },
    clear: () => {
      series = [];
      line?.setAttribute('points', '');
    },
  };
}
