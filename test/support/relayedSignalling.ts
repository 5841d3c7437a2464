/** Signalling whose candidates lead to a UDP relay of ours: a bad network between two peers. */
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import type { Conditions } from './impairment.ts';
import { type Message, startTinySignalling, type TinySignalling } from './tinySignalling.ts';
import { relayCandidates, startUdpRelay, type UdpAddress, type UdpRelay } from './udpRelay.ts';

/** A running one. */
export type RelayedSignalling = Closeable & {
  readonly signalling: TinySignalling;
  readonly relay: UdpRelay;
};

/** Starts signalling and the relay. */
export async function startRelayedSignalling(conditions: Conditions): Promise<RelayedSignalling> {
  const stack = closeStack((error) => {
    throw error;
  });
  const relay = stack.push(await startUdpRelay(conditions));
  const signalling = stack.push(
    await startTinySignalling((message, from) =>
      rewrite(message, from === 'streamer' ? relay.forPlayer : relay.forStreamer),
    ),
  );
  return { signalling, relay, close: (reason) => stack.close(reason) };
}

function rewrite(message: Message, relay: UdpAddress): Message | undefined {
  if (typeof message['sdp'] === 'string') {
    return { ...message, sdp: relayCandidates(message['sdp'], relay) };
  }
  const candidate = message['candidate'] as Message | undefined;
  if (typeof candidate?.['candidate'] !== 'string') {
    return message;
  }
  const text = relayCandidates(candidate['candidate'], relay);
  return text === '' ? undefined : { ...message, candidate: { ...candidate, candidate: text } };
}
