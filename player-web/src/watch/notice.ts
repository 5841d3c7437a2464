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
  /** Played to the end of the broadcast or of the recording. */
  readonly hasEnded: boolean;
  /** After a pause playback is live again at once: nothing is kept to be rewound to. */
  readonly resumesLive: boolean;
  /** The recording that this page plays, where it plays one. */
  readonly recording: 'loading' | 'known' | 'missing' | undefined;
  /** A complete recording of the run that is over. */
  readonly hasRecording: boolean;
};

/** What a notice offers: to watch the recording, to watch it again, to go to the broadcast. */
export type NoticeAction = 'watchRecording' | 'replay' | 'watchLive';

/** A notice over the picture; `isBusy` shows that something is being waited for. */
export type Notice = {
  readonly title: string;
  readonly detail: string;
  readonly isBusy: boolean;
  readonly action?: NoticeAction;
};

/** A picture that stands still for less is no news (ms). */
const STILL_MS = 1200;

const STARTS_BY_ITSELF = 'It starts here by itself.';

/** The notice to show, or undefined while the picture moves. */
export function noticeFor(situation: Situation): Notice | undefined {
  const isMoving = situation.hasStarted && situation.stillForMs < STILL_MS;
  if (situation.needsGesture) {
    return { title: 'Ready', detail: 'Press play to start watching.', isBusy: false };
  }
  if (situation.recording === 'missing' && !situation.hasStarted) {
    return {
      title: 'This recording is not kept any more',
      detail: 'Recordings are removed some time after the broadcast.',
      isBusy: false,
      action: 'watchLive',
    };
  }
  if (situation.hasEnded) {
    return endNotice(situation);
  }
  if (situation.isPaused && situation.hasStarted) {
    const detail = situation.resumesLive
      ? 'Playback goes on at the live moment.'
      : 'Playback goes on from here.';
    return { title: 'Paused', detail, isBusy: false };
  }
  if (isMoving) {
    return undefined;
  }
  if (situation.recording !== undefined) {
    return { title: 'Loading', detail: 'Opening the recording.', isBusy: true };
  }
  if (situation.api === 'ended') {
    return endNotice(situation);
  }
  if (situation.hasStarted) {
    return situation.api === 'live'
      ? { title: 'Catching up', detail: 'The picture will be back in a moment.', isBusy: true }
      : {
          title: 'Interrupted, coming back',
          detail: 'This page goes on by itself when the stream returns.',
          isBusy: true,
        };
  }
  return startNotice(situation.api, situation.reason);
}

function endNotice({ api, recording, hasRecording }: Situation): Notice {
  if (recording !== undefined) {
    return {
      title: 'The recording has ended',
      detail: api === 'live' ? 'The broadcast is live again.' : 'Thank you for watching.',
      isBusy: false,
      action: api === 'live' ? 'watchLive' : 'replay',
    };
  }
  if (api === 'starting' || api === 'queued' || api === 'interrupted') {
    return {
      title: 'The broadcast is starting again',
      detail: 'It goes on here by itself.',
      isBusy: true,
    };
  }
  const title = 'The broadcast has ended';
  return hasRecording
    ? { title, detail: 'Thank you for watching.', isBusy: false, action: 'watchRecording' }
    : { title, detail: 'Should it start again, it goes on here by itself.', isBusy: false };
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
