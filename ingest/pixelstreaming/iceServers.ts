/** ICE servers out of the signalling server's `config`: text from another program, so parsed. */
import type { PeerConnectionOptions } from '../../signalling/protocol/index.ts';

/** A STUN or TURN server. */
export type IceServer = {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
};

/** What a peer may use to connect. */
export type IceOptions = {
  readonly iceServers: readonly IceServer[];
  /** Media goes by TURN only. */
  readonly isRelayOnly: boolean;
};

const MAX_SERVERS = 8;
const URL_FORM = /^(?:stun|stuns|turn|turns):[^\s]{1,256}$/i;

/** The usable entries of `iceServers`, and the policy; what cannot be read is left out. */
export function parseIceOptions(options: PeerConnectionOptions): IceOptions {
  const list = options['iceServers'];
  return {
    iceServers: Array.isArray(list) ? list.slice(0, MAX_SERVERS).flatMap(parseIceServer) : [],
    isRelayOnly: options['iceTransportPolicy'] === 'relay',
  };
}

function parseIceServer(value: unknown): IceServer[] {
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  const { urls, username, credential } = value as Readonly<Record<string, unknown>>;
  const usable = (Array.isArray(urls) ? urls : [urls]).filter(
    (url): url is string => typeof url === 'string' && URL_FORM.test(url),
  );
  if (usable.length === 0) {
    return [];
  }
  return [
    {
      urls: usable.slice(0, MAX_SERVERS),
      ...(typeof username === 'string' ? { username } : {}),
      ...(typeof credential === 'string' ? { credential } : {}),
    },
  ];
}
