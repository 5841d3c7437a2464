/**
 * One life of ffmpeg: joins the feed, starts ffmpeg on the grid, takes every track's bytes over a
 * unix socket of its own, and ends when the feed, ffmpeg or its output does. Leaves to worker.ts
 * what happens next.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { RunningChild } from '../../infra/kernel/childProcess.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import { closeStack, pause } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import { AUDIO_TIMESCALE, VIDEO_TIMESCALE } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { ffmpegArguments } from './arguments.ts';
import type { WorkerConfig } from './config.ts';
import type { EncoderChoice } from './encoder.ts';
import type { OpenFeed } from './feed.ts';
import { startFfmpeg } from './ffmpeg.ts';
import { Silence } from './silence.ts';
import { startPoint, type StartPoint } from './startPoint.ts';
import { StderrLog } from './stderrLog.ts';
import { type CutEvent, TrackCutter } from './trackCutter.ts';

/** What a run is given. */
export type EncoderRunOptions = {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly config: WorkerConfig;
  readonly encoder: EncoderChoice;
  readonly broadcast: Broadcast;
  readonly feed: OpenFeed;
  /** The run starts no earlier than this: the end of what is already published; 0 for none. */
  readonly notBeforeMs: number;
  /** Somebody published this slot before. */
  readonly isTakeover: boolean;
  /** Takes what a track brings; what it throws ends the run. */
  readonly onTrack: (track: string, event: CutEvent) => void;
};

/** Allowed beyond the start of the grid for ffmpeg to start and to fill its pipeline. */
const START_GRACE_MS = 3000;
/** A hang is found at most twice this after `hungMs`: viewers wait meanwhile. */
const WATCH_INTERVAL_MS = 25;
const FLUSH_INTERVAL_MS = 1000;
/** After the feed ends ffmpeg writes what it holds and exits. */
const DRAIN_MS = 2000;
/** Feed bytes held for an ffmpeg that does not read; beyond it the feed is not read either. */
const FEED_BUFFER_BYTES = 256 * 1024;

/**
 * Runs until something ends it.
 *
 * @returns why, where nothing is wrong here: the feed ended, or `signal` aborted
 * @throws GatewayError `ffmpeg_failed` with ffmpeg's last lines, or what `onTrack` threw
 */
export async function runEncoder(options: EncoderRunOptions, signal: AbortSignal): Promise<string> {
  const { logger, clock, config, broadcast, feed } = options;
  const start = startPoint(feed.newestMs, broadcast.grid, {
    leadMs: config.startLeadMs,
    notBeforeMs: options.notBeforeMs,
    isTakeover: options.isTakeover || options.notBeforeMs > 0,
  });
  const stack = closeStack((error) => {
    logger.warn({ error: errorText(error) }, 'encoder run left something behind');
  });
  const end = deferred<string>();
  end.promise.catch(() => undefined);
  const stop = new AbortController();
  const onAbort = (): void => {
    end.resolve('stopped');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  stack.defer(() => {
    signal.removeEventListener('abort', onAbort);
    feed.body.destroy();
  });
  try {
    if (signal.aborted) {
      return 'stopped';
    }
    const directory = await mkdtemp(join(tmpdir(), 'grandstand-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const silence = listenForSilence(options, start);
    const outputs: TrackSocket[] = [];
    const tracks = tracksOf(broadcast, start);
    stack.defer(() => {
      const holed = tracks.filter(({ cutter }) => cutter.holes > 0);
      if (holed.length > 0) {
        const holes = holed.map(({ name, cutter }) => `${name}: ${cutter.holes}`);
        logger.warn({ holes }, 'the encoder left holes');
      }
    });
    for (const track of tracks) {
      const output = await listenForTrack(join(directory, track.name), (slice) => {
        takeSlice(track, slice, options, silence, end.reject);
      });
      outputs.push(output);
      stack.defer(() => output.close());
    }
    const stderr = new StderrLog(logger);
    const source = new PassThrough({ highWaterMark: FEED_BUFFER_BYTES });
    const child = stack.push(
      await startFfmpeg(
        ffmpegArguments({
          ...{ encoder: options.encoder, ladder: broadcast.ladder, grid: broadcast.grid, start },
          targetOf: (track) => `unix:${join(directory, track)}`,
        }),
        source,
        {
          ffmpegPath: config.ffmpegPath,
          onLine: (line) => {
            stderr.push(line);
          },
        },
      ),
    );
    logger.info(
      { pid: child.process.pid, t0: new Date(start.t0Ms).toISOString() },
      'encoder started',
    );
    stack.defer(() => {
      stop.abort();
      feed.body.destroy();
      source.end();
    });
    const feedEnd = pumpFeed(options, source, silence, stop.signal);
    void endOfRun(feedEnd, child, outputs, stderr, stop.signal).then(end.resolve, end.reject);
    let suspected: string | undefined;
    const timers = [
      setInterval(() => {
        const fault = silence.fault(clock.nowMs());
        // Seen twice: after a turn of ours that took long, output that came meanwhile is read first.
        if (fault !== undefined && fault === suspected) {
          child.process.kill('SIGKILL'); // who hangs hears no SIGTERM
          end.reject(ffmpegFailed(fault, stderr));
        }
        suspected = fault;
      }, WATCH_INTERVAL_MS),
      setInterval(() => {
        stderr.flush();
      }, FLUSH_INTERVAL_MS),
    ];
    stack.defer(() => {
      timers.forEach(clearInterval);
      stderr.flush();
    });
    return await end.promise;
  } finally {
    await stack.close('run ended');
  }
}

type RunTrack = { readonly name: string; readonly cutter: TrackCutter };

function tracksOf({ ladder, grid }: Broadcast, start: StartPoint): RunTrack[] {
  const track = (name: string, isVideo: boolean): RunTrack => ({
    name,
    cutter: new TrackCutter({
      track: name,
      grid,
      timescale: isVideo ? VIDEO_TIMESCALE : AUDIO_TIMESCALE,
      startTicks: isVideo ? start.videoTicks : start.audioTicks,
    }),
  });
  return [
    ...ladder.video.map((rung) => track(rung.name, true)),
    ...ladder.audio.map((rung) => track(rung.name, false)),
  ];
}

function takeSlice(
  track: RunTrack,
  slice: Uint8Array,
  options: EncoderRunOptions,
  silence: Silence,
  fail: (error: unknown) => void,
): void {
  try {
    for (const event of track.cutter.push(slice)) {
      if (event.kind === 'fragment') {
        silence.sawOutput(track.name, options.clock.nowMs());
      }
      options.onTrack(track.name, event);
    }
  } catch (error) {
    fail(error);
  }
}

function listenForSilence(
  { clock, config, broadcast, feed }: EncoderRunOptions,
  start: Pick<StartPoint, 't0Ms'>,
): Silence {
  const nowMs = clock.nowMs();
  const { video, audio } = broadcast.ladder;
  return new Silence(
    [...video, ...audio].map(({ name }) => name),
    nowMs,
    nowMs + (start.t0Ms - feed.newestMs) + START_GRACE_MS,
    { feedMs: config.silentMs, outputMs: config.hungMs },
  );
}

/** Moves the feed to ffmpeg, at ffmpeg's pace; gives why it ended. */
async function pumpFeed(
  { clock, feed }: Pick<EncoderRunOptions, 'clock' | 'feed'>,
  sink: PassThrough,
  silence: Silence,
  signal: AbortSignal,
): Promise<string> {
  try {
    for await (const slice of feed.body as AsyncIterable<Buffer>) {
      silence.sawFeed(clock.nowMs());
      if (!sink.write(slice)) {
        silence.isFeedHeld = true;
        await once(sink, 'drain', { signal });
        silence.isFeedHeld = false;
      }
    }
    return 'the feed ended';
  } catch (error) {
    return `the feed broke off: ${errorText(error)}`;
  } finally {
    sink.end();
  }
}

/** Waits for ffmpeg to exit and its last bytes to be read; a fault unless the feed had ended. */
async function endOfRun(
  feedEnd: Promise<string>,
  child: RunningChild,
  outputs: readonly TrackSocket[],
  stderr: StderrLog,
  signal: AbortSignal,
): Promise<string> {
  let reason: string | undefined;
  const drained = feedEnd.then(async (text) => {
    reason = text;
    await pause(DRAIN_MS, signal);
  });
  const exit = await Promise.race([child.exited, drained]);
  const isFault = reason === undefined;
  const read = new AbortController();
  await Promise.race([
    Promise.all(outputs.map((output) => output.ended)),
    pause(DRAIN_MS, AbortSignal.any([signal, read.signal])),
  ]);
  read.abort();
  if (isFault) {
    const how = exit?.signal ?? `code ${exit?.code ?? '?'}`;
    throw ffmpegFailed(`ffmpeg ended (${how})`, stderr);
  }
  return reason ?? 'the feed ended';
}

function ffmpegFailed(what: string, { tail }: StderrLog): GatewayError {
  return new GatewayError(
    'ffmpeg_failed',
    tail.length === 0 ? what : `${what}; its last lines:\n${tail.join('\n')}`,
  );
}

type TrackSocket = {
  /** Resolves when the writer has closed and everything is read. */
  readonly ended: Promise<void>;
  close(): void;
};

/** Takes one connection on a unix socket; `onSlice` owns each slice only during the call. */
async function listenForTrack(
  path: string,
  onSlice: (slice: Uint8Array) => void,
): Promise<TrackSocket> {
  const ended = deferred<undefined>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', onSlice);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      ended.resolve(undefined);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    ended: ended.promise,
    close() {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

type Deferred<T> = {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
};

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...(settle as unknown as Omit<Deferred<T>, 'promise'>) };
}
