/**
 * One viewer's session: starts a player when the broadcast is live, measures it, and brings it back
 * when it breaks. Owns the engine and every retry; the page (view.ts) only shows what it says.
 */
import type { BroadcastState } from '../lib/api.ts';
import type { ServerClock } from '../lib/serverClock.ts';
import {
  type Engine,
  type EngineKind,
  type Level,
  type LevelChoice,
  type StartEngine,
} from './engine.ts';
import { addToSeries, medianOf, shouldJumpToLive, type Series } from './latency.ts';
import {
  HEALTHY,
  patienceMs,
  planRecovery,
  relaxAfterMs,
  STEADY_AFTER_MS,
  type FaultKind,
  type RecoveryAction,
} from './recovery.ts';
import { countStall, NO_STALLS } from './stalls.ts';

/** What is measured of a session; the shape of `window.grandstand.stats()`. */
export type SessionStats = {
  readonly player: EngineKind;
  /** Glass to glass, of the newest frame shown (ms). */
  readonly latencyMs: number | undefined;
  /** The same, middle of the last second: what the page shows (ms). */
  readonly smoothLatencyMs: number | undefined;
  readonly targetMs: number | undefined;
  readonly bufferS: number;
  /** Name of the level on the glass. */
  readonly level: string | undefined;
  readonly levelChoice: LevelChoice;
  readonly levels: readonly Level[];
  readonly stalls: number;
  readonly stalledMs: number;
  readonly droppedFrames: number;
  readonly totalFrames: number;
  /** UTC of the playback position by media time (Unix ms). */
  readonly currentTimeUnixMs: number | undefined;
  readonly playbackRate: number;
  /** Bound on the error of the clock that latency is measured against (ms). */
  readonly clockUncertaintyMs: number | undefined;
  /** Players built since the page was opened: 1 where nothing ever broke. */
  readonly builds: number;
  readonly lastFault: string | undefined;
  readonly hasStarted: boolean;
  /** How long playback has made no progress (ms). */
  readonly stillForMs: number;
};

/** A running session. */
export type Session = {
  stats(): SessionStats;
  setLevel(choice: LevelChoice): void;
  /** Changes the player; the measurements start anew. */
  setPlayer(kind: EngineKind): void;
  /** What the API said last. */
  setBroadcast(state: BroadcastState | undefined, urls: Urls | undefined): void;
  play(): void;
  pause(): void;
  /** The viewer paused. */
  isPaused(): boolean;
  /** The browser refused to start without a gesture. */
  needsGesture(): boolean;
};

type Urls = { readonly hls: string; readonly dash: string };

/** What a session works with. */
export type SessionDeps = {
  readonly video: HTMLVideoElement;
  readonly clock: ServerClock;
  readonly engines: Readonly<Record<EngineKind, () => Promise<StartEngine>>>;
};

const TICK_MS = 100;
/** Latency kept for the median and for the decision to jump (ms). */
const SERIES_MS = 6000;
/** A frame older than this says nothing of the latency now (ms). */
const FRAME_FRESH_MS = 700;
/** A soft fault is forgotten if playback went on for this long after it (ms). */
const SOFT_FAULT_MS = 1500;
/** A build that is still fetching its library is given this long before another (ms). */
const BUILD_INTERVAL_MS = 5000;
/** A stall this long was at the source, not in this viewer's network (ms). */
const INTERRUPTION_MS = 3000;
/** A hole this long is left behind by a new player, where the old one would take longer (ms). */
const HOLE_MS = 4000;
/** With more than this the old player has found its way already (s). */
const HOLE_BUFFER_S = 0.5;
/** Pauses this soon after a build come from the build (ms). */
const REBUILD_QUIET_MS = 1500;

/** Starts a session; nothing is loaded until the broadcast is live. */
export function startSession(
  deps: SessionDeps,
  initial: { readonly kind: EngineKind; readonly level: LevelChoice },
): Session {
  const { video, clock } = deps;
  let kind = initial.kind;
  let choice = initial.level;
  let api: BroadcastState | undefined;
  /** When the API said so. */
  let apiAtMs = 0;
  let urls: Urls | undefined;
  let engine: Engine | undefined;
  /** Grows with each build: what an older one still reports is not heard. */
  let generation = 0;
  let builds = 0;
  let builtAtMs = 0;
  let liveSinceMs = 0;
  let stall = NO_STALLS;
  let recovery = HEALTHY;
  let recoveryTimer: number | undefined;
  let lastFault: string | undefined;
  let faultAtMs = 0;
  /** When playback last stood still (monotonic ms), and how often the latency was lowered since. */
  let troubleAtMs = 0;
  let relaxations = 0;
  let latencies: Series = [];
  let frame: { readonly shownAtMs: number; readonly positionS: number } | undefined;
  let hasSought = false;
  let isPausedByViewer = false;
  let isRefused = false;

  async function build(): Promise<void> {
    const mine = (generation += 1);
    tearDown();
    if (urls === undefined) {
      return;
    }
    builds += 1;
    builtAtMs = performance.now();
    const target = urls;
    try {
      const start = await deps.engines[kind]();
      if (mine !== generation) {
        return;
      }
      engine = start({
        video,
        urls: target,
        level: choice,
        events: {
          onFault: (fault) => {
            if (mine === generation) {
              onFault(fault.kind, fault.detail, fault.isSoft);
            }
          },
          onLevels: () => undefined,
        },
      });
      if (!isPausedByViewer) {
        play();
      }
    } catch (error) {
      if (mine === generation) {
        onFault('other', error instanceof Error ? error.message : String(error), false);
      }
    }
  }

  function tearDown(): void {
    window.clearTimeout(recoveryTimer);
    recoveryTimer = undefined;
    engine?.destroy();
    engine = undefined;
    frame = undefined;
    latencies = [];
    hasSought = true;
  }

  function onFault(fault: FaultKind, detail: string, isSoft: boolean): void {
    lastFault = detail;
    const atMs = performance.now();
    faultAtMs = atMs;
    if (recoveryTimer !== undefined) {
      return;
    }
    if (isSoft) {
      recoveryTimer = window.setTimeout(() => {
        recoveryTimer = undefined;
        const progressMs = stall.lastProgressMs ?? 0;
        if (progressMs < atMs + SOFT_FAULT_MS / 2) {
          recover(fault);
        }
      }, SOFT_FAULT_MS);
      return;
    }
    recover(fault);
  }

  function recover(fault: FaultKind): void {
    const plan = planRecovery(recovery, fault, performance.now(), Math.random());
    recovery = plan.state;
    window.clearTimeout(recoveryTimer);
    recoveryTimer = window.setTimeout(() => {
      recoveryTimer = undefined;
      act(plan.next.action);
    }, plan.next.delayMs);
  }

  function act(action: RecoveryAction['action']): void {
    if (isPausedByViewer) {
      // Mending would start to play by itself; play() builds anew.
      generation += 1;
      tearDown();
      return;
    }
    const isMended =
      (action === 'resumeLoading' && engine?.resumeLoading() === true) ||
      (action === 'recoverMedia' && engine?.recoverMedia() === true);
    if (isMended) {
      play();
    } else if (isPlayable()) {
      void build();
    } else {
      // Nothing to load: the tick builds again when the broadcast is live.
      generation += 1;
      tearDown();
    }
  }

  function isPlayable(): boolean {
    return api === 'live';
  }

  function play(): void {
    isPausedByViewer = false;
    video.play().then(
      () => {
        isRefused = false;
      },
      (error: unknown) => {
        isRefused = error instanceof DOMException && error.name === 'NotAllowedError';
        if (isRefused && !video.muted) {
          // A new player after a fault has no gesture behind it: rather silent than still.
          video.muted = true;
          isRefused = false;
          play();
        }
      },
    );
  }

  function onFrame(now: number, metadata: VideoFrameCallbackMetadata): void {
    frame = {
      shownAtMs: Math.max(now, metadata.expectedDisplayTime),
      positionS: metadata.mediaTime,
    };
    video.requestVideoFrameCallback(onFrame);
  }

  /** Latency of the newest frame, or of the playback position where frames are not told. */
  function measureLatency(nowMs: number): number | undefined {
    if (engine === undefined || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      return undefined;
    }
    const isFrameFresh = frame !== undefined && nowMs - frame.shownAtMs < FRAME_FRESH_MS;
    const shownAtMs = isFrameFresh && frame !== undefined ? frame.shownAtMs : nowMs;
    const positionS = isFrameFresh && frame !== undefined ? frame.positionS : video.currentTime;
    const glassMs = clock.atMs(shownAtMs);
    const mediaMs = engine.unixMsAt(positionS);
    return glassMs === undefined || mediaMs === undefined ? undefined : glassMs - mediaMs;
  }

  function tick(): void {
    const nowMs = performance.now();
    const before = stall;
    stall = countStall(stall, {
      atMs: nowMs,
      positionS: video.currentTime,
      isPaused: isPausedByViewer || isRefused,
      isSeeking: video.seeking || hasSought,
    });
    hasSought = false;
    const stillForMs = nowMs - (before.lastProgressMs ?? nowMs);
    if (before.isStalled && !stall.isStalled && stillForMs > INTERRUPTION_MS) {
      engine?.afterInterruption();
      relaxations = 0;
    }
    if (stall.isStalled) {
      troubleAtMs = nowMs;
    }
    const latencyMs = measureLatency(nowMs);
    if (latencyMs !== undefined && !stall.isStalled && !video.paused) {
      latencies = addToSeries(latencies, nowMs, latencyMs, SERIES_MS);
      engine?.steer(latencyMs);
    }
    supervise(nowMs);
  }

  /** Looks after a player that should be playing: starts, rebuilds, forgives, jumps. */
  function supervise(nowMs: number): void {
    if (!isPlayable() || isPausedByViewer || isRefused || recoveryTimer !== undefined) {
      return;
    }
    if (engine === undefined) {
      if (builds === 0 || nowMs - builtAtMs > BUILD_INTERVAL_MS) {
        void build();
      }
      return;
    }
    if (isBackAfterHole(nowMs)) {
      void build();
      return;
    }
    const stillSinceMs = Math.max(stall.lastProgressMs ?? 0, builtAtMs, liveSinceMs);
    if (nowMs - stillSinceMs > patienceMs(recovery.attempts)) {
      onFault('stuck', 'no progress while the broadcast is live', false);
      return;
    }
    settle(nowMs, engine);
  }

  /** Forgives past faults, lowers a raised target, jumps where playback is hopelessly behind. */
  function settle(nowMs: number, running: Engine): void {
    const steadyForMs = nowMs - Math.max(faultAtMs, builtAtMs, troubleAtMs);
    // A player that never played is not steady, it is about to be stuck.
    if (stall.hasStarted && steadyForMs > STEADY_AFTER_MS) {
      recovery = HEALTHY;
    }
    if (steadyForMs > relaxAfterMs(relaxations) && running.relaxTarget()) {
      relaxations += 1;
    }
    const targetMs = running.targetMs();
    if (targetMs !== undefined && shouldJumpToLive(latencies, nowMs, targetMs)) {
      latencies = [];
      running.seekToLive();
    }
  }

  /** The source was away for seconds, and is said to be back since. */
  function isBackAfterHole(nowMs: number): boolean {
    const holeSinceMs = Math.max(stall.lastProgressMs ?? nowMs, builtAtMs);
    return (
      engine?.resumesItself === false &&
      stall.isStalled &&
      nowMs - holeSinceMs > HOLE_MS &&
      apiAtMs - holeSinceMs > HOLE_MS &&
      bufferedAhead(video) < HOLE_BUFFER_S
    );
  }

  video.addEventListener('seeking', () => {
    hasSought = true;
  });
  // Paused by a headset or the system's media keys: the viewer's will, not a fault. A rebuild
  // pauses too, hence the guard.
  video.addEventListener('pause', () => {
    if (engine !== undefined && performance.now() - builtAtMs > REBUILD_QUIET_MS && !video.ended) {
      isPausedByViewer = true;
    }
  });
  video.addEventListener('play', () => {
    isPausedByViewer = false;
  });
  // Started by a media key, where the page was refused.
  video.addEventListener('playing', () => {
    isRefused = false;
  });
  if ('requestVideoFrameCallback' in video) {
    video.requestVideoFrameCallback(onFrame);
  }
  window.setInterval(tick, TICK_MS);

  return {
    stats: () => {
      const nowMs = performance.now();
      const quality = video.getVideoPlaybackQuality();
      return {
        player: kind,
        latencyMs: measureLatency(nowMs),
        smoothLatencyMs: medianOf(latencies, nowMs, 1000),
        targetMs: engine?.targetMs(),
        bufferS: bufferedAhead(video),
        level: engine?.currentLevel(),
        levelChoice: choice,
        levels: engine?.levels() ?? [],
        stalls: stall.stalls,
        stalledMs: stall.stalledMs,
        droppedFrames: quality.droppedVideoFrames,
        totalFrames: quality.totalVideoFrames,
        currentTimeUnixMs: engine?.unixMsAt(video.currentTime),
        playbackRate: video.playbackRate,
        clockUncertaintyMs: clock.estimate()?.uncertaintyMs,
        builds,
        lastFault,
        hasStarted: stall.hasStarted,
        stillForMs: stall.lastProgressMs === undefined ? 0 : nowMs - stall.lastProgressMs,
      };
    },
    setLevel: (next) => {
      choice = next;
      engine?.setLevel(next);
    },
    setPlayer: (next) => {
      if (next !== kind) {
        kind = next;
        isPausedByViewer = false;
        stall = NO_STALLS;
        recovery = HEALTHY;
        builds = 0;
        lastFault = undefined;
        generation += 1;
        tearDown();
        if (isPlayable()) {
          void build();
        }
      }
    },
    setBroadcast: (state, nextUrls) => {
      if (state === 'live' && api !== 'live') {
        liveSinceMs = performance.now();
      }
      api = state;
      apiAtMs = performance.now();
      urls = nextUrls;
    },
    play: () => {
      if (isPausedByViewer) {
        engine?.seekToLive();
      }
      play();
      if (engine === undefined && isPlayable() && recoveryTimer === undefined) {
        void build();
      }
    },
    pause: () => {
      isPausedByViewer = true;
      video.pause();
    },
    isPaused: () => isPausedByViewer,
    needsGesture: () => isRefused,
  };
}

/** Media buffered ahead of the playback position (s). */
function bufferedAhead(video: HTMLVideoElement): number {
  const { buffered, currentTime } = video;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) {
      return buffered.end(index) - currentTime;
    }
  }
  return 0;
}
