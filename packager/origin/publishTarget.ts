/**
 * Where a publish goes and who may: paths of our own workers and of DASH-IF Live Media Ingest
 * (interface 1), Bearer and Basic credentials. Pure.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { isAuthorized, type Secret } from '../../infra/kernel/secret.ts';
import type { UnixMs } from '../../infra/kernel/time.ts';
import { broadcastIdSchema, parseEpoch, trackNameSchema } from '../../infra/kernel/wire.ts';
import type { PublisherIdentity } from './follow.ts';

/** Which track of which broadcast, and who publishes it. */
export type Target = PublisherIdentity & { readonly broadcast: string; readonly track: string };

const STREAMS = /^Streams\(([^()]+)\)$/;
const EXTENSION = /\.(cmfv|cmfa|m4s|mp4)$/;

/**
 * Reads `/publish/{broadcast}/{track}`, `.../{track}.cmfv|.cmfa|.m4s|.mp4` or
 * `.../Streams({track}[.ext])`. Without `slot` it is 0; without `epoch` the connection's own time,
 * so that the newest connection wins.
 *
 * @throws GatewayError `bad_request`
 */
export function parseTarget(url: string, nowMs: UnixMs): Target {
  const [path = '', query = ''] = url.split('?', 2);
  const [, , broadcast = '', name = '', ...rest] = path.split('/').map(decoded);
  const track = (STREAMS.exec(name)?.[1] ?? name).replace(EXTENSION, '');
  const values = new URLSearchParams(query);
  const slot = values.get('slot') ?? '0';
  const epochText = values.get('epoch');
  const epoch =
    epochText === null ? { timestamp: Math.floor(nowMs), attempt: 0 } : parseEpoch(epochText);
  if (
    !broadcastIdSchema.safeParse(broadcast).success ||
    !trackNameSchema.safeParse(track).success ||
    rest.some((more) => more !== '') ||
    !/^[01]$/.test(slot) ||
    epoch === undefined
  ) {
    throw new GatewayError(
      'bad_request',
      'not a publish path: /publish/{broadcast}/{track}[?slot=0&epoch={timestamp}.{attempt}]',
    );
  }
  return { broadcast, track, slot: Number(slot), epoch };
}

/** Whether the request carries the token: as Bearer, or as the password of Basic (any user name). */
export function mayPublish(authorization: string | undefined, token: Secret): boolean {
  const basic = /^Basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(authorization ?? '')?.[1];
  if (basic === undefined) {
    return isAuthorized(authorization, token);
  }
  const text = Buffer.from(basic, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon >= 0 && token.matches(text.slice(colon + 1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
