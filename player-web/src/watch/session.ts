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
import { Mending } from './mending.ts';
import { Progress } from './progress.ts';
import { patienceMs, relaxAfterMs, STEADY_AFTER_MS, type RecoveryAction } from './recovery.ts';
import type { Session } from './viewing.ts';
import { Whereabouts } from './whereabouts.ts';
import { Will } from './will.ts';

/** What a session works with. */
export type SessionDeps = {
  readonly video: HTMLVideoElement;
  readonly clock: ServerClock;
  readonly engines: Readonly<Record<EngineKind, () => Promise<StartEngine>>>;
};

const TICK_MS = 100;
/** Latency kept for the median and for the decision to jump (ms). */
const SERIES_MS = 6000;
/** A broadcast that is over and stands still for this long has been seen to its end (ms). */
const OVER_MS = 3000;
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
  const progress = new Progress(video);
  let ending = NOT_ENDED;
  let engine: Engine | undefined;
  /** Grows with each build: what an older one still reports is not heard. */
  let generation = 0;
  let builds = 0;
  let builtAtMs = 0;
  let liveSinceMs = 0;
  const mending = new Mending({
    act,
    lastProgressMs: () => progress.stall.lastProgressMs ?? 0,
    isServerAway: () => isApiAway,
  });
  /** When playback last stood still (monotonic ms), and how often the latency was lowered since. */
  let troubleAtMs = 0;
  let relaxations = 0;
  let latencies: Series = [];
  const will = new Will(video);

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
              mending.hear(fault.kind, fault.detail, fault.isSoft);
            }
          },
          onLevels: () => undefined,
        },
      });
      if (!will.isPaused) {
        will.play();
      }
    } catch (error) {
      if (mine === generation) {
        mending.hear('other', error instanceof Error ? error.message : String(error), false);
      }
    }
  }

  function tearDown(): void {
    mending.cancel();
    engine?.destroy();
    engine = undefined;
    glass.forget();
    latencies = [];
    progress.disturb();
  }

  function act(action: RecoveryAction['action']): void {
    if (will.isPaused) {
      // Mending would start to play by itself; play() builds anew.
      discard();
      return;
    }
    const isMended =
      (action === 'resumeLoading' && engine?.resumeLoading() === true) ||
      (action === 'recoverMedia' && engine?.recoverMedia() === true);
    if (isMended) {
      will.play();
    } else if (where.isPlayable()) {
      void build();
    } else {
      // Nothing to load: the tick builds again when the broadcast is live.
      discard();
    }
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
    progress.expectSeek();
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
    if (!will.isPaused) {
      will.play();
    }
  }

  /** Another player for another source, where there is one. */
  function replace(): void {
    mending.forgive();
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
    progress.expectSeek();
    liveSinceMs = performance.now();
    if (will.isPaused) {
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
    const isShown = latencyMs !== undefined && !progress.stall.isStalled && !video.paused;
    if (where.isFollowing && isShown) {
      latencies = addToSeries(latencies, nowMs, latencyMs, SERIES_MS);
    }
    if (isShown) {
      engine?.steer(latencyMs);
    }
    supervise(nowMs);
  }

  function watchProgress(nowMs: number): void {
    const isWanted = !will.isIdle && ending.playedOutAtMs === undefined;
    const { stillForMs, isBack } = progress.sample(nowMs, isWanted);
    const { isStalled } = progress.stall;
    if (isBack && stillForMs > INTERRUPTION_MS) {
      engine?.afterInterruption();
      relaxations = 0;
    }
    if (isStalled) {
      troubleAtMs = nowMs;
    }
    if (isStalled && stillForMs > OVER_MS && api === 'ended' && where.source === 'live') {
      ending = { ...ending, playedOutAtMs: nowMs };
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
    const isIdle = will.isIdle || ending.playedOutAtMs !== undefined;
    if (!where.isPlayable() || isIdle || mending.isPending) {
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
    const stillSinceMs = Math.max(progress.stall.lastProgressMs ?? 0, builtAtMs, liveSinceMs);
    if (!isApiAway && nowMs - stillSinceMs > patienceMs(mending.attempts)) {
      mending.hear('stuck', 'no progress although there is something to play', false);
      return;
    }
    settle(nowMs, engine);
  }

  /** Forgives past faults, lowers a raised target, jumps where playback is hopelessly behind. */
  function settle(nowMs: number, running: Engine): void {
    const steadyForMs = nowMs - Math.max(mending.faultAtMs, builtAtMs, troubleAtMs);
    // A player that never played is not steady, it is about to be stuck.
    if (progress.stall.hasStarted && steadyForMs > STEADY_AFTER_MS) {
      mending.forgive();
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
    const holeSinceMs = Math.max(progress.stall.lastProgressMs ?? nowMs, builtAtMs);
    return (
      where.isFollowing &&
      engine?.resumesItself === false &&
      progress.stall.isStalled &&
      nowMs - holeSinceMs > HOLE_MS &&
      apiAtMs - holeSinceMs > HOLE_MS &&
      bufferedAhead(video) < HOLE_BUFFER_S
    );
  }

  /** A paused player stays where it is, if that can be played when the pause is over. */
  function holdStill(): void {
    will.isPaused = true;
    if (where.isFollowing && where.programme?.window !== undefined && progress.stall.hasStarted) {
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

  // Paused by a headset or the system's media keys: the viewer's will, not a fault. A rebuild
  // pauses too, hence the guard.
  video.addEventListener('pause', () => {
    if (engine !== undefined && performance.now() - builtAtMs > REBUILD_QUIET_MS && !video.ended) {
      holdStill();
    }
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
        stalls: progress.stall.stalls,
        stalledMs: progress.stall.stalledMs,
        droppedFrames: quality.droppedVideoFrames,
        totalFrames: quality.totalVideoFrames,
        currentTimeUnixMs: engine?.unixMsAt(video.currentTime),
        playbackRate: video.playbackRate,
        clockUncertaintyMs: clock.estimate()?.uncertaintyMs,
        builds,
        lastFault: mending.lastFault,
        hasStarted: progress.stall.hasStarted,
        stillForMs: nowMs - (progress.stall.lastProgressMs ?? nowMs),
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
        will.isPaused = false;
        progress.reset();
        mending.reset();
        builds = 0;
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
      will.isPaused = false;
      goTo(AT_LIVE);
    },
    play: () => {
      if (ending.playedOutAtMs !== undefined) {
        const span = seekable();
        will.isPaused = false;
        seekTo(span?.fromMs ?? 0);
        return;
      }
      if (will.isPaused) {
        will.isPaused = false;
        resume();
      }
      will.play();
      if (engine === undefined && where.isPlayable() && !mending.isPending) {
        void build();
      }
    },
    pause: () => {
      holdStill();
      video.pause();
    },
    isPaused: () => will.isPaused,
    needsGesture: () => will.isRefused,
  };
}
