/** Measures what is on the glass: the newest frame shown, and how old its own timestamp is. */
import type { ServerClock } from '../lib/serverClock.ts';
import type { Engine } from './engine.ts';

/** A running measurement. */
export type Glass = {
  /** Latency of the newest frame, or of the playback position where frames are not told (ms). */
  latencyMs(engine: Engine | undefined, nowMs: number): number | undefined;
  /** Another player has the element: its frames so far say nothing. */
  forget(): void;
};

/** A frame older than this says nothing of the latency now (ms). */
const FRAME_FRESH_MS = 700;

/** Watches the frames of `video`. */
export function watchGlass(video: HTMLVideoElement, clock: ServerClock): Glass {
  let frame: { readonly shownAtMs: number; readonly positionS: number } | undefined;

  function onFrame(now: number, metadata: VideoFrameCallbackMetadata): void {
    frame = {
      shownAtMs: Math.max(now, metadata.expectedDisplayTime),
      positionS: metadata.mediaTime,
    };
    video.requestVideoFrameCallback(onFrame);
  }
  if ('requestVideoFrameCallback' in video) {
    video.requestVideoFrameCallback(onFrame);
  }

  return {
    latencyMs: (engine, nowMs) => {
      if (engine === undefined || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        return undefined;
      }
      const isFrameFresh = frame !== undefined && nowMs - frame.shownAtMs < FRAME_FRESH_MS;
      const shownAtMs = isFrameFresh && frame !== undefined ? frame.shownAtMs : nowMs;
      const positionS = isFrameFresh && frame !== undefined ? frame.positionS : video.currentTime;
      const glassMs = clock.atMs(shownAtMs);
      const mediaMs = engine.unixMsAt(positionS);
      return glassMs === undefined || mediaMs === undefined ? undefined : glassMs - mediaMs;
    },
    forget: () => {
      frame = undefined;
    },
  };
}

/** Media buffered ahead of the playback position (s). */
export function bufferedAhead(video: HTMLVideoElement): number {
  const { buffered, currentTime } = video;
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) <= currentTime + 0.1 && buffered.end(index) > currentTime) {
      return buffered.end(index) - currentTime;
    }
  }
  return 0;
}
