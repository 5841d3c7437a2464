/** The storage in metrics: bounded, whatever is kept. */
import type { Metrics } from '../../../infra/kernel/metrics.ts';
import type { StorageState } from '../storage.ts';

const STATES = ['ok', 'slow', 'full', 'failing'] as const;

/** Registers the metrics; the function sets them and adds what was dropped since. */
export function storageReporter(
  metrics: Metrics,
  read: () => StorageState & { readonly queued: number },
): (dropped: number) => void {
  const bytes = metrics.gauge('grandstand_origin_storage_bytes', 'Media on disk.');
  const queued = metrics.gauge('grandstand_origin_storage_queued_bytes', 'Media not yet on disk.');
  const state = metrics.gauge('grandstand_origin_storage_state', '1 for the state it is in.', [
    'state',
  ]);
  const lost = metrics.counter(
    'grandstand_origin_storage_dropped_segments_total',
    'Segments that could not be kept.',
  );
  return (dropped) => {
    const now = read();
    bytes.set(now.bytes);
    queued.set(now.queued);
    for (const one of STATES) {
      state.set(one === now.state ? 1 : 0, { state: one });
    }
    lost.add(dropped);
  };
}
