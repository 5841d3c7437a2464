/**
 * A streamer whose pictures cost nothing: H.264 of random bytes at an exact bit rate, by
 * libdatachannel. For what only the path to the feed does; no decoder would take it. As a program
 * of its own: `node test/support/syntheticStreamer.ts URL BPS`, until its parent goes.
 */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { createPeer, type Peer } from '../../infra/demo/peer.ts';
import { systemBroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import type { IceCandidateData } from '../../signalling/protocol/index.ts';

const FPS = 30;
const PICTURES_PER_KEYFRAME = 15;
const OPUS_SILENCE = Uint8Array.of(0xfc, 0xff, 0xfe);
/** 640x360, constrained baseline. */
const PARAMETER_SETS = ['6742c01eda0280bfe5c044000003000400000300f03c58ba80', '68ce0fc8'].map(
  (hex) => new Uint8Array(Buffer.from(hex, 'hex')),
);

if (process.argv[1] === import.meta.filename) {
  const [url = '', bps = '0'] = process.argv.slice(2);
  startSyntheticStreamer(url, { bitrateBps: Number(bps) });
  process.on('disconnect', () => process.exit());
}

/** Connects to the streamer's port of a signalling server; sends to every player. */
export function startSyntheticStreamer(
  url: string,
  options: { readonly bitrateBps: number; readonly firstSequence?: number },
): Closeable {
  const socket = new WebSocket(url);
  const peers = new Map<string, Peer>();
  const clock = systemBroadcastClock();
  const tell = (message: unknown): void => socket.send(JSON.stringify(message));
  const open = (playerId: string): void => {
    peers.get(playerId)?.close();
    const peer = createPeer(
      { logger: silentLogger, clock },
      { playerId, iceServers: [], hasDataChannel: true, settings: () => ({}), ...options },
      {
        offer: (sdp) => tell({ type: 'offer', playerId, sdp }),
        candidate: (candidate) => tell({ type: 'iceCandidate', playerId, candidate }),
        control: () => undefined,
        state: () => undefined,
      },
    );
    peers.set(playerId, peer);
  };
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Record<string, unknown>;
    const playerId = String(message['playerId']);
    if (message['type'] === 'identify') {
      tell({ type: 'endpointId', id: 'synthetic' });
    } else if (message['type'] === 'playerConnected') {
      open(playerId);
    } else if (message['type'] === 'playerDisconnected') {
      peers.get(playerId)?.close();
      peers.delete(playerId);
    } else if (message['type'] === 'answer') {
      peers.get(playerId)?.answer(message['sdp'] as string);
    } else if (message['type'] === 'iceCandidate') {
      peers.get(playerId)?.addCandidate(message['candidate'] as IceCandidateData);
    }
  });
  const slice = randomBytes(Math.round(options.bitrateBps / FPS / 8));
  let picture = 0;
  let sound = 0;
  const startMs = Date.now();
  const timer = setInterval(() => {
    const nowMs = Date.now();
    for (; startMs + (picture * 1000) / FPS <= nowMs; picture += 1) {
      const isKeyframe = picture % PICTURES_PER_KEYFRAME === 0;
      slice[0] = isKeyframe ? 0x65 : 0x41;
      const nals = isKeyframe ? [...PARAMETER_SETS, slice] : [slice];
      const captureMs = startMs + (picture * 1000) / FPS;
      peers.forEach((peer) => peer.picture({ nals, isKeyframe }, captureMs));
    }
    for (; startMs + sound * 20 <= nowMs; sound += 1) {
      peers.forEach((peer) => peer.sound(OPUS_SILENCE, startMs + sound * 20));
    }
  }, 5);
  return {
    close() {
      clearInterval(timer);
      peers.forEach((peer) => peer.close());
      socket.terminate();
      return Promise.resolve();
    },
  };
}
