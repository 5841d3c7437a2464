/** HLS by the browser itself: iPhone, or wherever there is no MediaSource. */
import { type Engine, type EngineOptions } from './engine.ts';

/** Target that the page assumes of a player that does not tell its own (ms). */
const ASSUMED_TARGET_MS = 3000;

/** Whether the browser plays HLS by itself. */
export function isNativeSupported(video: HTMLVideoElement): boolean {
  return video.canPlayType('application/vnd.apple.mpegurl') !== '';
}

/** Safari's own; not in lib.dom. UTC at the start of the media timeline. */
type WithStartDate = { getStartDate?: () => Date };

/** Hands the multivariant playlist to the media element. */
export function startNative(options: EngineOptions): Engine {
  const { video, events } = options;
  const listening = new AbortController();
  video.addEventListener(
    'error',
    () => {
      const code = video.error?.code ?? 0;
      const kind = code === MediaError.MEDIA_ERR_DECODE ? 'media' : 'manifest';
      events.onFault({ kind, detail: `media element error ${code}`, isSoft: false });
    },
    { signal: listening.signal },
  );
  video.addEventListener(
    'loadedmetadata',
    () => {
      events.onLevels();
      if (options.startAtMs !== undefined) {
        seekTo(options.startAtMs);
      }
    },
    { signal: listening.signal },
  );
  video.src = options.urls.hls;

  function startDateMs(): number | undefined {
    const startMs = (video as WithStartDate).getStartDate?.().getTime() ?? Number.NaN;
    return Number.isFinite(startMs) ? startMs : options.recordingFromMs;
  }

  function seekTo(unixMs: number): void {
    const startMs = startDateMs();
    if (startMs !== undefined) {
      video.currentTime = (unixMs - startMs) / 1000;
    }
  }

  return {
    kind: 'native',
    resumesItself: true,
    levels: () => [],
    currentLevel: () => (video.videoHeight > 0 ? `v${video.videoHeight}` : undefined),
    setLevel: () => undefined,
    unixMsAt: (positionS) => {
      const startMs = startDateMs();
      return startMs === undefined ? undefined : startMs + positionS * 1000;
    },
    seekable: () => {
      const { seekable } = video;
      const startMs = startDateMs();
      return startMs === undefined || seekable.length === 0
        ? undefined
        : {
            fromMs: startMs + seekable.start(0) * 1000,
            toMs: startMs + seekable.end(seekable.length - 1) * 1000,
          };
    },
    seekTo,
    // Safari keeps to the live edge only as long as nobody seeks.
    follow: () => undefined,
    targetMs: () => ASSUMED_TARGET_MS,
    steer: () => undefined,
    seekToLive: () => {
      const { seekable } = video;
      if (seekable.length > 0) {
        video.currentTime = seekable.end(seekable.length - 1) - ASSUMED_TARGET_MS / 1000;
      }
    },
    resumeLoading: () => false,
    recoverMedia: () => false,
    relaxTarget: () => false,
    afterInterruption: () => undefined,
    destroy: () => {
      listening.abort();
      video.removeAttribute('src');
      video.load();
    },
  };
}
