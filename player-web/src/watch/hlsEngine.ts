/** LL-HLS by hls.js. The only file that knows hls.js. */
import Hls, {
  ErrorDetails,
  ErrorTypes,
  Events,
  type ErrorData,
  type HlsConfig,
  type Level as HlsLevel,
  type LevelDetails,
} from 'hls.js';
import {
  AUTO,
  levelName,
  type Engine,
  type EngineOptions,
  type LevelChoice,
  type SourceKind,
} from './engine.ts';
import { isTooClose, positionAt, spanOf, unixMsAt, type DatedSegment } from './latency.ts';
import type { FaultKind } from './recovery.ts';

/** Playback rates while catching up and while falling back: nobody hears either. */
const MAX_RATE = 1.1;
const MIN_RATE = 0.95;

/**
 * Latency that hls.js steers to, by its own reckoning (s): two parts of the default 500 ms. Its
 * default, PART-HOLD-BACK, is three and the server's advice for anyone; ours are measured against
 * this origin. It catches up only while more than a second is buffered (latency-controller.ts), so
 * it settles at 1.4 s glass to glass and a lower target would change nothing.
 */
const LIVE_SYNC_S = 1;
/** With longer parts the target is this many of them: one that plays and one that is on its way. */
const LIVE_SYNC_PARTS = 2;
/**
 * Further behind than this it jumps (s). Each stall raises the target by a second, up to one target
 * duration: far above that, or it would jump for ever (media-facts B.6).
 */
const MAX_LATENCY_S = 6;

/** Starts hls.js on the multivariant playlist. */
export function startHls(options: EngineOptions): Engine {
  const { video, events, source } = options;
  const hls = new Hls(configFor(source));
  let choice = options.level;
  let isDestroyed = false;
  let isFallingBack = false;
  let isFollowing = source === 'live' && options.startAtMs === undefined;
  let syncS = LIVE_SYNC_S;

  const segments = (): readonly DatedSegment[] => datedSegments(hls, options.recordingFromMs);

  const names = (): readonly string[] => hls.levels.map(nameOf);

  function applyChoice(): void {
    const index = names().indexOf(choice);
    // loadLevel, not currentLevel or nextLevel: those flush the buffer, and with 1.5 s of it that
    // is a stall.
    hls.loadLevel = choice === AUTO ? -1 : index;
  }

  /** hls.js leaves a chosen level at the first fault or gap; the viewer's choice holds. */
  function holdChoice(): void {
    const index = names().indexOf(choice);
    if (choice !== AUTO && index >= 0 && hls.loadLevel !== index) {
      hls.loadLevel = index;
    }
  }

  hls.on(Events.MANIFEST_PARSED, () => {
    const index = names().indexOf(choice);
    if (choice !== AUTO && index >= 0) {
      hls.startLevel = index;
      hls.loadLevel = index;
    }
    events.onLevels();
  });
  hls.on(Events.LEVEL_LOADED, (_event, { details }) => {
    const wantedS = details.partTarget * LIVE_SYNC_PARTS;
    if (source === 'live' && wantedS > syncS) {
      syncS = wantedS;
      hls.targetLatency = wantedS;
    }
  });
  finishAtEnd(hls, video, () => isDestroyed);
  if (options.startAtMs !== undefined) {
    startAt(hls, options.startAtMs, options.recordingFromMs, () => isDestroyed);
  }
  hls.on(Events.LEVELS_UPDATED, () => {
    events.onLevels();
  });
  hls.on(Events.LEVEL_SWITCHED, () => {
    events.onLevels();
  });
  hls.on(Events.ERROR, (_event, data) => {
    if (data.fatal && !isDestroyed) {
      events.onFault({ kind: faultOf(data), detail: `hls.js ${data.details}`, isSoft: false });
    }
  });
  follow(isFollowing);
  hls.loadSource(options.urls.hls);
  hls.attachMedia(video);

  function follow(next: boolean): void {
    isFollowing = next;
    isFallingBack = false;
    // At 1 and without a bound hls.js leaves a viewer who rewound in peace.
    hls.config.maxLiveSyncPlaybackRate = next ? MAX_RATE : 1;
    hls.config.liveMaxLatencyDuration = next ? MAX_LATENCY_S : Infinity;
    video.playbackRate = 1;
  }

  return {
    kind: 'hls',
    // It does, but its audio then lags behind for another 5 s, and a new player is a second (seen).
    resumesItself: false,
    levels: () =>
      hls.levels.map((level, index) => ({
        name: nameOf(level, index),
        width: level.width || undefined,
        height: level.height || undefined,
        bitrateBps: level.averageBitrate || level.bitrate || undefined,
      })),
    currentLevel: () => {
      const index = hls.currentLevel;
      return names()[index];
    },
    setLevel: (next: LevelChoice) => {
      choice = next;
      applyChoice();
    },
    unixMsAt: (positionS) => unixMsAt(segments(), positionS),
    seekable: () => spanOf(segments()),
    seekTo: (unixMs) => {
      const positionS = positionAt(segments(), unixMs);
      if (positionS !== undefined) {
        video.currentTime = positionS;
      }
    },
    follow,
    targetMs: () => (hls.targetLatency === null ? undefined : hls.targetLatency * 1000),
    steer: (latencyMs) => {
      holdChoice();
      if (!isFollowing) {
        return;
      }
      const next = isTooClose(isFallingBack, latencyMs, syncS * 1000);
      if (next !== isFallingBack) {
        isFallingBack = next;
        // At 1 hls.js leaves the rate alone.
        hls.config.maxLiveSyncPlaybackRate = next ? 1 : MAX_RATE;
        video.playbackRate = next ? MIN_RATE : 1;
      }
    },
    seekToLive: () => {
      if (hls.liveSyncPosition !== null) {
        video.currentTime = hls.liveSyncPosition;
      }
    },
    resumeLoading: () => {
      hls.startLoad();
      return true;
    },
    recoverMedia: () => {
      hls.recoverMediaError();
      return true;
    },
    relaxTarget: () => relaxTarget(hls, syncS),
    afterInterruption: () => {
      relaxTarget(hls, syncS);
      // A request that the origin held until the source came back reads as a network of few bit/s.
      hls.bandwidthEstimate = hls.config.abrEwmaDefaultEstimate;
      // A level that failed is not chosen again before it has succeeded, which it then never can.
      for (const level of hls.levels) {
        level.loadError = 0;
        level.fragmentError = 0;
      }
    },
    destroy: () => {
      isDestroyed = true;
      hls.destroy();
      video.playbackRate = 1;
    },
  };
}

/** The track of a variant stands in its playlist's URL: `/live/{broadcast}/{track}/media.m3u8`. */
function nameOf(level: HlsLevel, index: number): string {
  const track = /\/(v[0-9a-z-]+)\/[^/]+\.m3u8/.exec(level.uri)?.[1];
  return track ?? levelName(level.height || undefined, index);
}

/** hls.js raises its target by a second for each stall, for good. */
function relaxTarget(hls: Hls, syncS: number): boolean {
  const isRaised = (hls.targetLatency ?? 0) > syncS + 0.01;
  if (isRaised) {
    hls.targetLatency = syncS;
  }
  return isRaised;
}

/**
 * Begins at an instant, which only the first playlist turns into a position. By then hls.js has
 * begun to load at the live edge: it is stopped, and started once its aborts have been heard, or
 * they would count for what is loaded next (1.7.4, seen).
 */
function startAt(
  hls: Hls,
  unixMs: number,
  recordingFromMs: number | undefined,
  isDestroyed: () => boolean,
): void {
  hls.once(Events.LEVEL_LOADED, (_event, { details }) => {
    const positionS = positionAt(dated(details, recordingFromMs), unixMs);
    if (positionS === undefined) {
      return;
    }
    hls.stopLoad();
    window.setTimeout(() => {
      if (!isDestroyed()) {
        hls.startLoad(positionS);
      }
    }, 0);
  });
}

/** Long enough for the playlists of video and audio to have ended both (ms). */
const END_SETTLE_MS = 50;
/** Long enough for the last segment to have been loaded (ms). */
const LAST_LOAD_MS = 1500;
/** hls.js takes a segment for whole that lacks less than this, and never loads the rest (s). */
const LAST_REST_S = 0.25;

/**
 * Loads the last segment of a broadcast that ends. hls.js 1.7.4 takes a segment that it has played
 * by parts so far for loaded when EXT-X-ENDLIST comes with its last part, and never ends (seen):
 * loading again from here forgets that. Without parts: a part alone need not begin with a picture
 * that can be decoded.
 */
function finishAtEnd(hls: Hls, video: HTMLVideoElement, isDestroyed: () => boolean): void {
  let wasLive = false;
  let timer: number | undefined;
  const onPlaylist = (_event: unknown, { details }: { readonly details: LevelDetails }): void => {
    wasLive ||= details.live;
    if (!wasLive || details.live || !hls.config.lowLatencyMode) {
      return;
    }
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (!isDestroyed()) {
        hls.config.lowLatencyMode = false;
        hls.stopLoad();
        hls.startLoad(video.currentTime, true);
        timer = window.setTimeout(() => {
          const { buffered } = video;
          const endS = buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
          if (!isDestroyed() && details.edge - endS < LAST_REST_S) {
            hls.trigger(Events.BUFFER_EOS, { type: null });
          }
        }, LAST_LOAD_MS);
      }
    }, END_SETTLE_MS);
  };
  hls.on(Events.LEVEL_UPDATED, onPlaylist);
  hls.on(Events.AUDIO_TRACK_UPDATED, onPlaylist);
}

function datedSegments(hls: Hls, recordingFromMs: number | undefined): readonly DatedSegment[] {
  const details = hls.latestLevelDetails;
  return details === null ? [] : dated(details, recordingFromMs);
}

function dated(
  details: LevelDetails,
  recordingFromMs: number | undefined,
): readonly DatedSegment[] {
  const hint = details.fragmentHint;
  const fragments = hint === undefined ? details.fragments : [...details.fragments, hint];
  return fragments.flatMap((fragment) => {
    const unixMs =
      fragment.programDateTime ??
      (recordingFromMs === undefined ? undefined : recordingFromMs + fragment.start * 1000);
    return unixMs === undefined
      ? []
      : { startS: fragment.start, durationS: fragment.duration, unixMs };
  });
}

/** Settings that all sources share, and those of the live edge. */
function configFor(source: SourceKind): Partial<HlsConfig> {
  // hls.js has no jitter of its own: each viewer gets its own pace of retries.
  const pace = 0.7 + 0.6 * Math.random();
  const shared: Partial<HlsConfig> = {
    // The default of 0 keeps a level that failed once out of the automatic choice for ever.
    errorPenaltyExpireMs: 5000,
    // An origin that restarts refuses, and one whose source is away answers 503 after 3 target
    // durations: keep asking for minutes before it becomes a fault, so that playback goes on with
    // the player it has, and at most a second late: the back-off ends at a second.
    playlistLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 10_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 4, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 120, retryDelayMs: 250 * pace, maxRetryDelayMs: 800 * pace },
      },
    },
    fragLoadPolicy: {
      default: {
        ...Hls.DefaultConfig.fragLoadPolicy.default,
        errorRetry: { maxNumRetry: 30, retryDelayMs: 250 * pace, maxRetryDelayMs: 800 * pace },
      },
    },
  };
  if (source !== 'live') {
    // Behind live nothing hurries: whole segments, a longer buffer, and a playlist that is loaded
    // again once per segment although it may list hours. Without a most, hls.js loads 60 MB ahead:
    // ten minutes at 360p that few will watch.
    return {
      ...shared,
      lowLatencyMode: false,
      maxBufferLength: 20,
      maxMaxBufferLength: 60,
      backBufferLength: 60,
    };
  }
  return {
    ...shared,
    lowLatencyMode: true,
    liveSyncDuration: LIVE_SYNC_S,
    liveMaxLatencyDuration: MAX_LATENCY_S,
    // The default of 1 never catches up (media-facts B.6).
    maxLiveSyncPlaybackRate: MAX_RATE,
    // A finite back buffer made one hard stall 13 to 36 s after the start in hls.js 1.7.4; eviction
    // is left to the browser's quota (media-facts B.6).
    backBufferLength: Infinity,
    maxBufferLength: 10,
  };
}

const MANIFEST_FAULTS: ReadonlySet<ErrorDetails> = new Set([
  ErrorDetails.MANIFEST_LOAD_ERROR,
  ErrorDetails.MANIFEST_LOAD_TIMEOUT,
  ErrorDetails.MANIFEST_PARSING_ERROR,
  ErrorDetails.LEVEL_EMPTY_ERROR,
]);

function faultOf(data: ErrorData): FaultKind {
  if (MANIFEST_FAULTS.has(data.details)) {
    return 'manifest';
  }
  // A playlist that contradicts what the player holds: only a new player believes it.
  if (data.details === ErrorDetails.LEVEL_PARSING_ERROR) {
    return 'other';
  }
  if (data.type === ErrorTypes.NETWORK_ERROR) {
    return 'network';
  }
  return data.type === ErrorTypes.MEDIA_ERROR ? 'media' : 'other';
}
