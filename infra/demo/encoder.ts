/**
 * The two ffmpeg children: raw pictures to H.264, sound to Opus, once for all peers. Each unit comes
 * back with the capture time of what went in: encoders here give exactly one unit for one input, in
 * order. A child that ends is started again with back-off.
 */
import { startChild, type RunningChild } from '../kernel/childProcess.ts';
import { errorText } from '../kernel/errors.ts';
import { backoffMs, type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { createFlvReader, type EncodedPicture } from './flv.ts';
import { createOggReader } from './ogg.ts';
import { CHUNK_RATE, SAMPLE_RATE } from './tone.ts';

/** An encoder that is fed. */
export type Encoder = Closeable & {
  /**
   * Takes one input; false when the encoder is behind and this one is dropped.
   *
   * @param bytes not to be touched until `release` is called (never, when refused)
   */
  write(bytes: Uint8Array, captureMs: number, release: () => void): boolean;
};

/** What the picture encoder is asked for. */
export type VideoSettings = {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly bitrateBps: number;
};

/** Inputs in the child that have no output yet; more means that it cannot keep up. */
const MAX_IN_FLIGHT = 6;
const MAX_CHUNKS_IN_FLIGHT = 25;
/** A run that lasted this long was sound: back-off starts anew. */
const SOUND_RUN_MS = 10_000;
/** Pixels per second above which one core's worth of slices is not enough. */
const PIXELS_PER_THREAD = 40_000_000;

/** Arguments of the picture encoder. Pure. */
export function videoArguments(settings: VideoSettings): string[] {
  const { width, height, fps, bitrateBps } = settings;
  const threads = width * height * fps > PIXELS_PER_THREAD ? 2 : 1;
  const color = ['color_range', 'colorspace', 'color_primaries', 'color_trc'].flatMap((name) => [
    `-${name}`,
    name === 'color_range' ? 'tv' : 'bt709',
  ]);
  return [
    ...['-hide_banner', '-nostats', '-loglevel', 'error', '-probesize', '32'],
    ...['-analyzeduration', '0', '-f', 'rawvideo', '-pix_fmt', 'yuv420p'],
    ...['-video_size', `${width}x${height}`, '-framerate', String(fps), '-i', 'pipe:0'],
    ...['-an', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency'],
    // No deblocking is the one thing of ultrafast that shows on a gradient.
    ...['-x264-params', 'no-deblock=0:deblock=0,0'],
    ...['-profile:v', 'baseline', '-threads', String(threads), ...color],
    ...['-b:v', String(bitrateBps), '-maxrate', String(bitrateBps)],
    // A fifth of a second: a keyframe stays a burst that a default UDP buffer holds.
    ...['-bufsize', String(Math.round(bitrateBps / 5))],
    // Half a second: how long a new or a hurt peer waits for a picture, since a keyframe cannot be
    // asked of ffmpeg.
    ...['-g', String(Math.max(1, Math.round(fps / 2))), '-sc_threshold', '0'],
    ...['-fps_mode', 'passthrough', '-flush_packets', '1'],
    ...['-f', 'flv', '-flvflags', 'no_duration_filesize', 'pipe:1'],
  ];
}

/** Arguments of the sound encoder. Pure. */
export function audioArguments(): string[] {
  return [
    ...['-hide_banner', '-nostats', '-loglevel', 'error', '-probesize', '32'],
    ...['-analyzeduration', '0', '-f', 's16le', '-ar', String(SAMPLE_RATE), '-ac', '2'],
    ...['-i', 'pipe:0', '-vn', '-c:a', 'libopus', '-b:a', '96k', '-frame_duration', '20'],
    ...['-flush_packets', '1', '-f', 'ogg', '-page_duration', '20000', 'pipe:1'],
  ];
}

/** Starts the picture encoder. */
export function startVideoEncoder(
  deps: { readonly logger: Logger },
  settings: VideoSettings,
  onPicture: (picture: EncodedPicture, captureMs: number) => void,
): Encoder {
  return startEncoder(deps, 'video', videoArguments(settings), MAX_IN_FLIGHT, () => {
    const reader = createFlvReader();
    return (chunk, takeTime) => {
      for (const picture of reader.push(chunk)) {
        const captureMs = takeTime();
        if (captureMs !== undefined) {
          onPicture(picture, captureMs);
        }
      }
    };
  });
}

/**
 * Starts the sound encoder.
 *
 * @param onPacket the time is that of the first sample that a decoder makes of the packet
 */
export function startAudioEncoder(
  deps: { readonly logger: Logger },
  onPacket: (packet: Uint8Array, captureMs: number) => void,
): Encoder {
  return startEncoder(deps, 'audio', audioArguments(), MAX_CHUNKS_IN_FLIGHT, () => {
    const reader = createOggReader();
    return (chunk, takeTime) => {
      for (const packet of reader.push(chunk)) {
        const captureMs = takeTime();
        if (captureMs !== undefined) {
          onPacket(packet, captureMs - (reader.preSkip() / SAMPLE_RATE) * 1000);
        }
      }
    };
  });
}

type Output = (chunk: Buffer, takeTime: () => number | undefined) => void;

function startEncoder(
  { logger }: { readonly logger: Logger },
  kind: 'video' | 'audio',
  args: readonly string[],
  maxInFlight: number,
  createOutput: () => Output,
): Encoder {
  const stopping = new AbortController();
  let current: { readonly child: RunningChild; readonly times: number[] } | undefined;
  const runOnce = async (): Promise<void> => {
    const child = startChild('ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const times: number[] = [];
    const output = createOutput();
    // EPIPE when it ends; the exit is what is reported.
    child.process.stdin?.on('error', () => undefined);
    child.process.stdout?.on('data', (chunk: Buffer) => {
      try {
        output(chunk, () => times.shift());
      } catch (error) {
        logger.error({ kind, error: errorText(error) }, 'encoder output is not readable');
        void child.close('unreadable output');
      }
    });
    current = { child, times };
    const exit = await child.exited;
    current = undefined;
    if (!stopping.signal.aborted) {
      logger.warn({ kind, ...exit, stderr: child.stderrTail().slice(-5) }, 'encoder ended');
    }
  };
  const run = async (): Promise<void> => {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      const startedMs = performance.now();
      await runOnce();
      attempt = performance.now() - startedMs > SOUND_RUN_MS ? 0 : attempt;
      await pause(backoffMs(attempt), stopping.signal);
    }
  };
  const running = run();
  return {
    write(bytes, captureMs, release) {
      const stdin = current?.child.process.stdin;
      if (
        current === undefined ||
        stdin?.writable !== true ||
        current.times.length >= maxInFlight
      ) {
        return false;
      }
      current.times.push(captureMs);
      stdin.write(bytes, release);
      return true;
    },
    async close(reason) {
      stopping.abort();
      await current?.child.close(reason);
      await running;
    },
  };
}

/** Chunks that the sound is fed ahead of time: ffmpeg holds back about two (its reads, a page). */
export const AUDIO_LEAD_CHUNKS = Math.round(0.04 * CHUNK_RATE);
