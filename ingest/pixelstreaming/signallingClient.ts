/**
 * One WebSocket to a signalling server, as a player. Owns the socket and the timer of a
 * Subscription; ends when the socket does. Leaves connecting again to the session.
 */
import { WebSocket } from 'ws';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import {
  type IceCandidateData,
  parseMessage,
  renderMessage,
  type SignallingMessage,
} from '../../signalling/protocol/index.ts';
import {
  type Dialect,
  nextDialect,
  type Reaction,
  Subscription,
  type SubscriptionEvent,
} from './subscription.ts';

/** Where to connect and whom to watch. */
export type SignallingTarget = {
  readonly url: string;
  /** The first in the list where nobody is wanted. */
  readonly streamerId: string | undefined;
  /** Sent as a bearer token; only our own signalling server is given one. */
  readonly token: Secret | undefined;
  readonly dialect: Dialect;
};

/** How a connection ended, and what the next one should speak. */
export type SignallingEnd = { readonly reason: string; readonly dialect: Dialect };

/** An open or opening connection. */
export type SignallingClient = {
  answer(sdp: string, bitrates: { minBitrateBps: number; maxBitrateBps: number }): void;
  /** Ours, where the streamer makes none. */
  offer(sdp: string): void;
  candidate(candidate: IceCandidateData): void;
  /** Asks for a fresh peer. */
  resubscribe(reason: string): void;
  /** The media is good. */
  healthy(): void;
  /** Resolves when the connection has ended; never rejects. */
  readonly ended: Promise<SignallingEnd>;
};

const TICK_MS = 250;
const PING_EVERY_MS = 10_000;
const MAX_FRAME_BYTES = 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 5000;
const SILENCE_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 500;

/** Connects. Events come until `ended` resolves; `signal` closes the connection. */
export function connectSignalling(
  deps: { readonly logger: Logger },
  target: SignallingTarget,
  onEvent: (event: SubscriptionEvent) => void,
  signal: AbortSignal,
): SignallingClient {
  const subscription = new Subscription(target.streamerId, { dialect: target.dialect });
  const socket = new WebSocket(target.url, {
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    perMessageDeflate: false,
    headers: target.token === undefined ? {} : { Authorization: `Bearer ${target.token.reveal()}` },
  });
  let heardMs = performance.now();
  let pingedMs = heardMs;
  let badMessages = 0;
  let reason = 'the signalling server closed the connection';
  let timer: NodeJS.Timeout | undefined;

  const send = (message: SignallingMessage): void => {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(renderMessage(message));
    }
  };
  const react = (reaction: Reaction): void => {
    for (const message of reaction.send) {
      send(message);
    }
    for (const event of reaction.events) {
      onEvent(event);
    }
    if (reaction.isOver === true) {
      reason = 'the connection is made anew';
      socket.close(1000);
    }
  };
  const tick = (): void => {
    const nowMs = performance.now();
    if (nowMs - heardMs > SILENCE_TIMEOUT_MS) {
      reason = 'the signalling server is silent';
      socket.terminate();
      return;
    }
    if (nowMs - pingedMs >= PING_EVERY_MS) {
      // Of the WebSocket, not of the protocol: old servers close on a message they do not know.
      pingedMs = nowMs;
      socket.ping();
    }
    react(subscription.tick(nowMs));
  };
  const leave = (): void => {
    reason = 'closed';
    if (target.dialect === 'listed') {
      send({ type: 'unsubscribe' });
    }
    socket.close(1000);
    setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  };

  socket.on('open', () => {
    heardMs = performance.now();
    timer = setInterval(tick, TICK_MS);
    tick();
  });
  socket.on('message', (data: Buffer) => {
    heardMs = performance.now();
    // Old servers send JSON in binary frames, so the frame's kind is not looked at.
    const parsed = parseMessage(data.toString('utf8'));
    if (parsed.kind === 'message') {
      react(subscription.receive(parsed.message, heardMs));
    } else {
      badMessages += 1;
    }
  });
  socket.on('pong', () => {
    heardMs = performance.now();
  });
  socket.on('error', (error) => {
    reason = error.message === '' ? 'the signalling server cannot be reached' : error.message;
  });
  const ended = new Promise<SignallingEnd>((resolve) => {
    socket.once('close', (code, text) => {
      clearInterval(timer);
      signal.removeEventListener('abort', leave);
      if (badMessages > 0) {
        deps.logger.warn({ badMessages }, 'signalling messages could not be read');
      }
      const said = text.toString('utf8').slice(0, 123);
      resolve({
        reason: said === '' ? reason : `the signalling server says: ${said}`,
        dialect: nextDialect(target.dialect, code, subscription.hasListed),
      });
    });
  });
  if (signal.aborted) {
    leave();
  } else {
    signal.addEventListener('abort', leave, { once: true });
  }
  return {
    answer: (sdp, bitrates) => send({ type: 'answer', sdp, ...bitrates }),
    offer: (sdp) => send({ type: 'offer', sdp }),
    candidate: (candidate) => send({ type: 'iceCandidate', candidate }),
    resubscribe: (why) => react(subscription.resubscribe(why, performance.now())),
    healthy: () => subscription.healthy(),
    ended,
  };
}
