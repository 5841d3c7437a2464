/** Which signalling server an ingest joins: the source's own, else one of ours. */
import type { Directory } from '../../infra/kernel/directory.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import type { SignallingTarget } from './signallingClient.ts';
import type { Dialect } from './subscription.ts';

/**
 * Where to connect; undefined while none of our servers is up.
 *
 * @param dialect what a foreign server was found to speak
 * @throws what the directory throws where it cannot be asked
 */
export async function signallingTarget(
  deps: {
    readonly directory: Pick<Directory, 'signallingServers'>;
    readonly internalToken: Secret;
  },
  source: Broadcast['source'],
  dialect: Dialect,
): Promise<SignallingTarget | undefined> {
  // No ingest job is made of any other kind.
  if (source.kind !== 'pixel-streaming') {
    return undefined;
  }
  const { streamerId, url } = source;
  if (url !== undefined) {
    return { url, streamerId, token: undefined, dialect };
  }
  const [server] = await deps.directory.signallingServers();
  return server === undefined
    ? undefined
    : {
        url: `${server}/signalling`,
        streamerId,
        token: deps.internalToken,
        dialect: 'listed',
      };
}
