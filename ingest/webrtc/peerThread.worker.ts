/**
 * Entry of the peer thread: nothing else runs on its loop, so that arrival times and feedback are
 * not delayed by HTTP, ffmpeg or garbage of the rest. Owns the bound on what is in flight to the
 * main thread: past it, pictures are dropped up to the next keyframe.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { errorText } from '../../infra/kernel/errors.ts';
import type { FromPeerThread, PeerEvent, PeerThreadData, ToPeerThread } from './messages.ts';
import { openPeer, type Peer } from './peer.ts';

const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;
/** Cost of a message besides its media, so that small ones count too. */
const MESSAGE_BYTES = 256;

const { config, inFlight } = workerData as PeerThreadData;
const inFlightBytes = new Int32Array(inFlight);
const peers = new Map<number, { readonly peer: Peer; unitsDropped: number; isDropping: boolean }>();

parentPort?.on('message', (message: ToPeerThread) => {
  const entry = peers.get(message.peer);
  switch (message.kind) {
    case 'open': {
      const { peer: id } = message;
      const emit = (event: PeerEvent): void => forward(id, event);
      try {
        const peer = openPeer(message.offer, message.ice, config, emit);
        peers.set(id, { peer, unitsDropped: 0, isDropping: false });
      } catch (error) {
        emit({ kind: 'ended', code: 'peer_failed', reason: errorText(error) });
      }
      break;
    }
    case 'answer':
      entry?.peer.accept(message.sdp);
      break;
    case 'candidate':
      entry?.peer.addCandidate(message.candidate);
      break;
    case 'keyframe':
      entry?.peer.requestKeyframe();
      break;
    case 'close':
      entry?.peer.close();
      peers.delete(message.peer);
      break;
  }
});

// werift leaves promises of closed transports behind; one peer's fault must not end the others.
process.on('unhandledRejection', (error) => {
  post({ kind: 'fault', text: errorText(error) });
});

function post(message: FromPeerThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer]);
}

function forward(id: number, event: PeerEvent): void {
  const entry = peers.get(id);
  if (event.kind === 'unit') {
    const { data, kind, isKeyframe } = event.unit;
    const bytes = data.length + MESSAGE_BYTES;
    if (Atomics.load(inFlightBytes, 0) + bytes > MAX_IN_FLIGHT_BYTES) {
      dropUnit(entry);
      return;
    }
    if (entry?.isDropping === true && kind === 'video') {
      if (!isKeyframe) {
        dropUnit(entry);
        return;
      }
      entry.isDropping = false;
    }
    Atomics.add(inFlightBytes, 0, bytes);
    post({ kind: 'event', peer: id, event }, [data.buffer]);
    return;
  }
  if (event.kind === 'stats') {
    const stats = { ...event.stats, unitsDropped: entry?.unitsDropped ?? 0 };
    post({ kind: 'event', peer: id, event: { kind: 'stats', stats } });
    return;
  }
  if (event.kind === 'ended') {
    peers.delete(id);
  }
  post({ kind: 'event', peer: id, event });
}

function dropUnit(
  entry: { peer: Peer; unitsDropped: number; isDropping: boolean } | undefined,
): void {
  if (entry !== undefined) {
    entry.unitsDropped += 1;
    entry.isDropping = true;
    entry.peer.requestKeyframe();
  }
}
