/**
 * The `RTCConfiguration` of each peer: static servers, and TURN with credentials of its own that
 * end by themselves (coturn `use-auth-secret`, draft-uberti-behave-turn-rest-00). Pure.
 */
import type { Secret } from '../infra/kernel/secret.ts';
import { turnCredentials } from '../infra/kernel/turnCredentials.ts';
import type { PeerConnectionOptions } from './protocol/index.ts';
import type { Rules } from './roles/turn.ts';

/** TURN servers that share a secret with us. */
export type TurnConfig = {
  readonly urls: readonly string[];
  /** coturn's `static-auth-secret`; without one the servers are given out without credentials. */
  readonly secret: Secret | undefined;
  /** How long credentials are good, seconds. A relay that is in use stays up past it. */
  readonly ttlSeconds: number;
  /** Who may use nothing but relays. The ingest is in the house: only `all` holds for it. */
  readonly relayOnly: 'nobody' | 'players' | 'all';
};

/** A peer of signalling. */
export type IcePeer = Parameters<Rules['peerConnectionOptions']>[0];

/**
 * What goes into a peer's `config`.
 *
 * @param fixed options for everyone; what they say wins over `relayOnly`
 */
export function peerConnectionOptionsFor(
  fixed: PeerConnectionOptions,
  turn: TurnConfig,
  { role, id }: IcePeer,
  nowMs: number,
): PeerConnectionOptions {
  const isRelayOnly =
    turn.relayOnly === 'all' || (turn.relayOnly === 'players' && role === 'player');
  const policy = isRelayOnly ? { iceTransportPolicy: 'relay' } : {};
  if (turn.urls.length === 0) {
    return { ...policy, ...fixed };
  }
  const expiresSeconds = Math.floor(nowMs / 1000) + turn.ttlSeconds;
  const server = {
    urls: turn.urls,
    ...(turn.secret === undefined ? {} : turnCredentials(turn.secret, id, expiresSeconds)),
  };
  const known = fixed['iceServers'];
  const servers: readonly unknown[] = Array.isArray(known) ? known : [];
  return { ...policy, ...fixed, iceServers: [...servers, server] };
}
