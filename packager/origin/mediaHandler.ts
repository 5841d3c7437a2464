/**
 * Everything under /live, /vod and /time as a plain handler for node:http and node:http2 (express
 * costs eight times as much per media request): methods, bounds and dispatch. Reads the live
 * broadcasts and the archive, never changes them. delivery.md has the rules.
 */
import { sendError, sendNotFound, sendPreflight, sendText } from './answers.ts';
import { ArchivedBodies } from './archivedBodies.ts';
import { HeaderBodies, RingBodies } from './bodies.ts';
import type { Exchange } from './exchange.ts';
import { ALLOWED_METHODS } from './headers.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import { answerInit, answerPart, answerSegment } from './mediaAnswers.ts';
import type { MediaRequest, MediaResponse } from './mediaHttp.ts';
import { answerManifest, answerPlaylist } from './playlistAnswers.ts';
import { isMediaPath, parseRoute, type Route } from './route.ts';
import type { MediaDeps, MediaDesk, Show as ShowOf } from './show.ts';
import { noArchive } from './storage.ts';
import { Tally } from './tally.ts';
import { answerVod } from './vodAnswers.ts';

export { type Recorded, roomKey } from './show.ts';
export type { MediaRequest, MediaResponse } from './mediaHttp.ts';

/** A broadcast of this origin with what was rendered of it. */
export type Show = ShowOf<LiveBroadcast>;

const MAX_URL_LENGTH = 4096;

/** Makes the handler; it answers false where the path is not its own. */
export function createMediaHandler(
  deps: MediaDeps,
): (request: MediaRequest, response: MediaResponse) => boolean {
  const desk: MediaDesk = {
    ...deps,
    archive: deps.archive ?? noArchive,
    bodies: new RingBodies(),
    headers: new HeaderBodies(),
    archived: new ArchivedBodies(),
  };
  const tally = new Tally(deps.requests);
  const { drains } = deps.room;
  return (request, response) => {
    const url = request.url ?? '';
    const at = url.indexOf('?');
    const path = at < 0 ? url : url.slice(0, at);
    if (!isMediaPath(path)) {
      return false;
    }
    const isTooLong = url.length > MAX_URL_LENGTH;
    const route = isTooLong ? undefined : parseRoute(path);
    const exchange = { request, response, kind: route?.kind ?? 'none', tally, drains };
    if (request.method === 'OPTIONS') {
      sendPreflight(exchange);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendError(exchange, 405, 'only GET, HEAD and OPTIONS', ['Allow', ALLOWED_METHODS]);
    } else if (isTooLong) {
      // HTTP/2 knows no such header: its connection carries other requests too.
      const last = request.httpVersionMajor < 2 ? ['Connection', 'close'] : [];
      sendError(exchange, 414, 'the URL is too long', last);
    } else {
      answer(desk, exchange, route, at < 0 ? '' : url.slice(at + 1));
    }
    return true;
  };
}

function answer(
  desk: MediaDesk,
  exchange: Exchange,
  route: Route | undefined,
  query: string,
): void {
  if (route === undefined) {
    sendNotFound(exchange);
  } else if (route.kind === 'time') {
    sendText(exchange, 'time', new Date(desk.clock.nowMs()).toISOString());
  } else if (route.recording !== undefined) {
    const recorded = desk.recording?.(route.broadcast, route.recording);
    if (recorded === undefined || route.kind === 'part') {
      sendNotFound(exchange);
    } else {
      answerVod(desk, exchange, recorded, route);
    }
  } else {
    answerLive(desk, exchange, route, query);
  }
}

function answerLive(
  desk: MediaDesk,
  exchange: Exchange,
  route: Exclude<Route, { kind: 'time' }>,
  query: string,
): void {
  const show = desk.show(route.broadcast);
  if (show === undefined) {
    sendNotFound(exchange);
    return;
  }
  switch (route.kind) {
    case 'multivariant':
    case 'mpd':
      answerManifest(desk, exchange, show, route);
      break;
    case 'playlist':
    case 'iframes':
      answerPlaylist(desk, exchange, show, route, query);
      break;
    case 'init':
      answerInit(desk, exchange, show, route);
      break;
    case 'segment':
      answerSegment(desk, exchange, show, route);
      break;
    case 'part':
      answerPart(desk, exchange, show, route);
  }
}
