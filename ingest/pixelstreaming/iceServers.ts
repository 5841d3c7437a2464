/** ICE servers out of the signalling server's `config`: text from another program, so parsed. */
import type { PeerConnectionOptions } from '../../signalling/protocol/index.ts';

/** A STUN or TURN server. */
export type IceServer = {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
};

const MAX_SERVERS = 8;
const URL_FORM = /^(?:stun|stuns|turn|turns):[^\s]{1,256}$/i;

/** The usable entries of `iceServers`; what cannot be read is left out. */
export function parseIceServers(options: PeerConnectionOptions): IceServer[] {
  const list = options['iceServers'];
  return Array.isArray(list) ? list.slice(0, MAX_SERVERS).flatMap(parseIceServer) : [];
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
