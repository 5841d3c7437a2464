/**
 * The streamer's side of Epic's signalling (PS2): says who it is, makes a peer for each player and
 * offers, reconnects with back-off. What is sent comes from the studio.
 */
import WebSocket, { type RawData } from 'ws';
import {
  type MessageOf,
  parseMessage,
  renderMessage,
  type SignallingMessage,
  type SignallingType,
} from '../../signalling/protocol/index.ts';
import type { Clock } from '../kernel/broadcastClock.ts';
import { errorText } from '../kernel/errors.ts';
import { backoffMs, type Closeable, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Control } from './controls.ts';
import { iceServersOf } from './iceServers.ts';
import { createPeer, type Peer } from './peer.ts';
import type { StageInput } from './stage.ts';
import type { Audience } from './studio.ts';

/** A streamer that runs until it is closed; the studio's audience. */
export type Streamer = Closeable & Audience;

/** What is done on a message; the others are not for a streamer. */
type Handlers = { readonly [T in SignallingType]?: (message: MessageOf<T>) => void };

const PING_INTERVAL_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 5000;
const MAX_FRAME_BYTES = 1 << 20;
const MAX_PEERS = 64;

/** Connects, and connects again for as long as it runs. */
export function startStreamer(
  deps: { readonly logger: Logger; readonly clock: Clock },
  options: {
    readonly url: string;
    readonly id: string;
    /** Sent to players as InitialSettings. */
    readonly settings: () => unknown;
    readonly onInput: (input: StageInput) => void;
  },
): Streamer {
  const { logger } = deps;
  const peers = new Map<string, Peer>();
  const stopping = new AbortController();
  let iceServers = iceServersOf({});
  let socket: WebSocket | undefined;

  const tell = (message: SignallingMessage): void => {
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(renderMessage(message));
    }
  };
  const dropPeer = (playerId: string, reason: string): void => {
    const peer = peers.get(playerId);
    if (peer !== undefined) {
      peers.delete(playerId);
      peer.close();
      options.onInput({ kind: 'leave' });
      logger.info({ playerId, reason, peers: peers.size }, 'peer gone');
    }
  };
  const onControl = (control: Control): void => {
    if (control.kind === 'stage') {
      options.onInput(control.input);
    } else if (control.kind === 'interaction') {
      options.onInput({ kind: 'say', text: control.text });
      for (const peer of peers.values()) {
        peer.respond(control.raw);
      }
    }
  };
  const addPeer = (playerId: string, hasDataChannel: boolean): void => {
    dropPeer(playerId, 'subscribed again');
    if (peers.size >= MAX_PEERS) {
      logger.warn({ playerId, maxPeers: MAX_PEERS }, 'too many peers; no offer is made');
      return;
    }
    const peer = createPeer(
      { logger: logger.child({ playerId }), clock: deps.clock },
      { playerId, iceServers, hasDataChannel, settings: options.settings },
      {
        offer: (sdp) => tell({ type: 'offer', sdp, playerId }),
        candidate: (candidate) => tell({ type: 'iceCandidate', candidate, playerId }),
        control: onControl,
        state(state) {
          if (state === 'connected') {
            logger.info({ playerId, peers: peers.size }, 'peer connected');
          } else if (peers.get(playerId) === peer) {
            dropPeer(playerId, 'connection ended');
          }
        },
      },
    );
    peers.set(playerId, peer);
  };
  const handlers: Handlers = {
    config({ peerConnectionOptions }) {
      iceServers = iceServersOf(peerConnectionOptions);
    },
    identify() {
      tell({ type: 'endpointId', id: options.id, protocolVersion: '1.0.0' });
    },
    endpointIdConfirm({ committedId }) {
      logger.info({ streamerId: committedId, url: options.url }, 'streaming');
    },
    playerConnected({ playerId, dataChannel, sfu }) {
      if (!sfu) {
        addPeer(playerId, dataChannel);
      }
    },
    playerDisconnected({ playerId }) {
      dropPeer(playerId, 'player left');
    },
    answer({ playerId, sdp }) {
      peers.get(playerId ?? '')?.answer(sdp);
    },
    iceCandidate({ playerId, candidate }) {
      if (candidate !== null) {
        peers.get(playerId ?? '')?.addCandidate(candidate);
      }
    },
    ping({ time }) {
      tell({ type: 'pong', time });
    },
  };
  const handle = (message: SignallingMessage): void => {
    // The table above is checked type by type, so this is the one cast.
    const handler = handlers[message.type] as ((message: SignallingMessage) => void) | undefined;
    handler?.(message);
  };

  /** One connection, from its start to its end. */
  const connectOnce = async (): Promise<{ wasOpen: boolean; reason: string }> => {
    const connection = new WebSocket(options.url, {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MAX_FRAME_BYTES,
    });
    socket = connection;
    let wasOpen = false;
    const pinging = setInterval(() => {
      // Seconds, as UE sends them.
      tell({ type: 'ping', time: Math.floor(Date.now() / 1000) });
    }, PING_INTERVAL_MS);
    connection.on('open', () => {
      wasOpen = true;
    });
    connection.on('message', (data: RawData) => {
      const parsed = parseMessage(textOf(data));
      if (parsed.kind === 'message') {
        handle(parsed.message);
      } else {
        // Not the message itself: a config holds credentials.
        const why = parsed.kind === 'unknown' ? `type ${parsed.type}` : parsed.reason;
        logger.debug({ why }, 'message not understood');
      }
    });
    let stopped = (): void => undefined;
    const reason = await new Promise<string>((resolve) => {
      connection.on('error', (error) => {
        resolve(errorText(error));
      });
      connection.on('close', (code) => {
        resolve(`closed with ${code}`);
      });
      stopped = () => {
        connection.terminate();
        resolve('stopped');
      };
      stopping.signal.addEventListener('abort', stopped);
    });
    stopping.signal.removeEventListener('abort', stopped);
    clearInterval(pinging);
    for (const playerId of [...peers.keys()]) {
      dropPeer(playerId, 'signalling lost');
    }
    return { wasOpen, reason };
  };
  const isStopping = (): boolean => stopping.signal.aborted;
  const run = async (): Promise<void> => {
    for (let attempt = 0; !isStopping(); attempt++) {
      const { wasOpen, reason } = await connectOnce();
      attempt = wasOpen ? 0 : attempt;
      // Once for an outage, not once for each try.
      if (attempt === 0 && !isStopping()) {
        logger.warn({ url: options.url, reason }, 'signalling not connected; trying again');
      }
      await pause(backoffMs(attempt, { capMs: 3000 }), stopping.signal);
    }
  };
  const running = run();
  return {
    picture(picture, captureMs) {
      for (const peer of peers.values()) {
        peer.picture(picture, captureMs);
      }
    },
    sound(packet, captureMs) {
      for (const peer of peers.values()) {
        peer.sound(packet, captureMs);
      }
    },
    count: () => [...peers.values()].filter((peer) => peer.isConnected()).length,
    async close() {
      stopping.abort();
      await running;
    },
  };
}

function textOf(data: RawData): string {
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('utf8');
}
