/** LL-DASH by dash.js. The only file that knows dash.js. */
import {
  MediaPlayer,
  type MediaPlayerClass,
  type MediaPlayerSettingClass,
  type Representation,
} from 'dashjs';
import {
  AUTO,
  levelName,
  type Engine,
  type EngineOptions,
  type LevelChoice,
  type Span,
} from './engine.ts';
import type { FaultKind } from './recovery.ts';

/**
 * Latency that dash.js steers to (s): chunks of 100 ms and a pipeline of 0.1 s leave 0.6 s or more
 * buffered, and 0 stalls where measured. The MPD's 1 s is the advice for any player.
 */
const LIVE_DELAY_S = 0.8;

/** No audio rung is above it. */
const BEST_AUDIO_KBPS = 512;

// Codes of the errors that end the manifest or the media; see dashjs core/errors/Errors.js.
const MANIFEST_CODES: readonly number[] = [10, 11, 25, 31, 32];
const MEDIA_CODES: readonly number[] = [20, 21, 22];

/** Starts dash.js on the MPD. */
export function startDash(options: EngineOptions): Engine {
  const { video, events, source } = options;
  const player = MediaPlayer().create();
  // availabilityStartTime is 1970 and the presentation time offset keeps media time: a position is
  // Unix seconds (architecture section 2). A recording begins at 0.
  const zeroMs = source === 'recording' ? (options.recordingFromMs ?? 0) : 0;
  let isDestroyed = false;
  let chosen = options.level;

  function applyLevel(choice: LevelChoice): void {
    applySettings(player, { abr: { autoSwitchBitrate: { video: choice === AUTO } } });
    if (
      choice !== AUTO &&
      representations().some((representation) => representation.id === choice)
    ) {
      player.setRepresentationForTypeById('video', choice);
    }
  }

  function representations(): readonly Representation[] {
    return player.isReady() ? player.getRepresentationsByType('video') : [];
  }

  player.initialize();
  applySettings(player, settings(options.level));
  follow(source === 'live' && options.startAtMs === undefined);
  let hasBegun = false;
  player.on('streamInitialized', () => {
    applyLevel(chosen);
    if (!hasBegun && !video.paused) {
      // dash.js 5.2 begins to ask for the manifest again at 'play', which was before it listened:
      // without it the end of the broadcast would never be heard of.
      video.dispatchEvent(new Event('play'));
    }
    hasBegun = true;
    events.onLevels();
  });
  player.on('qualityChangeRendered', () => {
    events.onLevels();
  });
  player.on('error', (event: unknown) => {
    if (!isDestroyed) {
      const error = errorOf(event);
      const kind = faultOf(error.code);
      // dash.js goes on after a lost segment; only without a manifest there is nothing left of it.
      events.onFault({ kind, detail: `dash.js ${error.text}`, isSoft: kind !== 'manifest' });
    }
  });
  player.attachView(video);
  // Absolute: dash.js 5.2 trips over its own CMCD bookkeeping on a relative URL.
  const url = new URL(options.urls.dash, location.href).href;
  if (options.startAtMs === undefined) {
    player.attachSource(url);
  } else {
    player.attachSource(url, positionAt(options.startAtMs));
  }

  /** The catch-up would take a viewer who rewound back to live. */
  function follow(isFollowing: boolean): void {
    applySettings(player, { liveCatchup: { enabled: isFollowing } });
    video.playbackRate = 1;
  }

  function unixMsAt(positionS: number): number | undefined {
    return positionS > 0 || source === 'recording' ? zeroMs + positionS * 1000 : undefined;
  }

  function positionAt(unixMs: number): number {
    return (unixMs - zeroMs) / 1000;
  }

  function seekable(): Span | undefined {
    if (!player.isReady()) {
      return undefined;
    }
    const { start, end } = player.getDvrWindow();
    const toMs = unixMsAt(end);
    if (toMs === undefined) {
      return undefined;
    }
    // Once it is static an MPD of a broadcast begins with the timeline, in 1970: nobody has that.
    return { fromMs: unixMsAt(start) ?? 0, toMs };
  }

  return {
    kind: 'dash',
    resumesItself: true,
    levels: () =>
      representations().map((representation, index) => ({
        name: representation.id || levelName(representation.height, index),
        width: representation.width || undefined,
        height: representation.height || undefined,
        bitrateBps: representation.bandwidth || undefined,
      })),
    currentLevel: () =>
      player.isReady()
        ? (player.getCurrentRepresentationForType('video')?.id ?? undefined)
        : undefined,
    setLevel: (choice) => {
      chosen = choice;
      applyLevel(choice);
    },
    unixMsAt,
    seekable,
    seekTo: (unixMs) => {
      if (player.isReady()) {
        player.seekToPresentationTime(positionAt(unixMs));
      }
    },
    follow,
    targetMs: () => {
      const delayS = player.isReady() ? player.getTargetLiveDelay() : Number.NaN;
      return Number.isFinite(delayS) ? delayS * 1000 : LIVE_DELAY_S * 1000;
    },
    steer: () => undefined,
    seekToLive: () => {
      if (player.isReady()) {
        player.seekToOriginalLive();
      }
    },
    resumeLoading: () => false,
    recoverMedia: () => false,
    relaxTarget: () => false,
    afterInterruption: () => undefined,
    destroy: () => {
      isDestroyed = true;
      // dash.js 5.2 leaves a listener that waits for this event and would throw at the next
      // player's: let it fire while it still has its element.
      video.dispatchEvent(new Event('canplay'));
      player.destroy();
    },
  };
}

type StreamingSettings = NonNullable<MediaPlayerSettingClass['streaming']>;

function applySettings(player: MediaPlayerClass, streaming: StreamingSettings): void {
  // Declared as a class, read as a plain object.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
  player.updateSettings({ streaming });
}

function settings(level: LevelChoice): StreamingSettings {
  // dash.js has no jitter of its own: each viewer gets its own pace of retries.
  const pace = 0.7 + 0.6 * Math.random();
  return {
    delay: { liveDelay: LIVE_DELAY_S },
    liveCatchup: {
      enabled: true,
      maxDrift: 3,
      // Wide enough to get to the target within seconds; 0.95 to 1.05 was too slow.
      playbackRate: { min: -0.15, max: 0.25 },
    },
    // The manifest says where the clock is; should it not, ours, never an outside one.
    utcSynchronization: {
      enabled: true,
      defaultTimingSource: {
        scheme: 'urn:mpeg:dash:utc:http-iso:2014',
        value: new URL('/time', location.href).href,
      },
    },
    // A growing segment comes as fast as it is made, so dash.js takes its sound for all that the
    // network carries and stays at the lowest rung (seen): it has the best, the picture adapts.
    abr: {
      autoSwitchBitrate: { video: level === AUTO, audio: false },
      initialBitrate: { audio: BEST_AUDIO_KBPS },
    },
    // Switching replaces nothing that is buffered: with 1 s of buffer that would be a stall.
    buffer: { fastSwitchEnabled: false },
    // An origin that restarts is asked again three times a second; low latency changes nothing of
    // it. dash.js asks for a segment anew when its attempts are used up, except where the broadcast
    // has ended: then the one that never came is what it waits for, hence so few.
    retryAttempts: {
      MPD: 60,
      MediaSegment: 6,
      InitializationSegment: 60,
      lowLatencyMultiplyFactor: 1,
    },
    retryIntervals: {
      MPD: 500 * pace,
      MediaSegment: 300 * pace,
      InitializationSegment: 300 * pace,
      lowLatencyReductionFactor: 1,
    },
  };
}

function errorOf(event: unknown): { readonly code: number; readonly text: string } {
  const error = isRecord(event) ? event['error'] : undefined;
  const code = isRecord(error) ? Number(error['code']) : Number.NaN;
  const text = isRecord(error) && typeof error['message'] === 'string' ? error['message'] : '';
  return { code, text: `${code} ${text}`.trim() };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function faultOf(code: number): FaultKind {
  if (MANIFEST_CODES.includes(code)) {
    return 'manifest';
  }
  return MEDIA_CODES.includes(code) ? 'media' : 'network';
}
