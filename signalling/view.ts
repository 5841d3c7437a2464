/**
 * What signalling shows of itself: a snapshot for the house, and Epic's REST shapes (Wilbur's
 * `/api/status`, `/api/streamers`, `/api/players`) made of it. Pure. Leaves mounting and access to
 * the gateway. Addresses of peers stay in the snapshot: these paths are read without a login.
 */
import { listedIds, type Registry, streamerById, subscribersOf } from './registry.ts';
import { PROTOCOL_VERSION } from './roles/turn.ts';

/** Who is there: streamers that have an id, and players; the gateway's own ingest is not in it. */
export type SignallingSnapshot = {
  readonly uptimeMs: number;
  readonly streamers: readonly StreamerSnapshot[];
  readonly players: readonly PlayerSnapshot[];
};

/** A streamer; `subscribers` are player ids. */
export type StreamerSnapshot = {
  readonly streamerId: string;
  readonly streaming: true;
  readonly remoteAddress: string;
  readonly subscribers: readonly string[];
};

/** A player; `subscribedTo` is a streamer's id. */
export type PlayerSnapshot = {
  readonly playerId: string;
  readonly subscribedTo: string | undefined;
  readonly remoteAddress: string;
};

/** Wilbur's `GET /api/status`; `version` is that of Epic's protocol, `uptime` in ms. */
export type StatusView = {
  readonly uptime: number;
  readonly streamer_count: number;
  readonly player_count: number;
  readonly version: string;
};

/** An element of Wilbur's `GET /api/players`. */
export type PlayerView = {
  readonly playerId: string;
  readonly type: 'Player';
  readonly subscribedTo: string | null;
  readonly remoteAddress: string;
};

/** An element of Wilbur's `GET /api/streamers`. */
export type StreamerView = {
  readonly streamerId: string;
  readonly type: 'Streamer';
  readonly streaming: boolean;
  readonly remoteAddress: string;
  readonly subscribers: readonly PlayerView[];
};

/** The snapshot of a registry. */
export function snapshotOf(registry: Registry, uptimeMs: number): SignallingSnapshot {
  const players = [...registry.players.values()].filter((player) => player.role === 'player');
  return {
    uptimeMs,
    streamers: listedIds(registry).flatMap((streamerId) => {
      const streamer = streamerById(registry, streamerId);
      return streamer === undefined
        ? []
        : [
            {
              streamerId,
              streaming: true as const,
              remoteAddress: streamer.remoteAddress,
              subscribers: subscribersOf(registry, streamer.connection).flatMap((player) =>
                player.role === 'player' ? [player.playerId] : [],
              ),
            },
          ];
    }),
    players: players.map(({ playerId, remoteAddress, subscribedTo }) => ({
      playerId,
      remoteAddress,
      subscribedTo:
        subscribedTo === undefined ? undefined : registry.streamers.get(subscribedTo)?.streamerId,
    })),
  };
}

/** `GET /api/status`. */
export function statusView({ uptimeMs, streamers, players }: SignallingSnapshot): StatusView {
  return {
    uptime: Math.round(uptimeMs),
    streamer_count: streamers.length,
    player_count: players.length,
    version: PROTOCOL_VERSION,
  };
}

/** `GET /api/streamers`; one of it by id is `GET /api/streamers/{id}`. */
export function streamersView(snapshot: SignallingSnapshot): readonly StreamerView[] {
  const players = playersView(snapshot);
  return snapshot.streamers.map(({ streamerId, streaming, subscribers }) => ({
    streamerId,
    type: 'Streamer',
    streaming,
    remoteAddress: '',
    subscribers: players.filter((player) => subscribers.includes(player.playerId)),
  }));
}

/** `GET /api/players`; one of it by id is `GET /api/players/{id}`. */
export function playersView({ players }: SignallingSnapshot): readonly PlayerView[] {
  return players.map(({ playerId, subscribedTo }) => ({
    playerId,
    type: 'Player',
    subscribedTo: subscribedTo ?? null,
    remoteAddress: '',
  }));
}
