/**
 * What signalling shows of itself: a snapshot for the house, and Epic's REST shapes (Wilbur's
 * `/api/status`, `/api/streamers`, `/api/players`, `/api/config`) made of it. Pure. Leaves mounting
 * and access to the gateway. Addresses of peers stay in the snapshot: these paths are read without
 * a login; nor is there a secret in any of it.
 */
import type { Identity } from './admission.ts';
import { type Player, type Registry, type Seat, subscribersOf } from './registry.ts';
import { PROTOCOL_VERSION } from './roles/turn.ts';

/** Who is there; the gateway's own ingest is not in it. */
export type SignallingSnapshot = {
  readonly uptimeMs: number;
  /** Ours in order of arrival, then those of other replicas. */
  readonly streamers: readonly StreamerSnapshot[];
  readonly players: readonly PlayerSnapshot[];
};

/** A streamer; `subscribers` are player ids. `replica` names another replica that holds it. */
export type StreamerSnapshot = {
  readonly streamerId: string;
  readonly kind: 'streamer' | 'sfu';
  readonly streaming: boolean;
  readonly remoteAddress: string;
  readonly subscribers: readonly string[];
  readonly replica?: string;
};

/** A player; `subscribedTo` is a streamer's id. */
export type PlayerSnapshot = {
  readonly playerId: string;
  readonly kind: 'player' | 'sfu';
  readonly subscribedTo: string | undefined;
  readonly remoteAddress: string;
};

/** A seat as the API shows it. */
export type SeatView = {
  readonly streamerId: string;
  readonly playerId: string;
  readonly subject: string | null;
  readonly state: Seat['state'];
  readonly offeredTo: string | null;
  readonly waiting: readonly string[];
};

/** Who is connected and who presents, as the operator's API shows it. */
export type PeersView = {
  readonly players: readonly (Omit<PlayerSnapshot, 'subscribedTo'> & {
    readonly subscribedTo: string | null;
    readonly subject: string | null;
    readonly role: Identity['role'];
    /** Where its socket is, where there are replicas. */
    readonly replica?: string;
  })[];
  readonly seats: readonly SeatView[];
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
  readonly type: 'Player' | 'SFU';
  readonly subscribedTo: string | null;
  readonly remoteAddress: string;
};

/** An element of Wilbur's `GET /api/streamers`. */
export type StreamerView = {
  readonly streamerId: string;
  readonly type: 'Streamer' | 'SFU';
  readonly streaming: boolean;
  readonly remoteAddress: string;
  readonly subscribers: readonly PlayerView[];
};

/** The snapshot of a registry. */
export function snapshotOf(registry: Registry, uptimeMs: number): SignallingSnapshot {
  const streamers = [...registry.streamers.values()].map(
    ({ connection, streamerId, kind, isStreaming, remoteAddress }) => ({
      ...{ streamerId, kind, remoteAddress, streaming: isStreaming },
      subscribers: subscribersOf(registry, connection).flatMap((player) =>
        player.role === 'ingest' ? [] : [player.playerId],
      ),
    }),
  );
  const players = [...registry.players.values()].flatMap((player) =>
    player.role === 'ingest'
      ? []
      : [
          {
            playerId: player.playerId,
            kind: player.role,
            remoteAddress: player.remoteAddress,
            subscribedTo: subscriptionOf(registry, player),
          },
        ],
  );
  const elsewhere = [...registry.remoteStreamers].map(([streamerId, replica]) => ({
    ...{ streamerId, replica, kind: 'streamer' as const, streaming: true, remoteAddress: '' },
    subscribers: players.flatMap(({ playerId, subscribedTo }) =>
      subscribedTo === streamerId ? [playerId] : [],
    ),
  }));
  return { uptimeMs, streamers: [...streamers, ...elsewhere], players };
}

/** Players whose sockets are here, and every seat that is taken. @param replica where here is */
export function peersOf(registry: Registry, replica: string | undefined): PeersView {
  const place = replica === undefined ? {} : { replica };
  return {
    players: [...registry.players.values()].flatMap((player) =>
      player.role === 'ingest' || player.isStandIn
        ? []
        : [
            {
              ...{ playerId: player.playerId, kind: player.role, ...place },
              ...{ role: player.identity.role, subject: player.identity.subject ?? null },
              subscribedTo: subscriptionOf(registry, player) ?? null,
              remoteAddress: player.remoteAddress,
            },
          ],
    ),
    seats: [...registry.seats.values()].map(
      ({ streamerId, playerId, subject, state, offeredTo, waiting }) => ({
        ...{ streamerId, playerId, state, waiting },
        subject: subject ?? null,
        offeredTo: offeredTo ?? null,
      }),
    ),
  };
}

function subscriptionOf(registry: Registry, { remote, subscribedTo }: Player): string | undefined {
  return (
    remote?.streamerId ??
    (subscribedTo === undefined ? undefined : registry.streamers.get(subscribedTo)?.streamerId)
  );
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
  return snapshot.streamers.map(({ streamerId, kind, streaming, subscribers }) => ({
    streamerId,
    type: kind === 'sfu' ? 'SFU' : 'Streamer',
    streaming,
    remoteAddress: '',
    subscribers: players.filter((player) => subscribers.includes(player.playerId)),
  }));
}

/** `GET /api/players`; one of it by id is `GET /api/players/{id}`. */
export function playersView({ players }: SignallingSnapshot): readonly PlayerView[] {
  return players.map(({ playerId, kind, subscribedTo }) => ({
    playerId,
    type: kind === 'sfu' ? 'SFU' : 'Player',
    subscribedTo: subscribedTo ?? null,
    remoteAddress: '',
  }));
}

/** `GET /api/config`: what it may say. Wilbur's dumps TURN passwords and its HTTP server's insides. */
export function configView(config: {
  readonly streamers: { readonly port: number };
  readonly sfu: { readonly port: number } | undefined;
  readonly maxPlayers: number;
}): { readonly config: object; readonly protocolConfig: object } {
  return {
    config: {
      streamerPort: config.streamers.port,
      ...(config.sfu === undefined ? {} : { sfuPort: config.sfu.port }),
      maxSubscribers: config.maxPlayers,
    },
    protocolConfig: { protocolVersion: PROTOCOL_VERSION, peerConnectionOptions: {} },
  };
}
