/** What the viewer sees and presses on the watch page. Reads the session, holds no playback state. */
import type { BroadcastState } from '../lib/api.ts';
import { byId, make, setText } from '../lib/dom.ts';
import { formatBitrate, formatClock, formatHeight, formatLatency, UNKNOWN } from '../lib/format.ts';
import { stateLabel } from '../lib/stateLabel.ts';
import { AUTO, type EngineKind, type Level, type LevelChoice } from './engine.ts';
import { drawGraph, type LatencyGraph } from './graph.ts';
import { keyCommand, stepLevel } from './keys.ts';
import { noticeFor, type NoticeAction } from './notice.ts';
import type { Session, SessionStats } from './viewing.ts';
import { startTimeline } from './timeline.ts';

/** The page's view. */
export type View = {
  setName(name: string): void;
  chooseLevel(choice: LevelChoice): void;
};

/** What the view works with. */
export type ViewDeps = {
  readonly video: HTMLVideoElement;
  readonly session: Session;
  readonly kinds: readonly EngineKind[];
  readonly apiState: () => ApiState;
  /** The recording that this page plays; undefined on the page of the broadcast. */
  readonly recording: () => 'loading' | 'known' | 'missing' | undefined;
  readonly goLive: () => void;
  readonly rememberChoice: (name: 'player' | 'level', value: string) => void;
};

/** What the API said last, and why. */
export type ApiState = {
  readonly state: BroadcastState | 'missing' | 'unreachable' | undefined;
  readonly reason: string | undefined;
  /** Page of the recording of the run that is over. */
  readonly recordingHref: string | undefined;
  /** Page of the broadcast. */
  readonly liveHref: string;
  /** Something is kept that can be rewound to. */
  readonly canRewind: boolean;
};

const REFRESH_MS = 250;
/** The controls of a fullscreen player go after this much stillness (ms). */
const IDLE_MS = 3000;

const KIND_LABELS: Readonly<Record<EngineKind, string>> = {
  hls: 'LL-HLS',
  dash: 'LL-DASH',
  native: 'Built in',
};

/** Binds the page. */
export function startView(deps: ViewDeps): View {
  const { video, session } = deps;
  const player = byId('player', HTMLElement);
  const play = byId('play', HTMLButtonElement);
  const mute = byId('mute', HTMLButtonElement);
  const unmute = byId('unmute', HTMLButtonElement);
  const volume = byId('volume', HTMLInputElement);
  const quality = byId('quality', HTMLSelectElement);
  const engine = byId('engine', HTMLSelectElement);
  const fullscreen = byId('fullscreen', HTMLButtonElement);
  const timeline = startTimeline(session, deps.goLive);
  const graph = drawGraph(byId('latency', HTMLElement).ownerDocument);
  let choice = session.stats().levelChoice;
  let shownLevels = '';
  let idleTimer: number | undefined;

  engine.replaceChildren(...deps.kinds.map((kind) => option(kind, KIND_LABELS[kind])));
  engine.value = session.stats().player;
  engine.addEventListener('change', () => {
    const kind = deps.kinds.find((known) => known === engine.value);
    if (kind !== undefined) {
      session.setPlayer(kind);
      graph.clear();
      deps.rememberChoice('player', kind);
    }
  });
  quality.addEventListener('change', () => {
    chooseLevel(quality.value);
  });
  play.addEventListener('click', togglePlay);
  mute.addEventListener('click', toggleMute);
  unmute.addEventListener('click', toggleMute);
  volume.addEventListener('input', () => {
    video.volume = Number(volume.value);
    video.muted = video.volume === 0;
  });
  video.addEventListener('volumechange', showSound);
  video.addEventListener('click', togglePlay);
  // The notice lies over the picture: who is told to press play presses here first.
  byId('notice', HTMLElement).addEventListener('click', (event) => {
    if (event.target instanceof HTMLElement && event.target.dataset['action'] === 'replay') {
      event.preventDefault();
      togglePlay();
    } else if (session.isPaused() || session.needsGesture()) {
      togglePlay();
    }
  });
  fullscreen.addEventListener('click', toggleFullscreen);
  document.addEventListener('keydown', onKey);
  player.addEventListener('pointermove', wake);
  player.addEventListener('keydown', wake);

  function togglePlay(): void {
    if (session.isPaused() || session.needsGesture() || session.stats().hasEnded) {
      session.play();
    } else {
      session.pause();
    }
    refresh();
  }

  function toggleMute(): void {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) {
      video.volume = 1;
    }
  }

  function toggleFullscreen(): void {
    if (document.fullscreenElement !== null) {
      void document.exitFullscreen();
    } else if ('requestFullscreen' in player) {
      void player.requestFullscreen();
    } else {
      // iPhone has fullscreen for the video element only.
      (video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
    }
  }

  function chooseLevel(next: LevelChoice): void {
    choice = next;
    session.setLevel(next);
    showLevels(session.stats().levels);
    deps.rememberChoice('level', next);
  }

  function onKey(event: KeyboardEvent): void {
    const command = keyCommand(event, document.activeElement?.tagName ?? '');
    if (command === undefined) {
      return;
    }
    event.preventDefault();
    switch (command) {
      case 'togglePlay':
        togglePlay();
        break;
      case 'toggleMute':
        toggleMute();
        break;
      case 'toggleFullscreen':
        toggleFullscreen();
        break;
      case 'back':
      case 'forward':
        timeline.step(command);
        break;
      case 'goLive':
        deps.goLive();
        break;
      case 'qualityUp':
      case 'qualityDown': {
        const { levels, level } = session.stats();
        chooseLevel(stepLevel(levels, choice === AUTO ? level : choice, command));
        break;
      }
      case 'qualityAuto':
        chooseLevel(AUTO);
        break;
    }
  }

  function wake(): void {
    player.dataset['idle'] = 'false';
    window.clearTimeout(idleTimer);
    idleTimer = window.setTimeout(() => {
      player.dataset['idle'] = 'true';
    }, IDLE_MS);
  }

  function showSound(): void {
    const isOn = !video.muted && video.volume > 0;
    mute.dataset['on'] = String(isOn);
    const label = isOn ? 'Mute' : 'Unmute';
    mute.setAttribute('aria-label', label);
    mute.title = `${label} (m)`;
    volume.value = String(video.muted ? 0 : video.volume);
    unmute.hidden = isOn || !session.stats().hasStarted;
  }

  /** Rebuilds the quality menu only when the ladder differs, so that an open menu stays open. */
  function showLevels(levels: readonly Level[]): void {
    const sorted = [...levels].sort((a, b) => (b.bitrateBps ?? 0) - (a.bitrateBps ?? 0));
    const signature = sorted.map((level) => `${level.name}/${level.height ?? 0}`).join();
    if (signature !== shownLevels) {
      shownLevels = signature;
      const isChosenKnown = choice === AUTO || sorted.some((level) => level.name === choice);
      quality.replaceChildren(
        option(AUTO, 'Auto'),
        ...sorted.map((level) => option(level.name, levelLabel(level, sorted))),
        ...(isChosenKnown ? [] : [option(choice, choice)]),
      );
    }
    if (quality.value !== choice) {
      quality.value = choice;
    }
  }

  function refresh(): void {
    const stats = session.stats();
    showLevels(stats.levels);
    showNotice(stats, deps, deps.apiState());
    timeline.refresh(stats);
    showFacts(stats);
    showLatency(stats, graph);
    showState(deps.apiState().state);
    const isPaused = session.isPaused() || session.needsGesture() || stats.hasEnded;
    play.dataset['on'] = String(!isPaused);
    play.setAttribute('aria-label', isPaused ? 'Play' : 'Pause');
    play.title = isPaused ? 'Play (k)' : 'Pause (k)';
    showSound();
  }

  window.setInterval(refresh, REFRESH_MS);
  refresh();

  return {
    setName: (name) => {
      setText(byId('name', HTMLElement), name);
    },
    chooseLevel,
  };
}

const ACTION_LABELS: Readonly<Record<NoticeAction, string>> = {
  watchRecording: 'Watch from the start',
  replay: 'Watch again',
  watchLive: 'Watch the broadcast',
};

function showNotice(stats: SessionStats, deps: ViewDeps, api: ApiState): void {
  const { session, video } = deps;
  const notice = byId('notice', HTMLElement);
  const shown = noticeFor({
    api: api.state,
    reason: api.reason,
    hasStarted: stats.hasStarted,
    stillForMs: video.paused && !session.isPaused() ? Number.POSITIVE_INFINITY : stats.stillForMs,
    isPaused: session.isPaused(),
    needsGesture: session.needsGesture(),
    hasEnded: stats.hasEnded,
    resumesLive: stats.source !== 'recording' && !api.canRewind,
    recording: deps.recording(),
    hasRecording: api.recordingHref !== undefined,
  });
  notice.dataset['shown'] = String(shown !== undefined);
  if (shown !== undefined) {
    notice.dataset['busy'] = String(shown.isBusy);
    setText(byId('notice-title', HTMLElement), shown.title);
    setText(byId('notice-detail', HTMLElement), shown.detail);
    showAction(shown.action, api);
  }
}

function showAction(action: NoticeAction | undefined, api: ApiState): void {
  const link = byId('notice-action', HTMLAnchorElement);
  link.hidden = action === undefined;
  if (action !== undefined) {
    link.dataset['action'] = action;
    link.href = action === 'watchRecording' ? (api.recordingHref ?? '') : api.liveHref;
    setText(link, ACTION_LABELS[action]);
  }
}

function showFacts(stats: SessionStats): void {
  const level = stats.levels.find((known) => known.name === stats.level);
  const size =
    level?.width === undefined || level.height === undefined
      ? ''
      : `  ${level.width} \u00d7 ${level.height}`;
  fact('level', stats.level === undefined ? UNKNOWN : `${stats.level}${size}`);
  fact('bitrate', formatBitrate(level?.bitrateBps));
  fact('buffer', stats.hasStarted ? `${stats.bufferS.toFixed(2)} s` : UNKNOWN);
  fact('stalls', `${stats.stalls}  (${(stats.stalledMs / 1000).toFixed(1)} s)`);
  fact('dropped', stats.totalFrames === 0 ? UNKNOWN : String(stats.droppedFrames));
  fact('rate', `${stats.playbackRate.toFixed(2)} \u00d7`);
}

function showLatency(stats: SessionStats, graph: LatencyGraph): void {
  const isBehind = !stats.isFollowing;
  byId('latency', HTMLElement).dataset['behind'] = String(isBehind);
  if (isBehind) {
    const isRecording = stats.source === 'recording';
    const behind = stats.latencyMs === undefined ? UNKNOWN : formatClock(stats.latencyMs);
    setText(byId('latency', HTMLElement), isRecording ? UNKNOWN : behind);
    const note = isRecording ? 'a recording, not live' : 'behind the moment, as you chose';
    setText(byId('latency-note', HTMLElement), note);
    graph.clear();
    return;
  }
  setText(byId('latency', HTMLElement), formatLatency(stats.smoothLatencyMs));
  const target = stats.targetMs === undefined ? '' : `, target ${formatLatency(stats.targetMs)}`;
  const clock =
    stats.clockUncertaintyMs === undefined
      ? 'clock not synced yet'
      : `clock \u00b1${Math.max(1, Math.round(stats.clockUncertaintyMs))} ms`;
  setText(byId('latency-note', HTMLElement), `${clock}${target}`);
  graph.add(performance.now(), stats.smoothLatencyMs, stats.targetMs);
}

function showState(api: ApiState['state']): void {
  const pill = byId('state', HTMLElement);
  const isState = api !== undefined && api !== 'missing' && api !== 'unreachable';
  pill.dataset['state'] = isState ? api : 'idle';
  setText(pill, isState ? stateLabel(api) : api === 'missing' ? 'Not found' : 'Offline');
}

function fact(name: string, text: string): void {
  setText(byId(`fact-${name}`, HTMLElement), text);
}

function option(value: string, label: string): HTMLOptionElement {
  const element = make('option', '', label);
  element.value = value;
  return element;
}

/** `720p`, or the track's name where two rungs have one height. */
function levelLabel(level: Level, levels: readonly Level[]): string {
  const isAlone = levels.filter((other) => other.height === level.height).length === 1;
  return level.height !== undefined && isAlone ? formatHeight(level.height) : level.name;
}
