/**
 * Everything under /live and /time as a plain node:http handler (express costs eight times as much
 * per media request). Reads the live broadcasts, never changes them. delivery.md has the rules.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import type { CounterMetric } from '../../infra/kernel/metrics.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import {
  renderMediaPlaylist,
  renderMpd,
  renderMultivariant,
  targetDurationSeconds,
} from '../playlists/index.ts';
import {
  ALLOWED_METHODS,
  headersOf,
  sendBytes,
  sendError,
  sendPreflight,
  sendRendering,
} from './answers.ts';
import { judge, parseDirectives } from './directives.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import type { LiveTrack } from './liveTrack.ts';
import type { Renderings } from './renderings.ts';
import { isMediaPath, parseRoute, type Route } from './route.ts';
import { partChunks, type StoredPart, type StoredSegment } from './segmentRing.ts';
import type { WaitingRoom } from './waitingRoom.ts';

/** A broadcast with what was rendered of it. */
export type Show = { readonly live: LiveBroadcast; readonly renderings: Renderings };

/** What the handler reads and counts with. */
export type MediaDeps = {
  readonly clock: Clock;
  readonly room: WaitingRoom;
  readonly requests: CounterMetric;
  readonly slowReaders: CounterMetric;
  readonly maxReaderBacklogBytes: number;
  show(broadcastId: string): Show | undefined;
};

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse };
type RouteOf<K extends Route['kind']> = Extract<Route, { kind: K }>;

const MAX_URL_LENGTH = 4096;
const HELD_TARGET_DURATIONS = 3;
const STALLED_MS = 30_000;

/** Makes the handler; it answers false where the path is not its own. */
export function createMediaHandler(
  deps: MediaDeps,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = request.url ?? '';
    const [path, query] = splitOnce(url, '?');
    if (!isMediaPath(path)) {
      return false;
    }
    const exchange = { request, response };
    const route = parseRoute(path);
    // A client that takes nothing of what waits for it is let go.
    response.setTimeout(STALLED_MS, () => response.destroy());
    response.once('finish', () => {
      deps.requests.add(1, { kind: route?.kind ?? 'none', status: String(response.statusCode) });
    });
    if (request.method === 'OPTIONS') {
      sendPreflight(response);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendError(request, response, 405, 'only GET, HEAD and OPTIONS', { Allow: ALLOWED_METHODS });
    } else if (url.length > MAX_URL_LENGTH) {
      sendError(request, response, 414, 'the URL is too long', { Connection: 'close' });
    } else {
      answer(deps, exchange, route, query);
    }
    return true;
  };
}

function answer(
  deps: MediaDeps,
  exchange: Exchange,
  route: Route | undefined,
  query: string,
): void {
  if (route?.kind === 'time') {
    sendTime(deps, exchange);
    return;
  }
  const show = route === undefined ? undefined : deps.show(route.broadcast);
  if (route === undefined || show === undefined) {
    sendNotFound(exchange);
    return;
  }
  switch (route.kind) {
    case 'multivariant':
      sendManifest(exchange, show, 'multivariantPlaylist');
      break;
    case 'mpd':
      sendManifest(exchange, show, 'mpd');
      break;
    case 'playlist':
      answerPlaylist(deps, exchange, show, route, query);
      break;
    case 'init':
      answerInit(exchange, show, route);
      break;
    case 'segment':
      answerSegment(deps, exchange, show, route);
      break;
    case 'part':
      answerPart(deps, exchange, show, route);
  }
}

function sendTime({ clock }: MediaDeps, { request, response }: Exchange): void {
  const body = new Date(clock.nowMs()).toISOString();
  response.writeHead(200, { ...headersOf('time'), 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function sendManifest(exchange: Exchange, show: Show, kind: 'multivariantPlaylist' | 'mpd'): void {
  const presentation = show.live.presentation();
  if (presentation === undefined) {
    sendNotFound(exchange);
    return;
  }
  const render = kind === 'mpd' ? renderMpd : renderMultivariant;
  const rendering = show.renderings.get(kind, show.live.version, () => render(presentation));
  sendRendering(exchange.request, exchange.response, kind, rendering);
}

function answerPlaylist(
  deps: MediaDeps,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'playlist'>,
  query: string,
): void {
  const directives = parseDirectives(query);
  if (typeof directives === 'string') {
    sendError(exchange.request, exchange.response, 400, directives);
    return;
  }
  const kind = directives.msn === undefined ? 'mediaPlaylist' : 'blockingPlaylist';
  const poll = (): 'done' | 'wait' => {
    const presentation = show.live.presentation();
    const window = presentation?.windows.find(({ track }) => track.name === route.track);
    if (presentation === undefined || window === undefined) {
      sendNotFound(exchange);
      return 'done';
    }
    switch (judge(directives, window, presentation.grid)) {
      case 'wait':
        return 'wait';
      case 'refuse':
        sendError(exchange.request, exchange.response, 400, 'too far ahead of the live edge');
        return 'done';
      case 'now': {
        const rendering = show.renderings.get(`track ${route.track}`, show.live.version, () =>
          renderMediaPlaylist(presentation, route.track),
        );
        sendRendering(exchange.request, exchange.response, kind, rendering);
        return 'done';
      }
    }
  };
  pollOrHold(deps, exchange, show, route.track, poll);
}

function answerInit(exchange: Exchange, show: Show, route: RouteOf<'init'>): void {
  const track = show.live.track(route.track);
  const header = [...(track?.headers.values() ?? [])].find(({ uri }) => uri === route.file);
  if (track === undefined || header === undefined) {
    sendNotFound(exchange);
    return;
  }
  sendBytes(exchange.request, exchange.response, `${track.kind}Init`, {
    slices: [header.bytes],
    etag: `"${header.uri.slice(5, 21)}"`,
  });
}

function answerPart(deps: MediaDeps, exchange: Exchange, show: Show, route: RouteOf<'part'>): void {
  const track = show.live.track(route.track);
  if (track === undefined) {
    sendNotFound(exchange);
    return;
  }
  const poll = (): 'done' | 'wait' => {
    const segment = track.ring.find(route.msn);
    const part = segment?.parts[route.part];
    if (segment !== undefined && part !== undefined && !part.isGap) {
      const slices = partChunks(segment, part);
      sendBytes(exchange.request, exchange.response, mediaKind(track), {
        slices,
        etag: etagOf(part, slices),
      });
      return 'done';
    }
    // Only the part that the playlist hints at is held (rfc8216bis §6.2.6).
    if (isNextPart(track, route)) {
      return 'wait';
    }
    sendNotFound(exchange);
    return 'done';
  };
  pollOrHold(deps, exchange, show, route.track, poll);
}

function isNextPart(track: LiveTrack, { msn, part }: { msn: number; part: number }): boolean {
  const newest = track.ring.newest;
  if (newest === undefined) {
    return false;
  }
  return newest.isClosed
    ? msn === newest.msn + 1 && part === 0
    : msn === newest.msn && part === newest.parts.length;
}

function answerSegment(
  deps: MediaDeps,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'segment'>,
): void {
  const track = show.live.track(route.track);
  const segment = track?.ring.find(route.msn);
  const newest = track?.ring.newest;
  if (track === undefined || newest === undefined) {
    sendNotFound(exchange);
  } else if (segment?.isClosed === true && segment.chunks.length > 0) {
    sendBytes(exchange.request, exchange.response, mediaKind(track), {
      slices: segment.chunks,
      etag: etagOf(segment, segment.chunks),
    });
  } else if (segment?.isClosed === false || route.msn === newest.msn + 1) {
    streamSegment(deps, exchange, show, track, route.msn);
  } else {
    sendNotFound(exchange);
  }
}

/** A segment that grows: headers at once, each chunk as it comes, an abort where it does not. */
function streamSegment(
  deps: MediaDeps,
  exchange: Exchange,
  show: Show,
  track: LiveTrack,
  msn: number,
): void {
  const { request, response } = exchange;
  if (deps.room.isFull) {
    sendError(request, response, 503, 'too many requests wait');
    return;
  }
  response.writeHead(200, headersOf(mediaKind(track)));
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  response.flushHeaders();
  let sent = 0;
  let segment: StoredSegment | undefined;
  const held = {
    response,
    wakes: 'chunk' as const,
    deadlineMs: deadline(deps, show),
    poll(): boolean {
      segment ??= track.ring.find(msn);
      const chunks = segment?.chunks.slice(sent) ?? [];
      chunks.forEach((bytes) => response.write(bytes));
      sent += chunks.length;
      if (chunks.length > 0) {
        held.deadlineMs = deadline(deps, show);
      }
      if (segment?.isClosed === true && sent > 0) {
        response.end();
        return true;
      }
      if (response.writableLength > deps.maxReaderBacklogBytes) {
        deps.slowReaders.add();
        response.destroy();
        return true;
      }
      return false;
    },
    expire(): void {
      // Half a segment must not look whole to a cache.
      response.destroy();
    },
  };
  if (!held.poll()) {
    deps.room.add(roomKey(show, track.name), held);
  }
}

function pollOrHold(
  deps: MediaDeps,
  exchange: Exchange,
  show: Show,
  trackName: string,
  poll: () => 'done' | 'wait',
): void {
  if (poll() === 'done') {
    return;
  }
  const expire = (): void => {
    sendError(exchange.request, exchange.response, 503, 'no new media');
  };
  const isHeld = deps.room.add(roomKey(show, trackName), {
    response: exchange.response,
    wakes: 'part',
    deadlineMs: deadline(deps, show),
    poll: () => poll() === 'done',
    expire,
  });
  if (!isHeld) {
    sendError(exchange.request, exchange.response, 503, 'too many requests wait');
  }
}

function deadline({ clock }: MediaDeps, show: Show): UnixMs {
  const targetMs = targetDurationSeconds(show.live.broadcast.grid) * 1000;
  return unixMs(clock.nowMs() + HELD_TARGET_DURATIONS * targetMs);
}

/** Where requests for a track wait. */
export function roomKey(show: Pick<Show, 'live'>, trackName: string): string {
  return `${show.live.broadcast.id}/${trackName}`;
}

function mediaKind(track: LiveTrack): ResourceKind {
  return `${track.kind}Media`;
}

/** Validator of bytes that are complete, made once for their `owner`. */
function etagOf(owner: StoredSegment | StoredPart, slices: readonly Uint8Array[]): string {
  if (owner.etag === undefined) {
    const hash = createHash('sha1');
    slices.forEach((slice) => hash.update(slice));
    owner.etag = `"${hash.digest('base64url')}"`;
  }
  return owner.etag;
}

function sendNotFound({ request, response }: Exchange): void {
  sendError(request, response, 404, 'not found');
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
