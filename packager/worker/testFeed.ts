/**
 * Test support: a contribution feed as ingest serves it, made by ffmpeg with epoch timestamps
 * (media-facts B.1) and paced in real time from memory.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { FEED_NEWEST_HEADER } from '../../infra/kernel/wire.ts';

/** Looked up in PATH. */
const FFMPEG = 'ffmpeg';

type Cluster = { readonly timeMs: number; readonly hasKeyframe: boolean; readonly bytes: Buffer };

/** A running feed. */
export type TestFeed = {
  readonly url: string;
  /** Ends every reader, as ingest does when the source is lost. */
  endReaders(): void;
  close(): void;
};

/** Serves `seconds` of test picture and tone whose stamps begin now. */
export async function serveTestFeed(seconds: number): Promise<TestFeed> {
  const { header, clusters } = splitMatroska(await makeMatroska(Date.now() - 1000, seconds));
  const readers = new Map<ServerResponse, number>();
  const newestIndex = (): number => {
    const nowMs = Date.now();
    return clusters.findLastIndex((cluster) => cluster.timeMs <= nowMs);
  };
  const server: Server = createServer((_request, response) => {
    const newest = newestIndex();
    const from = clusters.findLastIndex((cluster, index) => index <= newest && cluster.hasKeyframe);
    response.writeHead(200, {
      'content-type': 'video/x-matroska',
      [FEED_NEWEST_HEADER]: String(clusters[newest]?.timeMs),
    });
    response.write(header);
    readers.set(response, Math.max(0, from));
    response.once('close', () => readers.delete(response));
  });
  const pacer = setInterval(() => {
    const newest = newestIndex();
    for (const [response, next] of readers) {
      for (let index = next; index <= newest; index += 1) {
        response.write(clusters[index]?.bytes);
      }
      readers.set(response, newest + 1);
    }
  }, 10);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endReaders = (): void => {
    for (const response of readers.keys()) {
      response.end();
    }
    readers.clear();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed/demo`,
    endReaders,
    close() {
      clearInterval(pacer);
      endReaders();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A source that changes its size every 3 s, as WebRTC senders do. */
async function makeMatroska(startMs: number, seconds: number): Promise<Buffer> {
  const sizes = await Promise.all(['320x240', '480x270'].map((size) => makePicture(size, 3)));
  const picture = Array.from(
    { length: Math.ceil(seconds / 3) },
    (_, index) => sizes[index % sizes.length] ?? Buffer.of(),
  );
  return ffmpeg(
    [
      ...['-r', '25', '-f', 'h264', '-i', 'pipe:0'],
      ...['-f', 'lavfi', '-i', 'sine=sample_rate=48000:samples_per_frame=960'],
      ...['-t', `${seconds}`, '-c:v', 'copy', '-c:a', 'libopus', '-application', 'lowdelay'],
      ...['-b:a', '64k', '-output_ts_offset', (startMs / 1000).toFixed(3)],
      ...['-f', 'matroska', '-live', '1', '-cluster_time_limit', '1', 'pipe:1'],
    ],
    Buffer.concat(picture),
  );
}

function makePicture(size: string, seconds: number): Promise<Buffer> {
  return ffmpeg([
    ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-t', `${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '25'],
    ...['-b:v', '500k', '-f', 'h264', 'pipe:1'],
  ]);
}

async function ffmpeg(args: readonly string[], input?: Buffer): Promise<Buffer> {
  const child = spawn(FFMPEG, ['-hide_banner', '-loglevel', 'error', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // ffmpeg closes its input once it has the seconds it wants.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const slices: Buffer[] = [];
  for await (const slice of child.stdout as AsyncIterable<Buffer>) {
    slices.push(slice);
  }
  return Buffer.concat(slices);
}

/** Clusters are of known size here, and the segment of unknown size (RFC 8794 §6). */
function splitMatroska(file: Buffer): { header: Buffer; clusters: Cluster[] } {
  const clusters: Cluster[] = [];
  let headerEnd = 0;
  for (const element of elements(file)) {
    if (element.id === 0x1f43b675) {
      headerEnd ||= element.start;
      clusters.push(readCluster(file.subarray(element.start, element.end), element.payload));
    }
  }
  return { header: file.subarray(0, headerEnd), clusters };
}

function readCluster(bytes: Buffer, payload: Buffer): Cluster {
  let timeMs = 0;
  let hasKeyframe = false;
  for (const { id, payload: block } of elements(payload)) {
    if (id === 0xe7) {
      timeMs = Number(BigInt(`0x${block.toString('hex')}`));
    }
    if (id === 0xa3 && block[0] === 0x81 && ((block[3] ?? 0) & 0x80) !== 0) {
      hasKeyframe = true;
    }
  }
  return { timeMs, hasKeyframe, bytes };
}

function* elements(
  bytes: Buffer,
): Generator<{ id: number; start: number; end: number; payload: Buffer }> {
  for (let at = 0; at < bytes.length;) {
    const start = at;
    const idLength = Math.clz32(bytes[at] ?? 0) - 23;
    const id = bytes.readUIntBE(at, idLength);
    at += idLength;
    const sizeLength = Math.clz32(bytes[at] ?? 0) - 23;
    const size =
      BigInt(`0x${bytes.subarray(at, at + sizeLength).toString('hex')}`) -
      (1n << BigInt(7 * sizeLength));
    at += sizeLength;
    // The segment of unknown size: its children follow at this level.
    const isUnknown = size === (1n << BigInt(7 * sizeLength)) - 1n;
    const end = isUnknown ? at : at + Number(size);
    yield { id, start, end, payload: bytes.subarray(at, end) };
    at = end;
  }
}
