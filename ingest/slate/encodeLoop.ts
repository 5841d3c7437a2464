/**
 * A still picture as a loop of encoded pictures, made once by an ffmpeg child. The loop begins with a
 * keyframe, has one each second, and carries its parameter sets with each, so that it can stand
 * anywhere in a feed of its codec.
 */
import { setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { startChild } from '../../infra/kernel/childProcess.ts';
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import type { Picture } from '../timeline/timeline.ts';
import { readMatroskaVideo } from './matroskaReader.ts';

/** Encoded pictures to be shown over and over, one per frame. */
export type SlateLoop = {
  readonly parameters: VideoParameters;
  readonly pictures: readonly Picture[];
};

/** What a loop is made of. */
export type LoopSource = {
  /** PNG or JPEG. */
  readonly picture: Uint8Array;
  /** A PNG that breathes at that place, once in two seconds. */
  readonly light?: { readonly picture: Uint8Array; readonly x: number; readonly y: number };
};

/** How it is encoded. The picture is fitted in, centred. */
export type LoopFormat = {
  readonly codec: VideoCodec;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
};

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const TIMEOUT_MS = 20_000;
/** A decoder that a small file makes allocate more than an 8K picture is being abused. */
const MAX_PIXELS = 7680 * 4320;
const NICE = 10;

/** By codec; the quality of a still, not the speed of a live encoder, but no B pictures. */
const ENCODERS: Readonly<Record<string, readonly string[] | undefined>> = {
  h264: [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-crf', '18'],
    ...['-profile:v', 'main', '-sc_threshold', '0', '-bf', '0', '-bsf:v', 'dump_extra=freq=k'],
  ],
  h265: [
    ...['-c:v', 'libx265', '-preset', 'veryfast', '-tune', 'zerolatency', '-crf', '20'],
    ...['-x265-params', 'log-level=error:scenecut=0:bframes=0:open-gop=0'],
    ...['-bsf:v', 'dump_extra=freq=k'],
  ],
  vp8: [
    ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '6', '-auto-alt-ref', '0'],
    ...['-lag-in-frames', '0', '-b:v', '3M', '-crf', '8'],
  ],
  vp9: [
    ...['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '6', '-lag-in-frames', '0'],
    ...['-b:v', '0', '-crf', '24'],
  ],
  // ffmpeg 5.1 cannot write libaom's headers to a pipe.
  av1: ['-c:v', 'libsvtav1', '-preset', '10', '-crf', '30', '-svtav1-params', 'pred-struct=1'],
};

/** ffmpeg's command line. Pure. */
export function loopArguments(source: LoopSource, format: LoopFormat): string[] {
  const { codec, width, height, fps } = format;
  const encoder = ENCODERS[codec];
  if (encoder === undefined) {
    throw new GatewayError('bad_config', `no slate can be made in ${codec}`);
  }
  const { light } = source;
  const count = fps * (light === undefined ? 1 : 2);
  const still =
    `scale=w=${width}:h=${height}:force_original_aspect_ratio=decrease:force_divisible_by=2` +
    `:out_range=tv:out_color_matrix=bt709,format=yuv420p` +
    `,pad=w=${width}:h=${height}:x=(ow-iw)/2:y=(oh-ih)/2:color=0x0d1014,setsar=1`;
  const repeat = `loop=loop=${count - 1}:size=1,setpts=N/${fps}/TB`;
  const breathing =
    light === undefined
      ? ''
      : `[still];[1:v]format=yuva420p,${repeat},fade=in:0:${fps}:alpha=1,fade=out:${fps}:${fps}:alpha=1[light]` +
        `;[still][light]overlay=x=${light.x}:y=${light.y}:format=yuv420:shortest=1`;
  return [
    ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'error'],
    ...input(source.picture, fps, 'pipe:0'),
    ...(light === undefined ? [] : input(light.picture, fps, 'pipe:3')),
    ...['-filter_complex', `[0:v]${still},${repeat}${breathing}[v]`, '-map', '[v]', '-an'],
    ...['-frames:v', `${count}`, '-fps_mode', 'passthrough'],
    ...encoder,
    ...['-g', `${fps}`, '-keyint_min', `${fps}`, '-threads', '1', '-pix_fmt', 'yuv420p'],
    ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'],
    ...['-color_range', 'tv', '-f', 'matroska', 'pipe:1'],
  ];
}

/**
 * Encodes it at low priority.
 *
 * @throws GatewayError `bad_media` where the picture is neither PNG nor JPEG, `ffmpeg_failed`
 */
export async function encodeLoop(
  ffmpegPath: string,
  source: LoopSource,
  format: LoopFormat,
  signal: AbortSignal,
): Promise<SlateLoop> {
  const args = loopArguments(source, format);
  const child = startChild(ffmpegPath, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  const stop = (): void => void child.close('the slate is not needed');
  const timer = setTimeout(stop, TIMEOUT_MS);
  signal.addEventListener('abort', stop, { once: true });
  try {
    lowerPriority(child.process.pid);
    const pipes = [child.process.stdin, child.process.stdio[3]];
    [source.picture, source.light?.picture].forEach((picture, index) => {
      const pipe = pipes[index];
      if (pipe !== null && pipe !== undefined && 'end' in pipe) {
        pipe.on('error', () => undefined); // ffmpeg says why it does not read
        pipe.end(picture);
      }
    });
    const file = await collect(child.process.stdout);
    const exit = await child.exited;
    if (exit.code !== 0 || file === undefined) {
      const lines = child.stderrTail().slice(-5).join('\n');
      throw new GatewayError('ffmpeg_failed', `the slate could not be encoded: ${lines}`);
    }
    const { codecPrivate, frames } = readMatroskaVideo(file);
    if (frames[0]?.isKeyframe !== true) {
      throw new GatewayError('ffmpeg_failed', 'the slate does not begin with a keyframe');
    }
    const { codec, width, height } = format;
    return {
      parameters: { codec, width, height, decoderConfiguration: codecPrivate },
      pictures: frames,
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    await child.close('done');
  }
}

/** The decoder is named, so that nothing but a PNG or a JPEG is ever opened. */
function input(picture: Uint8Array, fps: number, pipe: string): string[] {
  const decoder =
    picture[0] === 0x89 && picture[1] === 0x50
      ? 'png'
      : picture[0] === 0xff && picture[1] === 0xd8
        ? 'mjpeg'
        : undefined;
  if (decoder === undefined) {
    throw new GatewayError('bad_media', 'a slate picture is neither PNG nor JPEG');
  }
  return [
    ...['-max_pixels', `${MAX_PIXELS}`, '-framerate', `${fps}`],
    ...['-f', `${decoder === 'png' ? 'png' : 'jpeg'}_pipe`, '-c:v', decoder, '-i', pipe],
  ];
}

function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) {
      setPriority(pid, NICE);
    }
  } catch {
    return; // It has ended already.
  }
}

async function collect(stream: Readable | null): Promise<Uint8Array | undefined> {
  const slices: Buffer[] = [];
  let bytes = 0;
  for await (const slice of (stream ?? []) as AsyncIterable<Buffer>) {
    bytes += slice.length;
    if (bytes > MAX_OUTPUT_BYTES) {
      return undefined;
    }
    slices.push(slice);
  }
  return Buffer.concat(slices);
}
