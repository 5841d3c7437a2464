/** `iceServers` of an RTCConfiguration in the form that node-datachannel takes. Pure. */
import type { RtcConfig } from 'node-datachannel';

/** What of `peerConnectionOptions` can be used; the rest is left out. */
export function iceServersOf(
  peerConnectionOptions: Readonly<Record<string, unknown>>,
): RtcConfig['iceServers'] {
  const list = peerConnectionOptions['iceServers'];
  return Array.isArray(list) ? list.flatMap(serversOf) : [];
}

function serversOf(entry: unknown): RtcConfig['iceServers'] {
  if (typeof entry !== 'object' || entry === null) {
    return [];
  }
  const { urls, username, credential } = entry as Record<string, unknown>;
  const list: readonly unknown[] = Array.isArray(urls) ? urls : [urls];
  return list.flatMap((url): RtcConfig['iceServers'] => {
    const match =
      typeof url === 'string'
        ? /^(stun|turns?):([^:?/]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/.exec(url)
        : null;
    if (match?.[2] === undefined) {
      return [];
    }
    const [, scheme, hostname, port, transport] = match;
    if (scheme === 'stun') {
      return [`stun:${hostname}:${port ?? '3478'}`];
    }
    return [
      {
        hostname,
        port: Number(port ?? (scheme === 'turns' ? 5349 : 3478)),
        ...(typeof username === 'string' ? { username } : {}),
        ...(typeof credential === 'string' ? { password: credential } : {}),
        relayType:
          scheme === 'turns'
            ? ('TurnTls' as const)
            : transport === 'tcp'
              ? ('TurnTcp' as const)
              : ('TurnUdp' as const),
      },
    ];
  });
}
