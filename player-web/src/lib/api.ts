/**
 * The gateway's REST API as the pages read it. Everything that comes in is parsed; a field that a
 * later gateway adds or leaves out breaks no page.
 */

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

/** A broadcast as the API tells of it. */
export type Broadcast = {
  readonly id: string;
  readonly state: BroadcastState;
  /** Why, where the gateway knows more than the state says. */
  readonly reason: string | undefined;
  readonly streamerId: string | undefined;
  readonly sourceKind: string | undefined;
  /** Since when the state holds (Unix ms). */
  readonly sinceMs: number | undefined;
  readonly tracks: readonly Track[];
  readonly encoder: string | undefined;
  readonly urls: { readonly hls: string; readonly dash: string };
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
  return {
    id,
    state,
    reason: asText(record['reason']),
    streamerId: asText(source['streamerId']),
    sourceKind: asText(source['kind']),
    sinceMs: asInstant(record['since']),
    tracks: asArray(record['tracks']).flatMap((track) => parseTrack(track) ?? []),
    encoder: asText(record['encoder']),
    urls: {
      hls: asText(urls['hls']) ?? `/live/${id}/main.m3u8`,
      dash: asText(urls['dash']) ?? `/live/${id}/manifest.mpd`,
    },
    isPresenterConnected: asPresence(record['presenter']),
    lastMsn: asNumber(health['lastMsn']),
    publishDelayMs: asNumber(health['publishDelayMs']),
  };
}

/** The broadcast id in `/watch/{id}` or `/present/{id}`; undefined where there is none. */
export function broadcastIdInPath(pathname: string): string | undefined {
  return /^\/[a-z]+\/([a-z][a-z0-9_-]{0,63})\/?$/.exec(pathname)?.[1];
}

async function fetchJson(url: string): Promise<Answer<unknown>> {
  try {
    const response = await fetch(url, {
      cache: 'no-store',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 404) {
      return { kind: 'missing' };
    }
    return response.ok
      ? { kind: 'ok', value: (await response.json()) as unknown }
      : { kind: 'unreachable' };
  } catch {
    return { kind: 'unreachable' };
  }
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

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** An instant as Unix ms or ISO 8601 text. */
function asInstant(value: unknown): number | undefined {
  return typeof value === 'string' ? asNumber(Date.parse(value)) : asNumber(value);
}
