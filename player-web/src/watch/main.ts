/**
 * `/watch/{id}`: wires the session to the page and to `window.grandstand`, which the end-to-end
 * tests (and the curious) read. This page never opens a WebSocket: viewers are on HTTP only.
 */
import { broadcastIdInPath, fetchBroadcast } from '../lib/api.ts';
import { byId, poll } from '../lib/dom.ts';
import { startServerClock } from '../lib/serverClock.ts';
import { AUTO, type EngineKind, type LevelChoice } from './engine.ts';
import { isNativeSupported, startNative } from './nativeEngine.ts';
import { startSession, type SessionStats } from './session.ts';
import { startView, type ApiState } from './view.ts';

/** What `window.grandstand` offers on this page. */
export type GrandstandPage = {
  /** Measurements now. */
  stats(): SessionStats;
  /** Takes a level by its track name (`v360`), or `auto`. */
  setLevel(choice: LevelChoice): void;
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
const kinds = availableKinds();
let api: ApiState = { state: undefined, reason: undefined };

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
  { kind: wantedKind(query.get('player')), level: query.get('level') ?? AUTO },
);

const view = startView({ video, session, kinds, apiState: () => api, rememberChoice });
window.grandstand = {
  stats: () => session.stats(),
  setLevel: (choice) => {
    view.chooseLevel(choice);
  },
};

if (id === undefined) {
  api = { state: 'missing', reason: undefined };
} else {
  document.title = `${id} - Grandstand`;
  view.setName(id);
  poll(async () => {
    const answer = await fetchBroadcast(id);
    if (answer.kind === 'ok') {
      api = { state: answer.value.state, reason: answer.value.reason };
      session.setBroadcast(answer.value.state, answer.value.urls);
    } else {
      api = { state: answer.kind, reason: undefined };
      // An API that is away for a moment says nothing about the media: play on.
      if (answer.kind === 'missing') {
        session.setBroadcast(undefined, undefined);
      }
    }
    return answer.kind !== 'unreachable';
  }, pollMs);
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
  const { hasStarted, stillForMs } = session.stats();
  return hasStarted && stillForMs < 1000 ? POLL_PLAYING_MS : POLL_MS;
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
