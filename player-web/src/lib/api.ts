/**
 * The gateway's REST API as the pages read it. Everything that comes in is parsed; a field that a
 * later gateway adds or leaves out breaks no page.
 */

import { asArray, asInstant, asNumber, asRecord, asText } from './parse.ts';
import { type PeerCommand, type PeerRow, peerRows } from './peers.ts';

/** State of a broadcast (architecture §5). */
export type BroadcastState = 'idle' | 'queued' | 'starting' | 'live' | 'interrupted' | 'ended';

/** One published track. */
export type Track = {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly codec: string | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly fps: number | undefined;
  readonly bitrateBps: number | undefined;
};

/** One thing to play in both formats. */
export type MediaUrls = { readonly hls: string; readonly dash: string };

/** What is being recorded of this run of a broadcast, or was of the last one. */
export type LatestRecording = {
  readonly id: string;
  /** Its URLs answer. */
  readonly isComplete: boolean;
};

/** A recording that is kept. */
export type Recording = {
  readonly id: string;
  /** First and last instant (Unix ms). */
  readonly fromMs: number;
  readonly toMs: number | undefined;
  readonly expiresMs: number | undefined;
  readonly urls: MediaUrls;
};

/** A broadcast as the API tells of it. */
export type Broadcast = {
  readonly id: string;
  readonly state: BroadcastState;
  /** Why, where the gateway knows more than the state says. */
  readonly reason: string | undefined;
  /** Media is published: while interrupted too, if a slate stands for the picture. */
  readonly isOnAir: boolean;
  readonly streamerId: string | undefined;
  readonly sourceKind: string | undefined;
  /** Since when the state holds (Unix ms). */
  readonly sinceMs: number | undefined;
  readonly tracks: readonly Track[];
  /** Which rungs are not encoded, and why. */
  readonly leftOut: string | undefined;
  readonly encoder: string | undefined;
  readonly urls: MediaUrls;
  /** The whole window that can be rewound to. */
  readonly windowUrls: MediaUrls;
  /** Oldest instant of it (Unix ms); undefined where nothing is kept. */
  readonly windowFromMs: number | undefined;
  /** Why what is kept is not what it should be: the disk is full, slow or fails. */
  readonly storageTrouble: string | undefined;
  readonly recording: LatestRecording | undefined;
  /** Somebody else encodes: there is no application to present. */
  readonly canPresent: boolean;
  /** Undefined where the gateway does not say. */
  readonly isPresenterConnected: boolean | undefined;
  readonly lastMsn: number | undefined;
  readonly publishDelayMs: number | undefined;
};

/** What a question to the API came to. */
export type Answer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreachable' };

const STATES: readonly string[] = ['idle', 'queued', 'starting', 'live', 'interrupted', 'ended'];
const TIMEOUT_MS = 5000;

/** `GET /api/v1/broadcasts`. */
export async function fetchBroadcasts(): Promise<Answer<readonly Broadcast[]>> {
  const answer = await fetchJson('/api/v1/broadcasts');
  if (answer.kind !== 'ok') {
    return answer;
  }
  const list = asRecord(answer.value)['broadcasts'];
  return { kind: 'ok', value: asArray(list).flatMap((item) => parseBroadcast(item) ?? []) };
}

/** `GET /api/v1/broadcasts/{id}`. */
export async function fetchBroadcast(id: string): Promise<Answer<Broadcast>> {
  const answer = await fetchJson(`/api/v1/broadcasts/${encodeURIComponent(id)}`);
  if (answer.kind !== 'ok') {
    return answer;
  }
  const value = parseBroadcast(answer.value);
  return value === undefined ? { kind: 'unreachable' } : { kind: 'ok', value };
}

/** Parses one broadcast; undefined where it is not one. */
export function parseBroadcast(input: unknown): Broadcast | undefined {
  const record = asRecord(input);
  const id = asText(record['id']);
  const state = asText(record['state']);
  if (id === undefined || !isState(state)) {
    return undefined;
  }
  const source = asRecord(record['source']);
  const urls = asRecord(record['urls']);
  const health = asRecord(record['health']);
  const storage = asRecord(record['storage']);
  return {
    id,
    state,
    reason: asText(record['reason']),
    isOnAir: state === 'live' || record['isOnAir'] === true,
    streamerId: asText(source['streamerId']),
    sourceKind: asText(source['kind']),
    sinceMs: asInstant(record['since']),
    tracks: asArray(record['tracks']).flatMap((track) => parseTrack(track) ?? []),
    leftOut: leftOutText(asRecord(record['leftOut'])),
    encoder: asText(record['encoder']),
    urls: {
      hls: asText(urls['hls']) ?? `/live/${id}/main.m3u8`,
      dash: asText(urls['dash']) ?? `/live/${id}/manifest.mpd`,
    },
    windowUrls: {
      hls: asText(urls['dvrHls']) ?? `/live/${id}/dvr.m3u8`,
      dash: asText(urls['dvrDash']) ?? `/live/${id}/dvr.mpd`,
    },
    windowFromMs: asNumber(storage['fromMs']),
    storageTrouble: asTrouble(storage),
    recording: parseLatestRecording(record['recording']),
    canPresent: urls['present'] !== null,
    isPresenterConnected: asPresence(record['presenter']),
    lastMsn: asNumber(health['lastMsn']),
    publishDelayMs: asNumber(health['publishDelayMs']),
  };
}

function leftOutText({ tracks, reason }: Record<string, unknown>): string | undefined {
  const names = asArray(tracks).flatMap((name) => asText(name) ?? []);
  const why = asText(reason);
  return names.length === 0
    ? undefined
    : `Without ${names.join(', ')}${why === undefined ? '' : `: ${why}`}`;
}

/** `GET /api/v1/broadcasts/{id}/recordings`, newest first. */
export async function fetchRecordings(id: string): Promise<Answer<readonly Recording[]>> {
  const answer = await fetchJson(`/api/v1/broadcasts/${encodeURIComponent(id)}/recordings`);
  if (answer.kind !== 'ok') {
    return answer;
  }
  const list = Array.isArray(answer.value)
    ? asArray(answer.value)
    : asArray(asRecord(answer.value)['recordings']);
  const recordings = list.flatMap((item) => parseRecording(id, item) ?? []);
  return { kind: 'ok', value: recordings.sort((a, b) => b.fromMs - a.fromMs) };
}

/** Who shows a token, or nobody. */
export type Bearer = string | undefined;

/** `POST /api/v1/broadcasts/{id}/stop` or `start`; what went wrong, undefined where nothing did. */
export function postCommand(
  id: string,
  command: 'stop' | 'start',
  bearer?: Bearer,
): Promise<string | undefined> {
  return change('POST', `/api/v1/broadcasts/${encodeURIComponent(id)}/${command}`, {}, bearer);
}

/** Players and who presents; `missing` where this page may not know. */
export async function fetchPeers(bearer?: Bearer): Promise<Answer<readonly PeerRow[]>> {
  const [streamers, players, seats] = await Promise.all(
    ['streamers', 'players', 'seats'].map((name) => fetchJson(`/api/v1/${name}`, bearer)),
  );
  if (streamers?.kind === 'ok' && players?.kind === 'ok' && seats?.kind === 'ok') {
    return {
      kind: 'ok',
      value: peerRows({ streamers: streamers.value, players: players.value, seats: seats.value }),
    };
  }
  return { kind: seats?.kind === 'missing' ? 'missing' : 'unreachable' };
}

/** Carries out what an operator wants of a player; what went wrong, undefined where nothing did. */
export function orderPeer(command: PeerCommand, bearer?: Bearer): Promise<string | undefined> {
  switch (command.kind) {
    case 'give': {
      const { streamerId, playerId } = command;
      return change('PUT', `/api/v1/seats/${encodeURIComponent(streamerId)}`, { playerId }, bearer);
    }
    case 'release':
      return change(
        'DELETE',
        `/api/v1/seats/${encodeURIComponent(command.streamerId)}`,
        undefined,
        bearer,
      );
    case 'disconnect':
      return change(
        'DELETE',
        `/api/v1/players/${encodeURIComponent(command.playerId)}`,
        undefined,
        bearer,
      );
  }
}

/** What a problem of the API (RFC 9457) says; the status where it says nothing. */
export function problemText(body: unknown, status: number): string {
  return asText(asRecord(body)['detail']) ?? `the gateway answered ${status}`;
}

/** Parses one recording of broadcast `broadcastId`; undefined where it is not one. */
export function parseRecording(broadcastId: string, input: unknown): Recording | undefined {
  const record = asRecord(input);
  const id = asText(record['id']);
  const fromMs = asInstant(record['from'] ?? record['fromMs']);
  if (id === undefined || fromMs === undefined) {
    return undefined;
  }
  const urls = asRecord(record['urls']);
  const base = `/vod/${broadcastId}/${id}`;
  return {
    id,
    fromMs,
    toMs: asInstant(record['to'] ?? record['toMs']),
    expiresMs: asInstant(record['expires'] ?? record['expiresMs']),
    urls: {
      hls: asText(urls['hls']) ?? `${base}/main.m3u8`,
      dash: asText(urls['dash']) ?? `${base}/manifest.mpd`,
    },
  };
}

/** The broadcast id in `/watch/{id}` or `/present/{id}`; undefined where there is none. */
export function broadcastIdInPath(pathname: string): string | undefined {
  return /^\/[a-z]+\/([a-z][a-z0-9_-]{0,63})\/?$/.exec(pathname)?.[1];
}

async function fetchJson(url: string, bearer?: Bearer): Promise<Answer<unknown>> {
  try {
    const response = await fetch(url, {
      cache: 'no-store',
      headers: { accept: 'application/json', ...authorization(bearer) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if ([401, 403, 404].includes(response.status)) {
      return { kind: 'missing' };
    }
    return response.ok
      ? { kind: 'ok', value: (await response.json()) as unknown }
      : { kind: 'unreachable' };
  } catch {
    return { kind: 'unreachable' };
  }
}

/** Asks for a change; what went wrong, undefined where nothing did. */
async function change(
  method: string,
  path: string,
  body: object | undefined,
  bearer: Bearer,
): Promise<string | undefined> {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...authorization(bearer),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok
      ? undefined
      : problemText(await response.json().catch(() => undefined), response.status);
  } catch {
    return 'the gateway does not answer';
  }
}

function authorization(bearer: Bearer): Readonly<Record<string, string>> {
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
}

function parseLatestRecording(input: unknown): LatestRecording | undefined {
  const record = asRecord(input);
  const id = asText(record['id']);
  return id === undefined ? undefined : { id, isComplete: record['isComplete'] === true };
}

function asTrouble(storage: Readonly<Record<string, unknown>>): string | undefined {
  const state = asText(storage['state']);
  return state === undefined || state === 'ok' || state === 'off'
    ? undefined
    : (asText(storage['reason']) ?? `storage is ${state}`);
}

function parseTrack(input: unknown): Track | undefined {
  const record = asRecord(input);
  const name = asText(record['name']);
  const kind = record['kind'];
  if (name === undefined || (kind !== 'video' && kind !== 'audio')) {
    return undefined;
  }
  return {
    name,
    kind,
    codec: asText(record['codec']),
    width: asNumber(record['width']),
    height: asNumber(record['height']),
    fps: asNumber(record['fps']),
    bitrateBps: asNumber(record['bitrate'] ?? record['bitrateBps']),
  };
}

function isState(value: string | undefined): value is BroadcastState {
  return value !== undefined && STATES.includes(value);
}

function asPresence(value: unknown): boolean | undefined {
  if (value === null) {
    return false;
  }
  const connected = asRecord(value)['connected'];
  return typeof connected === 'boolean' ? connected : undefined;
}
