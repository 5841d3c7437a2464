/**
 * A broadcast without an encoder: eight seconds that ffmpeg made once, published to an origin over
 * and over at the pace of the clock, with the decode times of now.
 */
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Broadcast, publishPath } from '../../infra/kernel/wire.ts';

/** Token of the bench's origin. */
export const BENCH_TOKEN = 'bench';

/** 1.2 Mbit/s: a segment of 2 s is about 300 KB. */
export const BENCH_BROADCAST: Broadcast = {
  id: 'bench',
  source: { kind: 'pixel-streaming', streamerId: 'bench' },
  ladder: {
    video: [{ name: 'v480', width: 854, height: 480, bitrateBps: 1_200_000 }],
    audio: [{ name: 'a128', bitrateBps: 128_000 }],
  },
  grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
  redundancy: 1,
  createdMs: 0,
};

/** A recorded track: its header and its samples, each `moof mdat`. */
type Recording = {
  readonly track: string;
  readonly timescale: number;
  readonly sampleTicks: number;
  readonly header: Buffer;
  readonly samples: readonly Buffer[];
};

/** A running replay. */
export type Replay = {
  /** When the chunk that ends at `endMs` (Unix ms) of the video was handed to its connection (performance.now). */
  sentMs(endMs: number): number | undefined;
  stop(): void;
};

/** Both loops are whole: 240 pictures of 1/30 s, 375 AAC frames of 1024 samples. */
const LOOP_S = 8;
const TICK_MS = 10;

/** Records the tracks with ffmpeg; takes some seconds. */
export async function recordTracks(): Promise<readonly Recording[]> {
  const common = ['-f', 'mp4', '-movflags', 'cmaf+frag_every_frame+skip_trailer', '-'];
  const picture = [
    ...['-f', 'lavfi', '-i', 'testsrc2=s=854x480:r=30,noise=alls=12:allf=t', '-t', '8.2'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
    ...['-b:v', '1200k', '-maxrate', '1200k', '-bufsize', '600k', '-x264-params', 'nal-hrd=cbr'],
    ...['-g', '60', '-keyint_min', '60', '-sc_threshold', '0', '-video_track_timescale', '90000'],
  ];
  const sound = [
    ...['-f', 'lavfi', '-i', 'sine=r=48000', '-t', '8.2', '-ac', '2'],
    ...['-c:a', 'aac', '-b:a', '128k'],
  ];
  const [video, audio] = await Promise.all([
    ffmpeg([...picture, ...common]),
    ffmpeg([...sound, ...common]),
  ]);
  const tracks = [
    { track: 'v480', timescale: 90_000, sampleTicks: 3000, bytes: video },
    { track: 'a128', timescale: 48_000, sampleTicks: 1024, bytes: audio },
  ];
  return tracks.map(({ track, timescale, sampleTicks, bytes }) => {
    const first = bytes.indexOf('moof') - 4;
    return {
      track,
      timescale,
      sampleTicks,
      header: bytes.subarray(0, first),
      samples: fragments(bytes, first).slice(0, (LOOP_S * timescale) / sampleTicks),
    };
  });
}

/** Publishes from the next segment on, each sample once it would have been encoded. */
export function replay(port: number, recordings: readonly Recording[]): Replay {
  const { segmentMs, chunkMs } = BENCH_BROADCAST.grid;
  const startMs = (Math.floor(Date.now() / segmentMs) + 1) * segmentMs;
  const sent = new Map<number, number>();
  const publishes = recordings.map((recording) => publish(port, recording));
  const next = recordings.map(({ timescale, sampleTicks }) =>
    Math.ceil((startMs * timescale) / 1000 / sampleTicks),
  );
  const timer = setInterval(() => {
    // Whole chunks, as they leave an encoder that is asked for them.
    const nowMs = Math.floor(Date.now() / chunkMs) * chunkMs;
    for (const [index, { samples, sampleTicks, timescale }] of recordings.entries()) {
      let number = next[index] ?? 0;
      const due: Buffer[] = [];
      while ((number + 1) * sampleTicks * 1000 <= nowMs * timescale) {
        due.push(at(samples[number % samples.length]!, number * sampleTicks));
        number += 1;
      }
      next[index] = number;
      if (due.length > 0) {
        publishes[index]?.write(Buffer.concat(due));
        if (index === 0) {
          sent.set(nowMs, performance.now());
        }
      }
    }
  }, TICK_MS);
  return {
    sentMs: (endMs) => sent.get(endMs),
    stop() {
      clearInterval(timer);
      for (const put of publishes) {
        put.destroy();
      }
    },
  };
}

function publish(port: number, { track, header }: Recording): ReturnType<typeof request> {
  const put = request({
    host: '127.0.0.1',
    port,
    method: 'PUT',
    path: publishPath('bench', track, 0, { timestamp: Date.now(), attempt: 1 }),
    headers: { Authorization: `Bearer ${BENCH_TOKEN}` },
  });
  put.on('response', (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      console.error(`publishing ${track} was answered ${response.statusCode ?? 0}: ${text}`);
    });
  });
  put.on('error', () => undefined);
  put.setNoDelay(true);
  put.write(header);
  return put;
}

/** The fragment with another decode time (tfdt version 1). */
function at(fragment: Buffer, ticks: number): Buffer {
  const moved = Buffer.from(fragment);
  moved.writeBigUInt64BE(BigInt(ticks), moved.indexOf('tfdt') + 8);
  return moved;
}

function fragments(bytes: Buffer, from: number): Buffer[] {
  const found: Buffer[] = [];
  let begin = from;
  for (let offset = from; offset + 8 <= bytes.length;) {
    offset += bytes.readUInt32BE(offset);
    if (bytes.toString('latin1', offset + 4, offset + 8) !== 'mdat') {
      found.push(bytes.subarray(begin, offset));
      begin = offset;
    }
  }
  return found.filter((each) => each.includes('mdat') && each.includes('tfdt'));
}

async function ffmpeg(args: readonly string[]): Promise<Buffer> {
  const child = spawn('ffmpeg', ['-v', 'error', '-nostdin', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return buffer(child.stdout);
}
