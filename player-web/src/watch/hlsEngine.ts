/** LL-HLS by hls.js. The only file that knows hls.js. */
import Hls, {
  ErrorDetails,
  ErrorTypes,
  Events,
  type ErrorData,
  type Level as HlsLevel,
} from 'hls.js';
import { AUTO, levelName, type Engine, type EngineOptions, type LevelChoice } from './engine.ts';
import { isTooClose, unixMsAt, type DatedSegment } from './latency.ts';
import type { FaultKind } from './recovery.ts';

/** Playback rates while catching up and while falling back: nobody hears either. */
const MAX_RATE = 1.1;
const MIN_RATE = 0.95;

/** Starts hls.js on the multivariant playlist. */
export function startHls(options: EngineOptions): Engine {
  const { video, events } = options;
  // hls.js has no jitter of its own: each viewer gets its own pace of retries.
  const pace = 0.7 + 0.6 * Math.random();
  const hls = new Hls({
    lowLatencyMode: true,
    // The default of 1 never catches up (media-facts B.6).
    maxLiveSyncPlaybackRate: MAX_RATE,
    // A finite back buffer made one hard stall 13 to 36 s after the start in hls.js 1.7.4; eviction
    // is left to the browser's quota (media-facts B.6).
    backBufferLength: Infinity,
    // No liveSyncDuration and no liveMaxLatencyDuration: the former would replace PART-HOLD-BACK as
    // the target and the latter needs the former. The session jumps where that is needed.
    maxBufferLength: 10,
    // The default of 0 keeps a level that failed once out of the automatic choice for ever.
    errorPenaltyExpireMs: 5000,
    // Interrupted sources are answered 503 after 3 target durations: keep asking for a good while
    // before it becomes a fault, playback then goes on without a rebuild.
    playlistLoadPolicy: {
      default: {
        maxTimeToFirstByteMs: 10_000,
        maxLoadTimeMs: 20_000,
        timeoutRetry: { maxNumRetry: 4, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 8, retryDelayMs: 500 * pace, maxRetryDelayMs: 4000 * pace },
      },
    },
    fragLoadPolicy: {
      default: {
        ...Hls.DefaultConfig.fragLoadPolicy.default,
        errorRetry: { maxNumRetry: 6, retryDelayMs: 1000 * pace, maxRetryDelayMs: 8000 * pace },
      },
    },
  });
  let choice = options.level;
  let isDestroyed = false;
  let isFallingBack = false;

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
  hls.loadSource(options.urls.hls);
  hls.attachMedia(video);

  return {
    kind: 'hls',
    // It does, but its audio then lags behind for another 5 s (1.7.4, seen).
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
    unixMsAt: (positionS) => unixMsAt(datedSegments(hls), positionS),
    targetMs: () => (hls.targetLatency === null ? undefined : hls.targetLatency * 1000),
    steer: (latencyMs) => {
      holdChoice();
      const next = isTooClose(isFallingBack, latencyMs, partHoldBackS(hls) * 1000);
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
    relaxTarget: () => relaxTarget(hls),
    afterInterruption: () => {
      relaxTarget(hls);
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
function relaxTarget(hls: Hls): boolean {
  const baseS = partHoldBackS(hls);
  const isRaised = baseS > 0 && (hls.targetLatency ?? 0) > baseS + 0.01;
  if (isRaised) {
    hls.targetLatency = baseS;
  }
  return isRaised;
}

function partHoldBackS(hls: Hls): number {
  return hls.latestLevelDetails?.partHoldBack ?? 0;
}

function datedSegments(hls: Hls): readonly DatedSegment[] {
  const details = hls.latestLevelDetails;
  if (details === null) {
    return [];
  }
  const hint = details.fragmentHint;
  const fragments = hint === undefined ? details.fragments : [...details.fragments, hint];
  return fragments.flatMap((fragment) =>
    fragment.programDateTime === null
      ? []
      : {
          startS: fragment.start,
          durationS: fragment.duration,
          unixMs: fragment.programDateTime,
        },
  );
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
