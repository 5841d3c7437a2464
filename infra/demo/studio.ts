/**
 * The programme: draws pictures and makes sound on the UTC grid, has them encoded once and hands
 * the units out with their capture times. Owns the stage; who receives is the streamer's.
 */
import type { Clock } from '../kernel/broadcastClock.ts';
import { closeStack, type Closeable } from '../kernel/lifecycle.ts';
import { errorText } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import {
  AUDIO_LEAD_CHUNKS,
  startAudioEncoder,
  startVideoEncoder,
  type VideoSettings,
} from './encoder.ts';
import type { EncodedPicture } from './flv.ts';
import { startPacer, tickMs } from './pacer.ts';
import { createScene, type FrameBuffer } from './scene.ts';
import { applyInput, INITIAL_STAGE, type StageInput, stepStage } from './stage.ts';
import { CHUNK_BYTES, CHUNK_RATE, fillChunk } from './tone.ts';

/** Whom the units go to. */
export type Audience = {
  picture(picture: EncodedPicture, captureMs: number): void;
  sound(packet: Uint8Array, captureMs: number): void;
  /** Peers that are connected, for the screen. */
  count(): number;
};

/** A running programme. */
export type Studio = Closeable & { apply(input: StageInput): void };

/** One is drawn, one is on its way to ffmpeg, one is spare. */
const BUFFERS = 3;
/** Chunks of sound made up for after a stall; more than this is left as a gap. */
const MAX_CATCH_UP_CHUNKS = CHUNK_RATE;

/** Starts drawing at once. */
export function startStudio(
  deps: { readonly logger: Logger; readonly clock: Clock },
  settings: VideoSettings,
  audience: Audience,
): Studio {
  const stack = closeStack((error) => {
    deps.logger.warn({ error: errorText(error) }, 'studio did not close in order');
  });
  const { width, height, fps, bitrateBps } = settings;
  const facts = `${width}x${height}  ${fps} fps  ${Number((bitrateBps / 1e6).toFixed(1))} Mbit/s  H.264`;
  const scene = createScene({ width, height, fps, facts });
  const free: FrameBuffer[] = Array.from({ length: BUFFERS }, () => scene.createBuffer());
  const video = stack.push(
    startVideoEncoder(deps, settings, (picture, captureMs) => {
      audience.picture(picture, captureMs);
    }),
  );
  const audio = stack.push(
    startAudioEncoder(deps, (packet, captureMs) => {
      audience.sound(packet, captureMs);
    }),
  );
  let stage = INITIAL_STAGE;
  let frameCount = 0;
  let lastFrame: number | undefined;
  const drawFrame = (frame: number): void => {
    const elapsed = Math.min(fps, frame - (lastFrame ?? frame - 1)) / fps;
    lastFrame = frame;
    frameCount += 1;
    stage = stepStage(stage, elapsed);
    const buffer = free.pop();
    if (buffer === undefined) {
      return;
    }
    const captureMs = tickMs(frame, fps);
    scene.draw(buffer, { frame, frameCount, captureMs, stage, peers: audience.count() });
    const release = (): void => {
      free.push(buffer);
    };
    if (!video.write(buffer.planes.bytes, captureMs, release)) {
      release();
    }
  };
  let lastChunk: number | undefined;
  const makeSound = (tick: number): void => {
    const newest = tick + AUDIO_LEAD_CHUNKS;
    const first = Math.max((lastChunk ?? newest - 1) + 1, newest - MAX_CATCH_UP_CHUNKS);
    for (let chunk = first; chunk <= newest; chunk++) {
      const samples = Buffer.alloc(CHUNK_BYTES);
      fillChunk(chunk, samples);
      audio.write(samples, tickMs(chunk, CHUNK_RATE), () => undefined);
    }
    lastChunk = newest;
  };
  stack.push(startPacer(deps, fps, drawFrame));
  stack.push(startPacer(deps, CHUNK_RATE, makeSound));
  return {
    apply(input) {
      stage = applyInput(stage, input);
    },
    close: (reason) => stack.close(reason),
  };
}
