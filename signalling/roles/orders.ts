/** What the operator may order, and what becomes of it: seats given and taken, peers shown out. */
import type { Identity } from '../admission.ts';
import { type Player, playerById, streamerById } from '../registry.ts';
import { assignSeat, type OrderOutcome, refused, releaseSeat } from './handover.ts';
import type { CloseStreamer } from './naming.ts';
import { closePlayer } from './subscription.ts';
import { send, type Turn } from './turn.ts';

/** An order of the operator. */
export type OperatorOrder =
  | { readonly kind: 'assign'; readonly streamerId: string; readonly playerId: string }
  | { readonly kind: 'release'; readonly streamerId: string }
  /** Where the player's socket is: makes it known to the replica of that streamer. */
  | { readonly kind: 'introduce'; readonly streamerId: string; readonly playerId: string }
  | { readonly kind: 'disconnectPlayer'; readonly playerId: string }
  | { readonly kind: 'disconnectStreamer'; readonly streamerId: string }
  /** Everyone who came in by that token goes. */
  | { readonly kind: 'endToken'; readonly tokenId: string };

const DONE: OrderOutcome = { kind: 'done' };
const BY_OPERATOR = 'The operator has disconnected you.';

/** Carries an order out. @param closeStreamer of step.ts, which knows what a close undoes */
export function carryOut(
  turn: Turn,
  order: OperatorOrder,
  closeStreamer: CloseStreamer,
): OrderOutcome {
  switch (order.kind) {
    case 'assign':
      return assignSeat(turn, order.streamerId, order.playerId);
    case 'release':
      return releaseSeat(turn, order.streamerId);
    case 'introduce':
      return introduce(turn, order.streamerId, order.playerId);
    case 'disconnectPlayer': {
      const player = ownPlayer(turn, order.playerId);
      if (player === undefined) {
        return refused('no_player', `There is no player ${order.playerId}.`);
      }
      showOut(turn, player, BY_OPERATOR);
      return DONE;
    }
    case 'disconnectStreamer': {
      const streamer = streamerById(turn.registry, order.streamerId);
      if (streamer === undefined) {
        return refused('no_streamer', `Streamer ${order.streamerId} does not exist.`);
      }
      closeStreamer(turn, streamer, 1008, BY_OPERATOR);
      return DONE;
    }
    case 'endToken':
      endToken(turn, order.tokenId, closeStreamer);
      return DONE;
  }
}

/** A frame without a meaning brings the player's name along to where its streamer is. */
function introduce(turn: Turn, streamerId: string, playerId: string): OrderOutcome {
  const player = ownPlayer(turn, playerId);
  const replica = turn.registry.remoteStreamers.get(streamerId);
  if (player === undefined || replica === undefined) {
    return refused('no_player', `There is no player ${playerId}.`);
  }
  const message = { type: 'pong', time: 0 };
  turn.effects.push({ kind: 'relay', connection: player.connection, replica, message });
  return DONE;
}

function endToken(turn: Turn, tokenId: string, closeStreamer: CloseStreamer): void {
  const reason = 'The token was revoked.';
  const isIts = ({ identity }: { readonly identity: Identity }): boolean =>
    identity.tokenId === tokenId;
  for (const streamer of [...turn.registry.streamers.values()].filter(isIts)) {
    closeStreamer(turn, streamer, 1008, reason);
  }
  for (const player of [...turn.registry.players.values()].filter(isIts)) {
    showOut(turn, player, reason);
  }
}

/** The message first: on it Epic's frontend stops to reconnect, which a close alone does not do. */
function showOut(turn: Turn, player: Player, reason: string): void {
  if (player.role === 'player') {
    send(turn, player.connection, { type: 'subscribeFailed', message: reason });
  }
  closePlayer(turn, player, 1008, reason, 'left');
}

/** A player whose socket is here; the ingest is in nobody's hands but the house's. */
function ownPlayer(turn: Turn, playerId: string): Player | undefined {
  const player = playerById(turn.registry, playerId);
  return player === undefined || player.isStandIn || player.role === 'ingest' ? undefined : player;
}
