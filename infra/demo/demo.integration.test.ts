/** The demo as a process, against a tiny signalling and a receiver on libdatachannel. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import nodeDataChannel, { type DataChannel, type Track } from 'node-datachannel';
import { afterEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import {
  decodeFromStreamer,
  encodeToStreamer,
  type FromStreamerMessage,
} from '../../signalling/protocol/index.ts';
import { startTinySignalling } from '../../test/support/tinySignalling.ts';
import { startChild } from '../kernel/childProcess.ts';
import { closeStack } from '../kernel/lifecycle.ts';
import { decodeLuma, timecodeRows } from './timecodeLayout.ts';

const [WIDTH, HEIGHT] = [640, 360];
const MAIN = join(import.meta.dirname, 'main.ts');
const stack = { current: newStack() };

afterEach(async () => {
  await stack.current.close('test ended');
  stack.current = newStack();
});

function newStack(): ReturnType<typeof closeStack> {
  return closeStack((error) => {
    throw error;
  });
}

type Picture = { readonly rtpTime: number; readonly bytes: Buffer };
type Report = { readonly ntpMs: number; readonly rtpTime: number };

/** One player: collects pictures from the first keyframe on, sound, reports and messages. */
function createPlayer(url: string, wanted: { pictures: number }) {
  const socket = new WebSocket(url);
  const peer = new nodeDataChannel.PeerConnection('player', { iceServers: [] });
  const tracks: Track[] = [];
  const pictures: Picture[] = [];
  const reports = new Map<string, Report>();
  const messages: FromStreamerMessage[] = [];
  const opus: number[] = [];
  const channel: { current?: DataChannel } = {};
  const done = Promise.withResolvers<undefined>();
  let parts: Buffer[] = [];
  const check = (): void => {
    const isTold = messages.some(({ name }) => name === 'Response');
    if (pictures.length >= wanted.pictures && opus.length >= 25 && reports.size === 2 && isTold) {
      done.resolve(undefined);
    }
  };
  const onVideo = (packet: Buffer): void => {
    const payload = packet.subarray(12);
    parts.push(...annexBOf(payload));
    if ((packet[1]! & 0x80) !== 0) {
      pictures.push({ rtpTime: packet.readUInt32BE(4), bytes: Buffer.concat(parts) });
      parts = [];
    }
  };
  peer.onTrack((track) => {
    tracks.push(track);
    track.onMessage((packet) => {
      if (packet[1] === 200) {
        const ntpMs =
          (packet.readUInt32BE(8) - 2_208_988_800) * 1000 +
          (packet.readUInt32BE(12) / 2 ** 32) * 1000;
        reports.set(track.type(), { ntpMs, rtpTime: packet.readUInt32BE(16) });
      } else if (track.type() === 'video') {
        onVideo(packet);
      } else {
        opus.push(packet.readUInt32BE(4));
      }
      check();
    });
  });
  peer.onDataChannel((opened) => {
    channel.current = opened;
    opened.onMessage((bytes) => {
      const decoded = decodeFromStreamer(new Uint8Array(bytes as Buffer));
      if (decoded.kind === 'message') {
        messages.push(decoded.message);
        if (decoded.message.name === 'InitialSettings') {
          opened.sendMessageBinary(encodeToStreamer('UIInteraction', ['"hello"']));
        }
      }
      check();
    });
  });
  peer.onLocalDescription((sdp, type) => {
    socket.send(JSON.stringify({ type, sdp }));
  });
  peer.onLocalCandidate((candidate, sdpMid) => {
    socket.send(
      JSON.stringify({ type: 'iceCandidate', candidate: { candidate, sdpMid, sdpMLineIndex: 0 } }),
    );
  });
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'subscribe', streamerId: 'demo' }));
  });
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as {
      type: string;
      sdp: string;
      candidate: { candidate: string; sdpMid: string };
    };
    if (message.type === 'offer') {
      peer.setRemoteDescription(message.sdp, 'offer');
    } else if (message.type === 'iceCandidate') {
      peer.addRemoteCandidate(message.candidate.candidate, message.candidate.sdpMid);
    }
  });
  stack.current.defer(() => {
    socket.terminate();
    peer.close();
  });
  return { pictures, reports, messages, opus, done: done.promise };
}

/** Annex B bytes of one RTP payload (RFC 6184): the pieces of a fragmented unit are joined by order. */
function annexBOf(payload: Buffer): Buffer[] {
  const start = Buffer.from([0, 0, 0, 1]);
  const type = payload[0]! & 0x1f;
  if (type === 24) {
    const units: Buffer[] = [];
    for (let at = 1; at < payload.length;) {
      const end = at + 2 + payload.readUInt16BE(at);
      units.push(start, payload.subarray(at + 2, end));
      at = end;
    }
    return units;
  }
  if (type === 28) {
    const header = Buffer.from([(payload[0]! & 0xe0) | (payload[1]! & 0x1f)]);
    return (payload[1]! & 0x80) === 0
      ? [payload.subarray(2)]
      : [start, header, payload.subarray(2)];
  }
  return [start, payload];
}

/** Times on the strips of a whole run of pictures. */
async function timesOn(pictures: readonly Picture[]): Promise<(number | undefined)[]> {
  const args = ['-loglevel', 'error', '-f', 'h264', '-i', 'pipe:0', '-fps_mode', 'passthrough'];
  const output = ['-f', 'rawvideo', '-pix_fmt', 'gray', 'pipe:1'];
  const ffmpeg = startChild('ffmpeg', [...args, ...output], { stdio: ['pipe', 'pipe', 'pipe'] });
  stack.current.push(ffmpeg);
  const chunks: Buffer[] = [];
  ffmpeg.process.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
  ffmpeg.process.stdin!.end(Buffer.concat(pictures.map(({ bytes }) => bytes)));
  await ffmpeg.exited;
  const decoded = Buffer.concat(chunks);
  const { top } = timecodeRows(HEIGHT);
  return Array.from({ length: decoded.length / (WIDTH * HEIGHT) }, (_, index) => {
    const at = index * WIDTH * HEIGHT;
    return decodeLuma((x, y) => decoded[at + y * WIDTH + x]!, WIDTH, top, HEIGHT);
  });
}

function startDemo(url: string) {
  const size = `${WIDTH}x${HEIGHT}`;
  const demo = startChild(process.execPath, [
    ...[MAIN, '--url', url, '--id', 'demo', '--size', size, '--bitrate', '1000000'],
    ...['--with-parent', '--log-format', 'json'],
  ]);
  return stack.current.push(demo);
}

it('sends pictures whose RTP time, by its reports, is the UTC drawn in them', async () => {
  const signalling = stack.current.push(await startTinySignalling());
  const demo = startDemo(signalling.streamerUrl);
  expect(await signalling.identified).toBe('demo');
  const player = createPlayer(signalling.playerUrl, { pictures: 30 });
  await player.done;
  const pictures = player.pictures.slice(0, 30);
  const times = await timesOn(pictures);
  expect(times.length).toBe(30);
  const report = player.reports.get('video')!;
  pictures.forEach(({ rtpTime }, index) => {
    const ticks = (rtpTime - report.rtpTime) | 0;
    const captureMs = report.ntpMs + ticks / 90;
    expect(Math.abs(captureMs - times[index]!)).toBeLessThan(1.1);
  });
  expect(Math.abs(report.ntpMs - Date.now())).toBeLessThan(5000);
  // Sound: 20 ms apart without a gap.
  player.opus.slice(1, 25).forEach((rtpTime, index) => {
    expect((rtpTime - player.opus[index]!) | 0).toBe(960);
  });
  const texts = player.messages.flatMap((message) =>
    message.kind === 'text' ? [[message.name, message.text] as const] : [],
  );
  expect(texts.map(([name]) => name).slice(0, 3)).toEqual([
    'Protocol',
    'Protocol',
    'InitialSettings',
  ]);
  expect(texts.find(([name]) => name === 'Response')).toEqual(['Response', '"hello"']);
  demo.process.kill('SIGTERM');
  expect(await demo.exited).toEqual({ code: 0, signal: null });
});

it('says what is wrong with its command line and ends', async () => {
  const demo = spawn(process.execPath, [MAIN, '--codec', 'vp8'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = await Promise.all([text(demo.stderr), once(demo, 'close')]);
  expect(said).toContain('--codec: must be h264');
  expect(demo.exitCode).toBe(1);
});
