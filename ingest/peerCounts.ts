/** What the peers of one ingest have counted, summed over them, for the status and the metrics. */
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { IngestStatus } from '../infra/kernel/wire.ts';
import { KEYFRAME_REASONS } from './rtp/keyframePolicy.ts';
import type { PeerStats } from './webrtc/messages.ts';

const COUNTERS = [
  ...(['framesIn', 'framesDamaged', 'plisSent', 'nacksSent', 'packetsLost'] as const),
  ...(['packetsRecovered', 'unauthentic'] as const),
];
const DELAY_BUCKETS_MS = [10, 20, 40, 80, 120, 160, 200, 250, 300, 400, 600, 1000];

type Totals = Record<'framesIn' | 'framesDamaged' | 'plisSent' | 'nacksSent', number>;

/** A peer counts from 0 and tells it each second. */
export class PeerCounts {
  readonly #metrics: Metrics;
  readonly #total: Totals = { framesIn: 0, framesDamaged: 0, plisSent: 0, nacksSent: 0 };
  #last: PeerStats | undefined;
  #bitrateBps: number | undefined;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Sums, and what holds for the present peer; that is absent while there is none. */
  get status(): Pick<
    IngestStatus,
    | 'framesIn'
    | 'framesDamaged'
    | 'plisSent'
    | 'nacksSent'
    | 'bitrateBps'
    | 'roundTripMs'
    | 'reorderMs'
  > {
    return {
      ...this.#total,
      ...(this.#bitrateBps === undefined ? {} : { bitrateBps: this.#bitrateBps }),
      ...(this.#last === undefined
        ? {}
        : {
            roundTripMs: Math.round(this.#last.roundTripMs),
            reorderMs: Math.round(this.#last.reorderMs),
          }),
    };
  }

  /** What a peer tells, `passedMs` after it told last. */
  take(stats: PeerStats, passedMs: number): void {
    const events = this.#metrics.counter(
      'grandstand_ingest_events_total',
      'Frames, losses and feedback of ingest peers',
      ['event'],
    );
    for (const name of COUNTERS) {
      const more = stats[name] - (this.#last?.[name] ?? 0);
      events.add(more, { event: name });
      if (name in this.#total) {
        this.#total[name as keyof Totals] += more;
      }
    }
    this.#takeKeyframeRequests(stats);
    this.#observe('round_trip', 'Round trip to streamers, each second', stats.roundTripMs);
    this.#observe('reorder', 'How long a lost packet is waited for, each second', stats.reorderMs);
    this.#bitrateBps = (stats.bytes - (this.#last?.bytes ?? 0)) * 8 * (1000 / passedMs);
    this.#last = stats;
  }

  /** The peer is gone. */
  endPeer(): void {
    this.#last = undefined;
    this.#bitrateBps = undefined;
  }

  #takeKeyframeRequests({ plisByReason }: PeerStats): void {
    const requests = this.#metrics.counter(
      'grandstand_ingest_keyframe_requests_total',
      'Keyframes that streamers were asked for',
      ['reason'],
    );
    for (const reason of KEYFRAME_REASONS) {
      const more = (plisByReason[reason] ?? 0) - (this.#last?.plisByReason[reason] ?? 0);
      requests.add(more, { reason });
    }
  }

  #observe(what: string, help: string, ms: number): void {
    this.#metrics.histogram(`grandstand_ingest_${what}_ms`, help, DELAY_BUCKETS_MS).observe(ms);
  }
}
