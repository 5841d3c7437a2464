/**
 * `/watch/{id}`: wires the session to the page and to `window.grandstand`, which the end-to-end
 * tests (and the curious) read. This page never opens a WebSocket: viewers are on HTTP only.
 */
import { broadcastIdInPath, fetchBroadcast, fetchRecordings, type Broadcast } from '../lib/api.ts';
import { byId, poll } from '../lib/dom.ts';
import { startServerClock } from '../lib/serverClock.ts';
import { AUTO, type EngineKind, type LevelChoice, type Span } from './engine.ts';
import { isNativeSupported, startNative } from './nativeEngine.ts';
import { startSession } from './session.ts';
import { startView, type ApiState } from './view.ts';
import type { SessionStats } from './viewing.ts';

/** What `window.grandstand` offers on this page. */
export type GrandstandPage = {
  /** Measurements now. */
  stats(): SessionStats;
  /** Takes a level by its track name (`v360`), or `auto`. */
  setLevel(choice: LevelChoice): void;
  /** Plays on from so many seconds ago: behind live, or behind where playback is by now. */
  seekBack(seconds: number): void;
  goLive(): void;
  /** What can be reached: first and last instant (Unix ms). */
  seekable(): Span | undefined;
};

declare global {
  // Interfaces merge; this is the one place where that is wanted.
  interface Window {
    grandstand?: GrandstandPage;
  }
}

/** While there is something to wait for (ms). */
const POLL_MS = 2000;
/** While the picture moves: then the media says it all, and an audience is large (ms). */
const POLL_PLAYING_MS = 10_000;

const video = byId('video', HTMLVideoElement);
const id = broadcastIdInPath(location.pathname);
const query = new URLSearchParams(location.search);
const recordingId = query.get('recording') ?? undefined;
const kinds = availableKinds();
let recording: 'loading' | 'known' | 'missing' | undefined =
  recordingId === undefined ? undefined : 'loading';
let api: ApiState = {
  state: undefined,
  reason: undefined,
  recordingHref: undefined,
  liveHref: hrefOf(undefined),
  canRewind: false,
};

const session = startSession(
  {
    video,
    clock: startServerClock('/time'),
    engines: {
      hls: () => import('./hlsEngine.ts').then((module) => module.startHls),
      dash: () => import('./dashEngine.ts').then((module) => module.startDash),
      native: () => Promise.resolve(startNative),
    },
  },
  {
    kind: wantedKind(query.get('player')),
    level: query.get('level') ?? AUTO,
    source: recordingId === undefined ? 'live' : 'recording',
  },
);

const view = startView({
  video,
  session,
  kinds,
  apiState: () => api,
  recording: () => recording,
  goLive,
  rememberChoice,
});
window.grandstand = {
  stats: () => session.stats(),
  setLevel: (choice) => {
    view.chooseLevel(choice);
  },
  seekBack: (seconds) => {
    session.seekBy(-seconds);
  },
  goLive,
  seekable: () => session.seekable(),
};

if (id === undefined) {
  api = { ...api, state: 'missing' };
} else {
  document.title = `${id} - Grandstand`;
  view.setName(recordingId === undefined ? id : `${id}, recording`);
  poll(async () => {
    const answer = await fetchBroadcast(id);
    if (answer.kind === 'ok') {
      hear(answer.value);
    } else {
      api = { ...api, state: answer.kind, reason: undefined };
      // An API that is away for a moment says nothing about the media: play on.
      if (answer.kind === 'missing') {
        session.setBroadcast(undefined);
      } else {
        session.setUnreachable();
      }
    }
    return answer.kind !== 'unreachable' && (await findRecording(id));
  }, pollMs);
}

function hear(broadcast: Broadcast): void {
  const { state, isOnAir, reason, sinceMs, windowFromMs, windowUrls } = broadcast;
  const complete = broadcast.recording?.isComplete === true ? broadcast.recording : undefined;
  api = {
    ...api,
    state,
    reason,
    recordingHref: complete === undefined ? undefined : hrefOf(complete.id),
    canRewind: windowFromMs !== undefined,
  };
  session.setBroadcast({
    state,
    isOnAir,
    live: broadcast.urls,
    window: windowFromMs === undefined ? undefined : windowUrls,
    fromMs: windowFromMs ?? sinceMs,
  });
}

/** Looks for the recording that this page is about, until it is found; whether it was answered. */
async function findRecording(broadcastId: string): Promise<boolean> {
  if (recordingId === undefined || recording === 'known') {
    return true;
  }
  const answer = await fetchRecordings(broadcastId);
  if (answer.kind === 'unreachable') {
    return false;
  }
  const found =
    answer.kind === 'ok' ? answer.value.find((each) => each.id === recordingId) : undefined;
  if (found === undefined) {
    recording = 'missing';
  } else {
    recording = 'known';
    session.setRecording(found);
  }
  return true;
}

function goLive(): void {
  if (recordingId === undefined) {
    session.goLive();
  } else {
    location.assign(api.liveHref);
  }
}

/** This page for a recording, or for the broadcast itself, with the choices made so far. */
function hrefOf(recordingToPlay: string | undefined): string {
  const next = new URL(location.href);
  if (recordingToPlay === undefined) {
    next.searchParams.delete('recording');
  } else {
    next.searchParams.set('recording', recordingToPlay);
  }
  return `${next.pathname}${next.search}`;
}

/** The players that this browser can run, best first. */
function availableKinds(): readonly EngineKind[] {
  const hasMediaSource = 'MediaSource' in window || 'ManagedMediaSource' in window;
  const native: readonly EngineKind[] = isNativeSupported(video) ? ['native'] : [];
  if (!hasMediaSource) {
    return native;
  }
  // iPhone has ManagedMediaSource only, and its own player keeps AirPlay and the lock screen.
  return 'MediaSource' in window ? ['hls', 'dash', ...native] : [...native, 'hls', 'dash'];
}

function wantedKind(text: string | null): EngineKind {
  return kinds.find((kind) => kind === text) ?? kinds[0] ?? 'hls';
}

function pollMs(): number {
  const { hasStarted, hasEnded, stillForMs } = session.stats();
  return hasStarted && !hasEnded && stillForMs < 1000 ? POLL_PLAYING_MS : POLL_MS;
}

/** Keeps the choice in the address, so that a link carries it and a reload keeps it. */
function rememberChoice(name: 'player' | 'level', value: string): void {
  const next = new URL(location.href);
  if (value === AUTO) {
    next.searchParams.delete(name);
  } else {
    next.searchParams.set(name, value);
  }
  history.replaceState(null, '', next);
}
