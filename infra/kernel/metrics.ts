/** Metrics with bounded labels; prom-client underneath, one registry per process. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A number that only grows. */
export interface CounterMetric {
  add(value?: number, labels?: Readonly<Record<string, string>>): void;
}

/** A number that is set. */
export interface GaugeMetric {
  set(value: number, labels?: Readonly<Record<string, string>>): void;
}

/** A distribution. */
export interface HistogramMetric {
  observe(value: number, labels?: Readonly<Record<string, string>>): void;
}

/** What every part of the house is given to count with. Names: `grandstand_<area>_<thing>_<unit>`. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): CounterMetric;
  gauge(name: string, help: string, labels?: readonly string[]): GaugeMetric;
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): HistogramMetric;
}

/** Metrics of one process and their Prometheus text. Asking twice for a name gives the same metric. */
export function createMetrics(): Metrics & {
  render(): Promise<{ contentType: string; body: string }>;
} {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  return {
    counter(name, help, labels = []) {
      const metric = remember(
        counters,
        name,
        () => new Counter({ name, help, labelNames: [...labels], registers: [registry] }),
      );
      return {
        add(value = 1, values = {}) {
          metric.inc(values, value);
        },
      };
    },
    gauge(name, help, labels = []) {
      const metric = remember(
        gauges,
        name,
        () => new Gauge({ name, help, labelNames: [...labels], registers: [registry] }),
      );
      return {
        set(value, values = {}) {
          metric.set(values, value);
        },
      };
    },
    histogram(name, help, buckets, labels = []) {
      const metric = remember(
        histograms,
        name,
        () =>
          new Histogram({
            name,
            help,
            labelNames: [...labels],
            buckets: [...buckets],
            registers: [registry],
          }),
      );
      return {
        observe(value, values = {}) {
          metric.observe(values, value);
        },
      };
    },
    async render() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

/** Metrics that go nowhere: for tests. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
};

function remember<T>(known: Map<string, T>, name: string, make: () => T): T {
  const metric = known.get(name) ?? make();
  known.set(name, metric);
  return metric;
}
