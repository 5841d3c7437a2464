/**
 * Who is connected, under which id, and who is subscribed to whom: immutable data and its look-ups.
 * Leaves the rules (who may what) to roles/, sockets to the server.
 */

/** Handle of a connection, given by the server; never reused. */
export type ConnectionId = number;

/** A streamer; not listed and not reachable until it has an id. */
export type Streamer = {
  readonly connection: ConnectionId;
  readonly remoteAddress: string;
  /** The id that it goes by. */
  readonly streamerId: string | undefined;
  /** The id that it asked for, which may have been taken. */
  readonly requestedId: string | undefined;
};

/** A player: someone's browser, or the gateway's own ingest, which no rule and no count sees. */
export type Player = {
  readonly connection: ConnectionId;
  readonly remoteAddress: string;
  readonly role: 'player' | 'ingest';
  /** Decimal text ("101"), valid for every version of UE; never reused. */
  readonly playerId: string;
  readonly subscribedTo: ConnectionId | undefined;
};

/** Everyone, in order of arrival. */
export type Registry = {
  readonly streamers: ReadonlyMap<ConnectionId, Streamer>;
  readonly players: ReadonlyMap<ConnectionId, Player>;
  readonly nextPlayerNumber: number;
};

/** Nobody. Player ids start at 101, as Cirrus' do. */
export const EMPTY_REGISTRY: Registry = {
  streamers: new Map(),
  players: new Map(),
  nextPlayerNumber: 101,
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

/** The streamer of that id. */
export function streamerById(registry: Registry, streamerId: string): Streamer | undefined {
  return [...registry.streamers.values()].find((streamer) => streamer.streamerId === streamerId);
}

/** Ids of the streamers that have one, in order of arrival. */
export function listedIds(registry: Registry): readonly string[] {
  return [...registry.streamers.values()].flatMap(({ streamerId }) =>
    streamerId === undefined ? [] : [streamerId],
  );
}

/** Everyone subscribed to that streamer, the ingest too. */
export function subscribersOf(registry: Registry, streamer: ConnectionId): readonly Player[] {
  return [...registry.players.values()].filter((player) => player.subscribedTo === streamer);
}

/** An id that no other streamer has: `wanted`, else `wanted1`, `wanted2` and so on. */
export function uniqueStreamerId(registry: Registry, wanted: string, self: ConnectionId): string {
  const taken = new Set(
    [...registry.streamers.values()]
      .filter((streamer) => streamer.connection !== self)
      .map((streamer) => streamer.streamerId),
  );
  let id = wanted;
  for (let suffix = 1; taken.has(id); suffix += 1) {
    id = `${wanted}${suffix}`;
  }
  return id;
}
