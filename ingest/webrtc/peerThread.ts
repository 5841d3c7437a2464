/**
 * The peer thread as the main thread sees it. Owns its life: started on first use, started anew
 * after it died (its peers end with `peer_failed`), stopped on close.
 */
import { Worker } from 'node:worker_threads';
import { errorText } from '../../infra/kernel/errors.ts';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { IceOptions } from '../pixelstreaming/iceServers.ts';
import type {
  FromPeerThread,
  PeerConfig,
  PeerEvent,
  PeerThreadData,
  ToPeerThread,
} from './messages.ts';

/** One peer in the thread. */
export type RemotePeer = {
  /** An `a=candidate` value of the streamer; before the answer it is kept. */
  addCandidate(candidate: string): void;
  /** The streamer's answer to the peer's offer. */
  accept(answer: string): void;
  requestKeyframe(): void;
  /** Idempotent; no event is delivered after it. */
  close(): void;
};

/** The thread. */
export type PeerThread = Closeable & {
  /** Answers an offer, or makes one where there is none. `onEvent` is called on the main thread, `ended` last. */
  open(offer: string | undefined, ice: IceOptions, onEvent: (event: PeerEvent) => void): RemotePeer;
};

/** As in peerThread.worker.ts. */
const MESSAGE_BYTES = 256;

/** A thread for the peers of one broadcast; nothing runs until the first peer is opened. */
export function createPeerThread(
  deps: { readonly logger: Logger },
  config: PeerConfig,
): PeerThread {
  const { logger } = deps;
  const inFlight = new SharedArrayBuffer(4);
  const inFlightBytes = new Int32Array(inFlight);
  const listeners = new Map<number, (event: PeerEvent) => void>();
  let worker: Worker | undefined;
  let nextPeer = 1;

  const post = (message: ToPeerThread): void => worker?.postMessage(message);
  /** What one peer's media does to its listener costs that peer, not the process. */
  const tell = (peer: number, listener: (event: PeerEvent) => void, event: PeerEvent): void => {
    try {
      listener(event);
    } catch (error) {
      const reason = errorText(error);
      logger.error({ event: event.kind, error: reason }, 'an event of a peer could not be handled');
      if (event.kind !== 'ended') {
        listeners.delete(peer);
        post({ kind: 'close', peer });
        tell(peer, listener, { kind: 'ended', code: 'peer_failed', reason });
      }
    }
  };
  const endAll = (reason: string): void => {
    const ending = [...listeners];
    listeners.clear();
    for (const [peer, listener] of ending) {
      tell(peer, listener, { kind: 'ended', code: 'peer_failed', reason });
    }
  };
  const receive = (message: FromPeerThread): void => {
    if (message.kind === 'fault') {
      logger.debug({ fault: message.text }, 'the WebRTC stack left a rejection behind');
      return;
    }
    const { peer, event } = message;
    if (event.kind === 'unit') {
      Atomics.sub(inFlightBytes, 0, event.unit.data.length + MESSAGE_BYTES);
    }
    const listener = listeners.get(peer);
    if (event.kind === 'ended') {
      listeners.delete(peer);
    }
    if (listener !== undefined) {
      tell(peer, listener, event);
    }
  };
  const start = (): Worker => {
    Atomics.store(inFlightBytes, 0, 0);
    const workerData: PeerThreadData = { config, inFlight };
    const started = new Worker(new URL('./peerThread.worker.ts', import.meta.url), { workerData });
    started.on('message', receive);
    started.on('error', (error) => {
      logger.error(
        { error: errorText(error) },
        'peer thread failed; the next peer starts a new one',
      );
    });
    started.on('exit', () => {
      if (worker === started) {
        worker = undefined;
        endAll('the peer thread ended');
      }
    });
    return started;
  };

  return {
    open(offer, ice, onEvent) {
      worker ??= start();
      const peer = nextPeer;
      nextPeer += 1;
      listeners.set(peer, onEvent);
      post({ kind: 'open', peer, offer, ice });
      return {
        addCandidate: (candidate) => post({ kind: 'candidate', peer, candidate }),
        accept: (sdp) => post({ kind: 'answer', peer, sdp }),
        requestKeyframe: () => post({ kind: 'keyframe', peer }),
        close() {
          listeners.delete(peer);
          post({ kind: 'close', peer });
        },
      };
    },
    async close() {
      listeners.clear();
      const stopping = worker;
      worker = undefined;
      await stopping?.terminate();
    },
  };
}
