/**
 * Every codec from a sender that is not ours to a decoder that is not ours: ffmpeg's encoders and
 * RTP packetizers in (AV1 has none in ffmpeg 5.1), the worker's ffmpeg flags out.
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startChild } from '../../infra/kernel/childProcess.ts';
import type { StampedUnit, VideoCodec } from '../../infra/kernel/media.ts';
import { ticks } from '../../infra/kernel/time.ts';
import { until } from '../../test/support/until.ts';
import { ClusterWriter, feedHeader } from '../feed/matroska.ts';
import { packetize } from './testPackets.ts';
import { type Assembled, VideoAssembler } from './videoAssembler.ts';

const FRAMES = 8;
const SIZES = ['320x180', '256x144', '480x270'] as const;
const START_TICKS = 1_795_196_400_000 * 90;
const OUT = { width: 160, height: 90 };
/** As packager/worker/arguments.ts has it. */
const WORKER_INPUT =
  '-v error -copyts -flags low_delay -threads 1 -reinit_filter 0 -analyzeduration 0 -probesize 32 -fpsprobesize 0 -f matroska -i pipe:0';
const FIT =
  `scale=w=${OUT.width}:h=${OUT.height}:force_original_aspect_ratio=decrease:force_divisible_by=2,` +
  `pad=w=${OUT.width}:h=${OUT.height}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame,setsar=1,format=yuv420p`;

const ENCODERS: Record<VideoCodec, string> = {
  h264: 'libx264 -preset ultrafast -tune zerolatency',
  h265: 'libx265 -preset ultrafast -tune zerolatency -x265-params log-level=none',
  vp8: 'libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 500k',
  vp9: 'libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 500k -strict experimental',
  av1: 'libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0 -b:v 500k',
};

type Payload = { readonly frame: number; readonly marker: boolean; readonly payload: Uint8Array };

const source = (codec: VideoCodec, size: string): string[] =>
  `-v error -f lavfi -i testsrc2=size=${size}:rate=30 -frames:v ${FRAMES} -g 1000 -c:v ${ENCODERS[codec]}`.split(
    ' ',
  );

/** What ffmpeg's packetizer sends. */
async function sentByFfmpeg(codec: VideoCodec, size: string): Promise<Payload[]> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  try {
    const packets: { time: number; marker: boolean; payload: Uint8Array }[] = [];
    socket.on('message', (data) => {
      const time = data.readUInt32BE(4);
      packets.push({ time, marker: (data[1]! & 0x80) !== 0, payload: data.subarray(12) });
    });
    const url = `rtp://127.0.0.1:${socket.address().port}?pkt_size=1200`;
    await promisify(execFile)('ffmpeg', [...source(codec, size), '-f', 'rtp', url]);
    await until('the last packet', 5000, () => packets.filter((p) => p.marker).length === FRAMES);
    const first = packets[0]!.time;
    return packets.map(({ time, ...rest }) => ({
      ...rest,
      frame: Math.round(((time - first) >>> 0) / 3000),
    }));
  } finally {
    socket.close();
  }
}

/** AV1 in payloads of ours: ffmpeg 5.1 writes IVF, a frame behind 12 bytes each. */
async function sentAsAv1(size: string): Promise<Payload[]> {
  const { stdout } = await promisify(execFile)(
    'ffmpeg',
    [...source('av1', size), '-f', 'ivf', 'pipe:1'],
    { encoding: 'buffer' },
  );
  const payloads: Payload[] = [];
  let frame = 0;
  for (let at = 32; at < stdout.length; frame += 1) {
    const length = stdout.readUInt32LE(at);
    const unit = stdout.subarray(at + 12, at + 12 + length);
    const cut = packetize('av1', splitObus(unit), 1100);
    cut.forEach((payload, index) => {
      payloads.push({ frame, marker: index === cut.length - 1, payload });
    });
    at += 12 + length;
  }
  return payloads;
}

/** OBUs with sizes to OBUs without, delimiters left out as senders do. */
function splitObus(unit: Buffer): Uint8Array[] {
  const obus: Uint8Array[] = [];
  for (let at = 0; at < unit.length;) {
    const header = unit[at]!;
    let size = 0;
    let shift = 0;
    do {
      at += 1;
      size |= (unit[at]! & 0x7f) << shift;
      shift += 7;
    } while ((unit[at]! & 0x80) !== 0);
    at += 1;
    if (header >> 3 !== 2) {
      obus.push(Uint8Array.of(header & ~2, ...unit.subarray(at, at + size)));
    }
    at += size;
  }
  return obus;
}

async function assembled(codec: VideoCodec): Promise<Assembled[]> {
  const assembler = new VideoAssembler(codec);
  const out: Assembled[] = [];
  for (const [index, size] of SIZES.entries()) {
    const sent = await (codec === 'av1' ? sentAsAv1(size) : sentByFfmpeg(codec, size));
    for (const { frame, marker, payload } of sent) {
      const rtpTime = (index * FRAMES + frame) * 3000;
      const packet = { sequence: 0, rtpTime, marker, payload, arrivedMs: 0 };
      out.push(...assembler.push({ kind: 'packet', packet }));
    }
  }
  expect(assembler.stats.damaged).toBe(0);
  return out;
}

describe.each(Object.keys(ENCODERS) as VideoCodec[])('%s', (codec) => {
  it('is decoded as it comes, whatever the decoder, through two changes of size', async () => {
    const items = await assembled(codec);
    const parameters = items.flatMap((item) => (item.kind === 'parameters' ? [item] : []));
    expect(parameters.map(({ parameters: p }) => `${p.width}x${p.height}`)).toEqual(SIZES);
    const units = items.flatMap((item) => (item.kind === 'unit' ? [item] : []));
    expect(units.map(({ isKeyframe }) => isKeyframe)).toEqual(
      Array.from({ length: SIZES.length * FRAMES }, (_, index) => index % FRAMES === 0),
    );
    const decoder = startChild(
      'ffmpeg',
      [
        ...`${WORKER_INPUT} -vf`.split(' '),
        FIT,
        ...'-fps_mode passthrough -flush_packets 1 -f rawvideo -'.split(' '),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let frames = 0;
    let bytes = 0;
    let wake = (): void => undefined;
    decoder.process.stdout!.on('data', (data: Buffer) => {
      bytes += data.length;
      frames = Math.floor(bytes / (OUT.width * OUT.height * 1.5));
      wake();
    });
    const writer = new ClusterWriter();
    decoder.process.stdin!.write(feedHeader(parameters[0]!.parameters));
    // ffmpeg 5.1 gives a picture on when it has read the block after it, and, by how its first read
    // fell, sometimes one later (VP9, one run in fourteen); no decoder holds more.
    for (const [index, { data, isKeyframe, rtpTime }] of units.entries()) {
      const unit: StampedUnit = {
        kind: 'video',
        time: ticks(START_TICKS + rtpTime),
        data,
        isKeyframe,
      };
      const seen = Promise.withResolvers<undefined>();
      wake = () => {
        if (frames >= index - 1) {
          seen.resolve(undefined);
        }
      };
      decoder.process.stdin!.write(writer.write(unit).bytes);
      wake();
      await seen.promise;
    }
    decoder.process.stdin!.end();
    expect(await decoder.exited).toEqual({ code: 0, signal: null });
    expect(frames).toBe(units.length);
    expect(decoder.stderrTail()).toEqual([]);
  });
});
