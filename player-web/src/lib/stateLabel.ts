/** What the pages call the states of a broadcast. */
import type { BroadcastState } from './api.ts';

const LABELS: Readonly<Record<BroadcastState, string>> = {
  idle: 'Idle',
  queued: 'Queued',
  starting: 'Starting',
  live: 'Live',
  interrupted: 'Interrupted',
  ended: 'Ended',
};

/** The label of a state. */
export function stateLabel(state: BroadcastState): string {
  return LABELS[state];
}
