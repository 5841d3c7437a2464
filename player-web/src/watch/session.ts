/**
 * One viewer's session: starts a player when the broadcast is live, measures it, takes it to where
 * the viewer wants, brings it back when it breaks, and knows when it is over. Owns the engine and
 * every retry; the page (view.ts) only shows what it says.
 */
import type { BroadcastState } from '../lib/api.ts';
import type { ServerClock } from '../lib/serverClock.ts';
import { hearApi, NOT_ENDED } from './ending.ts';
import {
  type Engine,
  type EngineKind,
  type LevelChoice,
  type Span,
  type StartEngine,
} from './engine.ts';
import { bufferedAhead, watchGlass } from './glass.ts';
import { addToSeries, medianOf, shouldJumpToLive, type Series } from './latency.ts';
import { AT_LIVE, type Place } from './place.ts';
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
import type { Session } from './viewing.ts';
import { Whereabouts } from './whereabouts.ts';

/** What a session works with. */
export type SessionDeps = {
  readonly video: HTMLVideoElement;
  readonly clock: ServerClock;
  readonly engines: Readonly<Record<EngineKind, () => Promise<StartEngine>>>;
};

const TICK_MS = 100;
/** Latency kept for the median and for the decision to jump (ms). */
const SERIES_MS = 6000;
/** A seek that takes longer than this counts as a stall (ms). */
const SEEK_MS = 5000;
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
  initial: {
    readonly kind: EngineKind;
    readonly level: LevelChoice;
    readonly source: 'live' | 'recording';
  },
): Session {
  const { video, clock } = deps;
  const glass = watchGlass(video, clock);
  let kind = initial.kind;
  let choice = initial.level;
  let api: BroadcastState | undefined;
  let isApiAway = false;
  /** When the API said so. */
  let apiAtMs = 0;
  const where = new Whereabouts(initial.source);
  /** The viewer's seek is given until then to be played (monotonic ms). */
  let seekUntilMs = 0;
  let ending = NOT_ENDED;
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
  let hasSought = false;
  let isPausedByViewer = false;
  let isRefused = false;

  async function build(): Promise<void> {
    const mine = (generation += 1);
    tearDown();
    const urls = where.urls();
    if (urls === undefined) {
      return;
    }
    builds += 1;
    builtAtMs = performance.now();
    try {
      const start = await deps.engines[kind]();
      if (mine !== generation) {
        return;
      }
      engine = start({
        video,
        urls,
        source: where.source,
        startAtMs: where.isFollowing ? undefined : where.positionMs,
        recordingFromMs: where.recording?.fromMs,
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
    glass.forget();
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
      discard();
      return;
    }
    const isMended =
      (action === 'resumeLoading' && engine?.resumeLoading() === true) ||
      (action === 'recoverMedia' && engine?.recoverMedia() === true);
    if (isMended) {
      play();
    } else if (where.isPlayable()) {
      void build();
    } else {
      // Nothing to load: the tick builds again when the broadcast is live.
      discard();
    }
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

  function isOver(): boolean {
    return ending.playedOutAtMs !== undefined || api === 'ended';
  }

  function seekable(): Span | undefined {
    return where.reach(engine, liveMs());
  }

  /** The instant that is live (Unix ms); undefined where nothing is, or the clock is not known. */
  function liveMs(): number | undefined {
    return isOver() ? undefined : clock.nowMs();
  }

  function seekTo(unixMs: number): void {
    const place = where.placeFor(unixMs, engine, liveMs());
    if (place !== undefined) {
      goTo(place);
    }
  }

  function goTo(place: Place): void {
    const isElsewhere = where.moveTo(place);
    ending = { ...ending, playedOutAtMs: undefined };
    seekUntilMs = performance.now() + SEEK_MS;
    latencies = [];
    if (engine === undefined || isElsewhere) {
      replace();
      return;
    }
    engine.follow(place.isFollowing);
    if (place.atMs === undefined) {
      engine.seekToLive();
    } else {
      engine.seekTo(place.atMs);
    }
    if (!isPausedByViewer) {
      play();
    }
  }

  /** Another player for another source, where there is one. */
  function replace(): void {
    recovery = HEALTHY;
    if (where.isPlayable()) {
      void build();
    } else {
      discard();
    }
  }

  /** No player: the tick builds one when there is something to play. */
  function discard(): void {
    generation += 1;
    tearDown();
  }

  /** Another run of the broadcast. */
  function startAnew(): void {
    where.startAnew();
    ending = NOT_ENDED;
    seekUntilMs = performance.now() + SEEK_MS;
    liveSinceMs = performance.now();
    if (isPausedByViewer) {
      discard();
    } else {
      replace();
    }
  }

  function tick(): void {
    const nowMs = performance.now();
    watchProgress(nowMs);
    notePosition();
    const latencyMs = glass.latencyMs(engine, nowMs);
    const isShown = latencyMs !== undefined && !stall.isStalled && !video.paused;
    if (where.isFollowing && isShown) {
      latencies = addToSeries(latencies, nowMs, latencyMs, SERIES_MS);
    }
    if (isShown) {
      engine?.steer(latencyMs);
    }
    supervise(nowMs);
  }

  function watchProgress(nowMs: number): void {
    const before = stall;
    const isAtWork = !isPausedByViewer && !isRefused && ending.playedOutAtMs === undefined;
    stall = countStall(stall, {
      atMs: nowMs,
      positionS: video.currentTime,
      // What the viewer asks for is no stall: neither the pause, nor the seek, nor the end.
      isPaused: !isAtWork || nowMs < seekUntilMs,
      isSeeking: video.seeking || hasSought,
    });
    if (!video.seeking && !hasSought && video.currentTime !== before.positionS) {
      seekUntilMs = 0;
    }
    hasSought = false;
    const stillForMs = nowMs - (before.lastProgressMs ?? nowMs);
    if (before.isStalled && !stall.isStalled && stillForMs > INTERRUPTION_MS) {
      engine?.afterInterruption();
      relaxations = 0;
    }
    if (stall.isStalled) {
      troubleAtMs = nowMs;
    }
  }

  function notePosition(): void {
    if (engine === undefined) {
      return;
    }
    const isShown = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !video.seeking;
    const atMs = isShown ? engine.unixMsAt(video.currentTime) : undefined;
    if (where.note(engine, atMs, isOver())) {
      void build();
    }
  }

  /** Looks after a player that should be playing: starts, rebuilds, forgives, jumps. */
  function supervise(nowMs: number): void {
    const isIdle = isPausedByViewer || isRefused || ending.playedOutAtMs !== undefined;
    if (!where.isPlayable() || isIdle || recoveryTimer !== undefined) {
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
    if (!isApiAway && nowMs - stillSinceMs > patienceMs(recovery.attempts)) {
      onFault('stuck', 'no progress although there is something to play', false);
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
    const targetMs = where.isFollowing ? running.targetMs() : undefined;
    if (targetMs !== undefined && shouldJumpToLive(latencies, nowMs, targetMs)) {
      latencies = [];
      running.seekToLive();
    }
  }

  /** The source was away for seconds, and is said to be back since. */
  function isBackAfterHole(nowMs: number): boolean {
    const holeSinceMs = Math.max(stall.lastProgressMs ?? nowMs, builtAtMs);
    return (
      where.isFollowing &&
      engine?.resumesItself === false &&
      stall.isStalled &&
      nowMs - holeSinceMs > HOLE_MS &&
      apiAtMs - holeSinceMs > HOLE_MS &&
      bufferedAhead(video) < HOLE_BUFFER_S
    );
  }

  /** A paused player stays where it is, if that can be played when the pause is over. */
  function holdStill(): void {
    isPausedByViewer = true;
    if (where.isFollowing && where.programme?.window !== undefined && stall.hasStarted) {
      where.isFollowing = false;
      engine?.follow(false);
    }
  }

  /** After a pause: on from where it was; live where it was short or nothing can be rewound to. */
  function resume(): void {
    const pausedAtMs = engine?.unixMsAt(video.currentTime) ?? where.positionMs;
    if (where.isFollowing) {
      engine?.seekToLive();
    } else if (where.source === 'live' && !isOver() && pausedAtMs !== undefined) {
      seekTo(pausedAtMs);
    }
  }

  video.addEventListener('seeking', () => {
    hasSought = true;
  });
  // Paused by a headset or the system's media keys: the viewer's will, not a fault. A rebuild
  // pauses too, hence the guard.
  video.addEventListener('pause', () => {
    if (engine !== undefined && performance.now() - builtAtMs > REBUILD_QUIET_MS && !video.ended) {
      holdStill();
    }
  });
  video.addEventListener('play', () => {
    isPausedByViewer = false;
  });
  // Started by a media key, where the page was refused.
  video.addEventListener('playing', () => {
    isRefused = false;
  });
  video.addEventListener('ended', () => {
    if (engine !== undefined) {
      ending = { ...ending, playedOutAtMs: performance.now() };
    }
  });
  window.setInterval(tick, TICK_MS);

  return {
    stats: () => {
      const nowMs = performance.now();
      const quality = video.getVideoPlaybackQuality();
      return {
        player: kind,
        latencyMs: glass.latencyMs(engine, nowMs),
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
        source: where.source,
        isFollowing: where.isFollowing,
        positionMs: where.positionMs,
        hasEnded: ending.playedOutAtMs !== undefined,
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
        ending = { ...ending, playedOutAtMs: undefined };
        replace();
      }
    },
    setBroadcast: (next) => {
      if (next?.state === 'live' && (api !== 'live' || isApiAway)) {
        liveSinceMs = performance.now();
      }
      api = next?.state;
      apiAtMs = performance.now();
      isApiAway = false;
      where.programme = next;
      if (where.source !== 'recording') {
        const heard = hearApi(ending, api, apiAtMs);
        ending = heard.ending;
        if (heard.isAnew) {
          startAnew();
        }
      }
    },
    setUnreachable: () => {
      isApiAway = true;
    },
    setRecording: (next) => {
      where.recording = next;
    },
    seekable,
    seekTo,
    seekBy: (seconds) => {
      const span = seekable();
      const atMs = where.isFollowing ? span?.toMs : where.positionMs;
      if (atMs !== undefined) {
        seekTo(atMs + seconds * 1000);
      }
    },
    goLive: () => {
      isPausedByViewer = false;
      goTo(AT_LIVE);
    },
    play: () => {
      if (ending.playedOutAtMs !== undefined) {
        const span = seekable();
        isPausedByViewer = false;
        seekTo(span?.fromMs ?? 0);
        return;
      }
      if (isPausedByViewer) {
        isPausedByViewer = false;
        resume();
      }
      play();
      if (engine === undefined && where.isPlayable() && recoveryTimer === undefined) {
        void build();
      }
    },
    pause: () => {
      holdStill();
      video.pause();
    },
    isPaused: () => isPausedByViewer,
    needsGesture: () => isRefused,
  };
}
