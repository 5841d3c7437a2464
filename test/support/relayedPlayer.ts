/**
 * An ingest peer that watches a streamer over a bad network: signalling whose candidates lead to a
 * UDP relay of ours. Owns the wiring only.
 */
import { WebSocket } from 'ws';
import { closeStack, type Closeable } from '../../infra/kernel/lifecycle.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { type IngestConfig, ingestConfigSchema } from '../../ingest/config.ts';
import type { PeerEvent } from '../../ingest/webrtc/messages.ts';
import { createPeerThread, type RemotePeer } from '../../ingest/webrtc/peerThread.ts';
import type { Conditions } from './impairment.ts';
import { startRelayedSignalling } from './relayedSignalling.ts';
import type { Message } from './tinySignalling.ts';
import type { UdpRelay } from './udpRelay.ts';

const NO_SERVERS = { iceServers: [], isRelayOnly: false };

/** A network with signalling; a streamer comes to `streamerUrl`. */
export type RelayedPlayer = Closeable & {
  readonly streamerUrl: string;
  readonly relay: UdpRelay;
  /** Subscribes; resolves when that is said. */
  watch(onEvent: (event: PeerEvent) => void): Promise<void>;
};

/** Starts signalling and the relay. */
export async function startRelayedPlayer(
  conditions: Conditions,
  config: Partial<IngestConfig> = {},
): Promise<RelayedPlayer> {
  const stack = closeStack((error) => {
    throw error;
  });
  const network = stack.push(await startRelayedSignalling(conditions));
  const { relay, signalling } = network;
  const thread = stack.push(
    createPeerThread({ logger: silentLogger }, ingestConfigSchema.parse(config)),
  );
  return {
    streamerUrl: signalling.streamerUrl,
    relay,
    async watch(onEvent) {
      await signalling.identified;
      const socket = new WebSocket(signalling.playerUrl);
      stack.defer(() => socket.terminate());
      const tell = (message: Message): void => socket.send(JSON.stringify(message));
      let peer: RemotePeer | undefined;
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString()) as Message;
        if (message['type'] === 'offer') {
          peer = thread.open(message['sdp'] as string, NO_SERVERS, (event) => {
            if (event.kind === 'answer') {
              tell({ type: 'answer', sdp: event.sdp });
            } else if (event.kind === 'candidate') {
              tell({ type: 'iceCandidate', candidate: event.candidate });
            }
            onEvent(event);
          });
        } else if (message['type'] === 'iceCandidate') {
          peer?.addCandidate((message['candidate'] as { candidate: string }).candidate);
        }
      });
      await new Promise((resolve) => socket.once('open', resolve));
      tell({ type: 'subscribe', streamerId: await signalling.identified });
    },
    close: (reason) => stack.close(reason),
  };
}
