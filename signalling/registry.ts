/**
 * Who is connected, under which id, who is subscribed to whom and who holds which seat: immutable
 * data and its look-ups. Leaves the rules (who may what) to roles/, sockets to the server.
 */
import type { Identity } from './admission.ts';

/** Handle of a connection, given by the server; never reused. */
export type ConnectionId = number;

/** A streamer, or an SFU, which is a streamer to players and a player to streamers. */
export type Streamer = {
  readonly connection: ConnectionId;
  readonly remoteAddress: string;
  readonly kind: 'streamer' | 'sfu';
  /** The id that it goes by; a made-up one (`UnknownStreamer`) until it has said its own. */
  readonly streamerId: string;
  /** The id that it asked for, which may have been taken. */
  readonly requestedId: string | undefined;
  /** Whether players see it in `streamerList`. */
  readonly isStreaming: boolean;
  /** UE 4.26 and 4.27: knows no `identify` and no `playerConnected`, and ids are numbers. */
  readonly isLegacy: boolean;
  /** As what it was let in; its `streamerIds` are the ids that it may go by. */
  readonly identity: Identity;
  /** A wish that waits for the holder of the id to answer a ping, or for the other replicas. */
  readonly pending: PendingId | undefined;
};

/** A wish for an id that is being looked into. */
export type PendingId = {
  readonly requestedId: string;
  /** It did not ask: it is named because it stayed silent, and is not told. */
  readonly isSilent: boolean;
  /** The streamer that has the id and is being pinged. */
  readonly holder: ConnectionId | undefined;
  /** Asked for meanwhile; looked into next. */
  readonly next: string | undefined;
};

/** A player: someone's browser, an SFU, or the gateway's own ingest, which no rule and no count sees. */
export type Player = {
  readonly connection: ConnectionId;
  readonly remoteAddress: string;
  readonly role: 'player' | 'sfu' | 'ingest';
  /** Decimal text ("101"), valid for every version of UE; never reused. */
  readonly playerId: string;
  readonly identity: Identity;
  readonly subscribedTo: ConnectionId | undefined;
  /** The streamer on another replica that it is subscribed to. */
  readonly remote: RemoteStreamer | undefined;
  /** Its socket is on another replica, and its frames come here. */
  readonly isStandIn: boolean;
  /** It has subscribed or unsubscribed itself: nothing is guessed for it any more. */
  readonly hasChosen: boolean;
  /** It has said something, whatever. */
  readonly hasSpoken: boolean;
  /** `?OfferToReceive=true` of the frontends 5.2 to 5.4: it makes the offer. */
  readonly offersToReceive: boolean;
};

/** A streamer that another replica holds. */
export type RemoteStreamer = { readonly streamerId: string; readonly replica: string };

/** The right to control a streamer. Only one that is taken exists. */
export type Seat = {
  readonly streamerId: string;
  /** Who holds it, by name; undefined for someone without a token. */
  readonly subject: string | undefined;
  /** The player that holds it, or held it last. */
  readonly playerId: string;
  /** `grace`: its holder is away and may come back. */
  readonly state: 'held' | 'grace';
  /** Player to whom its holder has offered it. */
  readonly offeredTo: string | undefined;
  /** Players that have asked for it, first come first. */
  readonly waiting: readonly string[];
  /** Grows with every change of holder or state; a timer for an older one is void. */
  readonly epoch: number;
};

/** Everyone, in order of arrival. */
export type Registry = {
  readonly streamers: ReadonlyMap<ConnectionId, Streamer>;
  readonly players: ReadonlyMap<ConnectionId, Player>;
  /** By streamer id: a seat outlives the streamer's connection by the grace. */
  readonly seats: ReadonlyMap<string, Seat>;
  /** Streamers of other replicas: id to replica. */
  readonly remoteStreamers: ReadonlyMap<string, string>;
  readonly nextPlayerNumber: number;
  readonly nextSeatEpoch: number;
};

/** Nobody. Player ids start at 101, as Cirrus' do. */
export const EMPTY_REGISTRY: Registry = {
  streamers: new Map(),
  players: new Map(),
  seats: new Map(),
  remoteStreamers: new Map(),
  nextPlayerNumber: 101,
  nextSeatEpoch: 1,
};

/** The registry with this streamer added or changed. */
export function withStreamer(registry: Registry, streamer: Streamer): Registry {
  const streamers = new Map(registry.streamers).set(streamer.connection, streamer);
  return { ...registry, streamers };
}

/** The registry with this player added or changed. */
export function withPlayer(registry: Registry, player: Player): Registry {
  const players = new Map(registry.players).set(player.connection, player);
  return { ...registry, players };
}

/** The registry without this connection. */
export function without(registry: Registry, connection: ConnectionId): Registry {
  const streamers = new Map(registry.streamers);
  const players = new Map(registry.players);
  streamers.delete(connection);
  players.delete(connection);
  return { ...registry, streamers, players };
}

/** The streamer of that id on this replica, listed or not. */
export function streamerById(registry: Registry, streamerId: string): Streamer | undefined {
  for (const streamer of registry.streamers.values()) {
    if (streamer.streamerId === streamerId) {
      return streamer;
    }
  }
  return undefined;
}

/** The player of that id on this replica, or whose frames come here. */
export function playerById(registry: Registry, playerId: string): Player | undefined {
  for (const player of registry.players.values()) {
    if (player.playerId === playerId) {
      return player;
    }
  }
  return undefined;
}

/** Ids of the streamers that players may see: ours in order of arrival, then the other replicas'. */
export function listedIds(registry: Registry): readonly string[] {
  const ids = [...registry.streamers.values()].flatMap(({ streamerId, isStreaming }) =>
    isStreaming ? [streamerId] : [],
  );
  return [...new Set([...ids, ...registry.remoteStreamers.keys()])];
}

/** Everyone subscribed to that streamer, the ingest too. */
export function subscribersOf(registry: Registry, streamer: ConnectionId): readonly Player[] {
  return [...registry.players.values()].filter((player) => player.subscribedTo === streamer);
}

/** An id that no other streamer has: `wanted`, else `wanted1`, `wanted2` and so on. */
export function uniqueStreamerId(registry: Registry, wanted: string, self: ConnectionId): string {
  const taken = new Set(registry.remoteStreamers.keys());
  for (const streamer of registry.streamers.values()) {
    if (streamer.connection !== self) {
      taken.add(streamer.streamerId);
    }
  }
  let id = wanted;
  for (let suffix = 1; taken.has(id); suffix += 1) {
    id = `${wanted}${suffix}`;
  }
  return id;
}
