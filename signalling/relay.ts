/**
 * Players whose streamer is on another replica: their frames out and back. Owns the links of our
 * players and the stand-ins of theirs, which are connections like any other to the rules.
 */
import { assertNever } from '../infra/kernel/errors.ts';
import type { Connection, ConnectionHandlers } from './connection.ts';
import type { RawMessage } from './protocol/index.ts';
import { parseMessage } from './protocol/index.ts';
import type { ConnectionId, Player, Registry } from './registry.ts';
import type { Replica } from './replica.ts';
import type { RelayedPlayer, ReplicaMessage } from './replication.ts';

/** What the relay needs of the hub. */
export type RelayHouse = {
  registry(): Registry;
  /** A player of another replica is here; its frames come by `handlers`. */
  addStandIn(
    player: RelayedPlayer,
    open: (id: ConnectionId, handlers: ConnectionHandlers) => Connection,
  ): void;
  /** A frame for our player. */
  relayed(
    connection: ConnectionId,
    from: { readonly streamerId: string; readonly replica: string },
    message: RawMessage,
  ): void;
  close(connection: ConnectionId, code: number, reason: string): void;
};

/** The relay of one hub. */
export type Relay = {
  toStreamer(connection: ConnectionId, replica: string, message: RawMessage): void;
  /** Our connection is gone. */
  closed(connection: ConnectionId): void;
  /** All that came from there is gone. */
  replicaGone(replica: string): void;
  receive(message: ReplicaMessage): void;
};

type StandIn = { readonly handlers: ConnectionHandlers; seen: number };

/** What a replica knows of a connection of ours. */
type Link = {
  /** Frames that were sent there. */
  sent: number;
  /** The frame by which the player last took or left a streamer there. */
  choice: number;
};

/** A frame by which what was before it is over. */
const CHOICES: readonly unknown[] = ['subscribe', 'unsubscribe'];

/** Makes the relay. */
export function createRelay(replica: Pick<Replica, 'id' | 'send'>, house: RelayHouse): Relay {
  /** Replicas that know of a connection of ours. */
  const links = new Map<ConnectionId, Map<string, Link>>();
  /** Players of others, by `replica/link`. */
  const standIns = new Map<string, StandIn>();
  const from = replica.id;

  const standInFor = (sender: string, link: number, player: RelayedPlayer): StandIn | undefined => {
    const key = `${sender}/${link}`;
    house.addStandIn(player, (id, handlers) => {
      const standIn = { handlers, seen: 0 };
      standIns.set(key, standIn);
      return standInConnection(sender, link, id, standIn, () => {
        if (standIns.delete(key)) {
          handlers.onClosed(1000, '');
        }
      });
    });
    return standIns.get(key);
  };
  const standInConnection = (
    to: string,
    link: number,
    id: ConnectionId,
    standIn: StandIn,
    gone: () => void,
  ): Connection => ({
    send(message) {
      const { streamers, players } = house.registry();
      const subscribedTo = players.get(id)?.subscribedTo;
      const streamerId =
        (subscribedTo === undefined ? undefined : streamers.get(subscribedTo)?.streamerId) ?? '';
      const { seen } = standIn;
      replica.send(to, { kind: 'toPlayer', from, link, seen, streamerId, message });
    },
    close(code, reason) {
      replica.send(to, { kind: 'closePlayer', from, link, seen: standIn.seen, code, reason });
      gone();
    },
    terminate: gone,
    probe: () => Promise.resolve(true),
    // The replica that has its socket feels its pulse.
    beat: () => undefined,
  });

  const fromTheirPlayer = ({
    from: sender,
    link,
    number,
    player,
    message,
  }: Extract<ReplicaMessage, { kind: 'toStreamer' }>): void => {
    const standIn =
      standIns.get(`${sender}/${link}`) ??
      (player === undefined ? undefined : standInFor(sender, link, player));
    if (standIn === undefined) {
      const reason = 'The streamer disconnected.';
      replica.send(sender, { kind: 'closePlayer', from, link, seen: number, code: 1000, reason });
    } else {
      standIn.seen = number;
      standIn.handlers.onMessage(parseMessage(message));
    }
  };

  /** What was said before the player's last choice was heard is of what it has left. */
  const isCurrent = (sender: string, link: number, seen: number): boolean => {
    // A link that we do not know is of an earlier life of this replica.
    const known = links.get(link)?.get(sender);
    return known !== undefined && seen >= known.choice;
  };

  return {
    toStreamer(connection, to, message) {
      const known = links.get(connection) ?? new Map<string, Link>();
      const isFirst = !known.has(to);
      const link = known.get(to) ?? { sent: 0, choice: 0 };
      link.sent += 1;
      if (CHOICES.includes(message['type'])) {
        link.choice = link.sent;
      }
      links.set(connection, known.set(to, link));
      const player = house.registry().players.get(connection);
      replica.send(to, {
        ...{ kind: 'toStreamer', from, link: connection, number: link.sent, message },
        ...(isFirst && player !== undefined ? { player: relayedPlayer(player) } : {}),
      });
    },
    closed(connection) {
      for (const to of links.get(connection)?.keys() ?? []) {
        replica.send(to, { kind: 'playerGone', from, link: connection });
      }
      links.delete(connection);
    },
    replicaGone(gone) {
      for (const [key, { handlers }] of [...standIns]) {
        if (key.startsWith(`${gone}/`) && standIns.delete(key)) {
          handlers.onClosed(1006, 'its replica is gone');
        }
      }
      for (const known of links.values()) {
        known.delete(gone);
      }
    },
    receive(message) {
      switch (message.kind) {
        case 'toStreamer':
          fromTheirPlayer(message);
          return;
        case 'playerGone': {
          const key = `${message.from}/${message.link}`;
          const standIn = standIns.get(key);
          standIns.delete(key);
          standIn?.handlers.onClosed(1000, '');
          return;
        }
        case 'toPlayer': {
          const { link, seen, streamerId } = message;
          if (isCurrent(message.from, link, seen)) {
            house.relayed(link, { streamerId, replica: message.from }, message.message);
          }
          return;
        }
        case 'closePlayer':
          if (isCurrent(message.from, message.link, message.seen)) {
            house.close(message.link, message.code, message.reason);
          }
          return;
        case 'probe':
        case 'probed':
        case 'question':
        case 'answer':
          return;
        default:
          assertNever(message);
      }
    },
  };
}

function relayedPlayer({
  playerId,
  role,
  remoteAddress,
  identity,
  offersToReceive,
}: Player): RelayedPlayer {
  return {
    ...{ playerId, remoteAddress, identity, offersToReceive },
    role: role === 'ingest' ? 'ingest' : 'player',
  };
}
