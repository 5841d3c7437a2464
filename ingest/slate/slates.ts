/**
 * The slates of one broadcast: a card per codec, made once in the background when a codec is first
 * seen, and the streamer's own freeze frames. Where one cannot be made there is none, and the log
 * says why once.
 */
import { readFile } from 'node:fs/promises';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import { drawCard } from './card.ts';
import { encodeLoop, type LoopSource, type SlateLoop } from './encodeLoop.ts';

/** What a contribution shows while there is no picture. */
export type Slates = Closeable & {
  /** Starts making the card of that codec, where that has not been done. */
  prepare(codec: VideoCodec): void;
  /** The card; undefined while it is being made, or where it cannot be. */
  card(codec: VideoCodec): SlateLoop | undefined;
  /** A freeze frame in the format of the stream that it interrupts; undefined where it is no picture. */
  frozen(jpeg: Uint8Array, stream: VideoParameters): Promise<SlateLoop | undefined>;
};

/** What slates are made of. */
export type SlateOptions = {
  readonly ffmpegPath: string;
  /** Name on the card. */
  readonly title: string;
  /** PNG or JPEG in place of the card. */
  readonly image: string | undefined;
  /** Size of the best rung: nothing has to be scaled on the way to it. */
  readonly size: { readonly width: number; readonly height: number };
  readonly fps: number;
};

/** Makes them; nothing runs until a codec is seen. */
export function createSlates(logger: Logger, options: SlateOptions): Slates {
  const { ffmpegPath, size, fps } = options;
  const cards = new Map<VideoCodec, SlateLoop | undefined>();
  const stopped = new AbortController();
  const running = new Set<Promise<unknown>>();

  const encode = async (
    source: () => Promise<LoopSource>,
    format: { readonly codec: VideoCodec; readonly width: number; readonly height: number },
  ): Promise<SlateLoop | undefined> => {
    try {
      return await encodeLoop(ffmpegPath, await source(), { ...format, fps }, stopped.signal);
    } catch (error) {
      if (!stopped.signal.aborted) {
        logger.warn({ codec: format.codec, error: errorText(error) }, 'no slate can be made');
      }
      return undefined;
    }
  };
  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    void work.finally(() => running.delete(work));
    return work;
  };

  return {
    prepare(codec) {
      if (cards.has(codec) || stopped.signal.aborted) {
        return;
      }
      cards.set(codec, undefined);
      const source = (): Promise<LoopSource> => sourceOf(options);
      void track(encode(source, { codec, ...size })).then((card) => cards.set(codec, card));
    },
    card: (codec) => cards.get(codec),
    frozen(jpeg, { codec, width, height }) {
      // 4:2:0 has no odd sizes.
      const format = { codec, width: width & ~1, height: height & ~1 };
      return track(encode(() => Promise.resolve({ picture: jpeg }), format));
    },
    async close() {
      stopped.abort();
      await Promise.allSettled(running);
    },
  };
}

async function sourceOf({ image, title, size }: SlateOptions): Promise<LoopSource> {
  return image === undefined ? drawCard(title, size) : { picture: await readFile(image) };
}
