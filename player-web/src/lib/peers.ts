/**
 * Who is connected and who presents, as operators see it: the answers of `/api/v1/streamers`,
 * `/players` and `/seats` parsed, and made into rows. Pure.
 */
import { asArray, asRecord, asText } from './parse.ts';

/** What an operator may do to a row. */
export type PeerCommand =
  | { readonly kind: 'give'; readonly streamerId: string; readonly playerId: string }
  | { readonly kind: 'release'; readonly streamerId: string }
  | { readonly kind: 'disconnect'; readonly playerId: string };

/** A player, or one that is away and whose seat is kept. */
export type PeerRow = {
  readonly playerId: string;
  readonly who: string | undefined;
  readonly role: string;
  /** The streamer that it is subscribed to, or whose seat it wants. */
  readonly streamerId: string | undefined;
  readonly seat: 'presents' | 'away' | 'waits' | 'offered' | 'none';
  readonly commands: readonly PeerCommand[];
};

type Seat = {
  readonly streamerId: string;
  readonly playerId: string;
  readonly subject: string | undefined;
  readonly isAway: boolean;
  readonly offeredTo: string | undefined;
  readonly waiting: readonly string[];
};

/** The rows, holders of seats first. */
export function peerRows(answers: {
  readonly streamers: unknown;
  readonly players: unknown;
  readonly seats: unknown;
}): readonly PeerRow[] {
  const seats = asArray(asRecord(answers.seats)['seats']).flatMap(parseSeat);
  const streamerIds = asArray(asRecord(answers.streamers)['streamers']).flatMap((item) => {
    const { streamerId, kind, streaming } = asRecord(item);
    return typeof streamerId === 'string' && kind === 'streamer' && streaming === true
      ? [streamerId]
      : [];
  });
  const players = asArray(asRecord(answers.players)['players']).flatMap((item) => {
    const row = playerRow(item, seats, streamerIds);
    return row === undefined ? [] : [row];
  });
  const away = seats.flatMap((seat): PeerRow[] =>
    seat.isAway && !players.some(({ playerId }) => playerId === seat.playerId)
      ? [
          {
            ...{ playerId: seat.playerId, who: seat.subject, role: 'presenter', seat: 'away' },
            streamerId: seat.streamerId,
            commands: [release(seat)],
          },
        ]
      : [],
  );
  const order = ['presents', 'away', 'offered', 'waits', 'none'];
  return [...away, ...players].sort((a, b) => order.indexOf(a.seat) - order.indexOf(b.seat));
}

function playerRow(
  input: unknown,
  seats: readonly Seat[],
  streamerIds: readonly string[],
): PeerRow | undefined {
  const record = asRecord(input);
  const playerId = asText(record['playerId']);
  if (playerId === undefined || record['kind'] !== 'player') {
    return undefined;
  }
  const role = asText(record['role']) ?? 'presenter';
  const held = seats.find((seat) => seat.playerId === playerId);
  const wanted =
    seats.find(({ offeredTo }) => offeredTo === playerId) ??
    seats.find(({ waiting }) => waiting.includes(playerId));
  // Who has just been refused is subscribed to nothing; with one streamer there is no doubt.
  const only = streamerIds.length === 1 ? streamerIds[0] : undefined;
  const streamerId = (held ?? wanted)?.streamerId ?? asText(record['subscribedTo']);
  return {
    ...{ playerId, role, streamerId, who: asText(record['subject']) },
    seat: seatOf(held, wanted, playerId),
    commands: [
      ...(held === undefined ? give(role, streamerId ?? only, playerId) : [release(held)]),
      { kind: 'disconnect', playerId },
    ],
  };
}

function give(role: string, streamerId: string | undefined, playerId: string): PeerCommand[] {
  return streamerId !== undefined && (role === 'presenter' || role === 'operator')
    ? [{ kind: 'give', streamerId, playerId }]
    : [];
}

function release({ streamerId }: Seat): PeerCommand {
  return { kind: 'release', streamerId };
}

function seatOf(
  held: Seat | undefined,
  wanted: Seat | undefined,
  playerId: string,
): PeerRow['seat'] {
  if (held !== undefined) {
    return held.isAway ? 'away' : 'presents';
  }
  if (wanted === undefined) {
    return 'none';
  }
  return wanted.offeredTo === playerId ? 'offered' : 'waits';
}

function parseSeat(input: unknown): Seat[] {
  const record = asRecord(input);
  const streamerId = asText(record['streamerId']);
  const playerId = asText(record['playerId']);
  return streamerId === undefined || playerId === undefined
    ? []
    : [
        {
          ...{ streamerId, playerId, subject: asText(record['subject']) },
          isAway: record['state'] === 'grace',
          offeredTo: asText(record['offeredTo']),
          waiting: asArray(record['waiting']).filter((id) => typeof id === 'string'),
        },
      ];
}
