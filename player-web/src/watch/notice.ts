/** What the watch page tells its viewer over the picture. Pure. */
import type { BroadcastState } from '../lib/api.ts';

/** What the page knows at an instant. */
export type Situation = {
  /** Of the API; undefined while it has not answered. */
  readonly api: BroadcastState | 'missing' | 'unreachable' | undefined;
  /** What the API says of it. */
  readonly reason: string | undefined;
  readonly hasStarted: boolean;
  /** How long playback has made no progress (ms). */
  readonly stillForMs: number;
  readonly isPaused: boolean;
  /** The browser refused to start playback without a gesture. */
  readonly needsGesture: boolean;
};

/** A notice over the picture; `isBusy` shows that something is being waited for. */
export type Notice = { readonly title: string; readonly detail: string; readonly isBusy: boolean };

/** A picture that stands still for less is no news (ms). */
const STILL_MS = 1200;

const STARTS_BY_ITSELF = 'It starts here by itself.';

/** The notice to show, or undefined while the picture moves. */
export function noticeFor(situation: Situation): Notice | undefined {
  const { api } = situation;
  if (situation.needsGesture) {
    return { title: 'Ready', detail: 'Press play to start watching.', isBusy: false };
  }
  if (situation.isPaused && situation.hasStarted) {
    return { title: 'Paused', detail: 'Playback goes on at the live moment.', isBusy: false };
  }
  if (situation.hasStarted && situation.stillForMs < STILL_MS) {
    return undefined;
  }
  if (api === 'ended') {
    return { title: 'The broadcast has ended', detail: 'Thank you for watching.', isBusy: false };
  }
  if (situation.hasStarted) {
    return api === 'live'
      ? { title: 'Catching up', detail: 'The picture will be back in a moment.', isBusy: true }
      : {
          title: 'Interrupted, coming back',
          detail: 'This page goes on by itself when the stream returns.',
          isBusy: true,
        };
  }
  return startNotice(api, situation.reason);
}

function startNotice(api: Situation['api'], reason: string | undefined): Notice {
  switch (api) {
    case 'live':
    case undefined:
      return { title: 'Loading', detail: 'Joining the broadcast.', isBusy: true };
    case 'missing':
      return {
        title: 'Waiting for the broadcast',
        detail: 'Nothing is known under this name yet. It starts here as soon as it appears.',
        isBusy: true,
      };
    case 'unreachable':
      return {
        title: 'Waiting for the server',
        detail: 'The gateway does not answer. This page keeps trying.',
        isBusy: true,
      };
    case 'idle':
    case 'queued':
    case 'starting':
    case 'interrupted':
    case 'ended':
      return {
        title: 'Waiting for the broadcast',
        detail: reason === undefined ? STARTS_BY_ITSELF : `${STARTS_BY_ITSELF} (${reason})`,
        isBusy: true,
      };
  }
}
