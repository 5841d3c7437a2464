/**
 * How a streamer gets its id: at once where it is free, after a ping of the one that has it, and
 * after asking the other replicas. Ids are unique for real, unlike Wilbur's.
 */
import {
  type ConnectionId,
  type Registry,
  type Streamer,
  streamerById,
  subscribersOf,
  uniqueStreamerId,
  withStreamer,
} from '../registry.ts';
import { renameSeat } from './seats.ts';
import { ignore, notify, send, type Turn } from './turn.ts';

/** What a streamer is called that does not say: Wilbur's name for it. */
const NAMELESS = 'UnknownStreamer';

/** Closes a streamer whose id goes to another; given by step.ts, which knows what a close undoes. */
export type CloseStreamer = (turn: Turn, streamer: Streamer, code: number, reason: string) => void;

/** The id of a streamer that has not said one; it can be subscribed to by it, and is not listed. */
export function placeholderId(registry: Registry, self: ConnectionId): string {
  return uniqueStreamerId(registry, NAMELESS, self);
}

/** `endpointId`: the same request again, or the id that it has, changes nothing. */
export function requestId(turn: Turn, streamer: Streamer, wanted: string): void {
  const requestedId = wanted === '' ? NAMELESS : wanted;
  if (streamer.pending !== undefined) {
    change(turn, { ...streamer, pending: { ...streamer.pending, next: requestedId } });
    return;
  }
  const { streamerId, isStreaming } = streamer;
  if (isStreaming && (requestedId === streamer.requestedId || requestedId === streamerId)) {
    send(turn, streamer.connection, { type: 'endpointIdConfirm', committedId: streamerId });
    return;
  }
  const allowedIds = streamer.identity.streamerIds;
  if (allowedIds !== undefined && !allowedIds.includes(requestedId)) {
    refuse(turn, streamer, `The token does not allow the id ${requestedId}.`);
    return;
  }
  ask(turn, streamer, requestedId, false);
}

/** The streamer did not name itself in time: it is listed all the same, as Cirrus does. */
export function identifyTimedOut(turn: Turn, streamer: Streamer): void {
  if (!streamer.isStreaming && streamer.pending === undefined) {
    // One whose token allows a single id is that one.
    ask(turn, streamer, streamer.identity.streamerIds?.[0] ?? streamer.streamerId, true);
  }
}

/** The pinged holder of an id answered, or not: then it is gone and the id is free. */
export function probed(
  turn: Turn,
  holder: ConnectionId,
  isAlive: boolean,
  close: CloseStreamer,
): void {
  const streamer = turn.registry.streamers.get(holder);
  if (streamer !== undefined && !isAlive) {
    close(turn, streamer, 1008, 'Another streamer has taken over this id.');
  }
  for (const waiting of turn.registry.streamers.values()) {
    const { pending } = waiting;
    if (pending?.holder === holder) {
      const free = { ...pending, holder: undefined };
      claim(turn, waiting, free, freeId(turn, waiting, pending.requestedId));
    }
  }
}

/** The other replicas have answered: the id is ours, or someone there has it. */
export function claimed(
  turn: Turn,
  streamer: Streamer,
  streamerId: string,
  isGranted: boolean,
): void {
  const { pending } = streamer;
  if (pending === undefined) {
    if (isGranted) {
      turn.effects.push({ kind: 'unclaim', streamerId });
    }
  } else if (isGranted) {
    grant(turn, streamer, pending, streamerId);
  } else if (turn.rules.collision === 'reject') {
    refuse(turn, streamer, `Streamer id ${streamerId} is taken.`);
  } else {
    const next = uniqueStreamerId(turn.registry, pending.requestedId, streamer.connection);
    claim(turn, streamer, pending, next);
  }
}

function ask(turn: Turn, streamer: Streamer, requestedId: string, isSilent: boolean): void {
  const pending = { requestedId, isSilent, holder: undefined, next: undefined };
  const holder = streamerById(turn.registry, requestedId);
  const isFree = holder === undefined || holder.connection === streamer.connection;
  if (isFree || isSilent || !holder.isStreaming) {
    claim(turn, streamer, pending, freeId(turn, streamer, requestedId));
    return;
  }
  switch (turn.rules.collision) {
    case 'suffix':
      claim(turn, streamer, pending, freeId(turn, streamer, requestedId));
      return;
    case 'reject':
      refuse(turn, streamer, `Streamer id ${requestedId} is taken.`);
      return;
    case 'probe':
    case 'replace':
      // `replace` does not wait for the answer: the server reports the holder dead at once.
      change(turn, { ...streamer, pending: { ...pending, holder: holder.connection } });
      turn.effects.push({ kind: 'probe', connection: holder.connection });
  }
}

/**
 * The wanted id, or that with a number, whichever no named streamer here has. Whether one elsewhere
 * has it is asked when it is claimed; a nameless one that happens to go by it moves.
 */
function freeId(turn: Turn, streamer: Streamer, requestedId: string): string {
  const streamers = new Map([...turn.registry.streamers].filter(([, other]) => other.isStreaming));
  const named = { ...turn.registry, streamers, remoteStreamers: new Map<string, string>() };
  return uniqueStreamerId(named, requestedId, streamer.connection);
}

function claim(
  turn: Turn,
  streamer: Streamer,
  pending: NonNullable<Streamer['pending']>,
  id: string,
): void {
  if (streamer.identity.streamerIds?.includes(id) === false) {
    refuse(turn, streamer, `Streamer id ${pending.requestedId} is taken.`);
    return;
  }
  if (turn.rules.isReplicated) {
    change(turn, { ...streamer, pending });
    turn.effects.push({ kind: 'claim', connection: streamer.connection, streamerId: id });
  } else {
    grant(turn, streamer, pending, id);
  }
}

function grant(
  turn: Turn,
  streamer: Streamer,
  { requestedId, isSilent, next }: NonNullable<Streamer['pending']>,
  streamerId: string,
): void {
  // Someone without a name may go by this one; it moves, for this one was asked for.
  const nameless = streamerById(turn.registry, streamerId);
  if (nameless !== undefined && nameless.connection !== streamer.connection) {
    change(turn, { ...nameless, streamerId: placeholderId(turn.registry, streamer.connection) });
  }
  const named = { ...streamer, streamerId, requestedId, isStreaming: true, pending: undefined };
  change(turn, named);
  if (!isSilent) {
    send(turn, streamer.connection, { type: 'endpointIdConfirm', committedId: streamerId });
  }
  announce(turn, streamer, streamerId);
  if (next !== undefined) {
    requestId(turn, named, next);
  }
}

/** Tells everyone whom a new id concerns; `before` is the streamer as it was. */
function announce(turn: Turn, before: Streamer, streamerId: string): void {
  const isRenamed = before.streamerId !== streamerId;
  if (isRenamed) {
    for (const player of subscribersOf(turn.registry, before.connection)) {
      send(turn, player.connection, { type: 'streamerIdChanged', newID: streamerId });
    }
    if (before.isStreaming) {
      notify(turn, { kind: 'streamerRenamed', from: before.streamerId, to: streamerId });
      if (turn.rules.isReplicated) {
        turn.effects.push({ kind: 'unclaim', streamerId: before.streamerId });
      }
    }
    renameSeat(turn, before.streamerId, streamerId);
  }
  if (isRenamed || !before.isStreaming) {
    notify(turn, { kind: 'streamerIdentified', streamerId });
  }
}

function refuse(turn: Turn, { connection }: Streamer, reason: string): void {
  ignore(turn, connection, 'invalid', reason);
  turn.effects.push({ kind: 'close', connection, code: 1008, reason });
}

function change(turn: Turn, streamer: Streamer): void {
  turn.registry = withStreamer(turn.registry, streamer);
}
