/** What signalling counts and says of itself. */
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { SignallingEvent } from './roles/turn.ts';

/** The log line of each event. */
export const EVENT_TEXTS: Readonly<Record<SignallingEvent['kind'], string>> = {
  streamerIdentified: 'streamer identified',
  streamerRenamed: 'streamer renamed',
  streamerGone: 'streamer gone',
  presenterConnected: 'presenter connected',
  presenterGone: 'presenter gone',
  seatGranted: 'seat granted',
  seatKept: 'seat kept for its presenter',
  seatReleased: 'seat free',
  seatOffered: 'seat offered',
  seatRequested: 'seat requested',
};

/** Its metrics. */
export function signallingMetrics(metrics: Metrics) {
  return {
    connections: metrics.gauge(
      'grandstand_signalling_connections',
      'WebSocket connections by role',
      ['role'],
    ),
    ignored: metrics.counter(
      'grandstand_signalling_messages_ignored_total',
      'Messages that had no effect, by role of the sender and why',
      ['role', 'why'],
    ),
    faults: metrics.counter(
      'grandstand_signalling_faults_total',
      'Connections that failed or broke a bound',
      ['role'],
    ),
    refused: metrics.counter(
      'grandstand_signalling_refused_total',
      'Connections refused at the door: full or stopping, by origin, rate or admission',
      ['role', 'why'],
    ),
  };
}
