/** Answers with playlists and the MPD of a live broadcast: what view, now or after a hold. */
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import {
  renderIframePlaylist,
  renderMediaPlaylist,
  renderMpd,
  renderMultivariant,
} from '../playlists/index.ts';
import type { Presentation, TrackWindow } from '../playlists/model.ts';
import { sendError, sendNotFound, sendRendering } from './answers.ts';
import { awaitedName, type Directives, judge, parseDirectives } from './directives.ts';
import type { Exchange } from './exchange.ts';
import { answerOrHold } from './holding.ts';
import type { Rendering } from './renderings.ts';
import type { Route } from './route.ts';
import { isOver, type MediaDesk, type Show } from './show.ts';

type ManifestRoute = Extract<Route, { kind: 'multivariant' | 'mpd' }>;
type PlaylistRoute = Extract<Route, { kind: 'playlist' | 'iframes' }>;

const NO_DIRECTIVES: Directives = {};

/** Answers with the multivariant playlist or the MPD of a view. */
export function answerManifest(
  { clock }: Pick<MediaDesk, 'clock'>,
  exchange: Exchange,
  show: Show,
  route: ManifestRoute,
): void {
  const presentation = presentationOf(show, route);
  if (presentation === undefined) {
    sendNotFound(exchange);
    return;
  }
  const { kind, view } = route;
  const isPast = presentation.isEnded === true && isOver(show.live.endedMs, clock.nowMs());
  const name = `${kind} ${view}${isPast ? ' past' : ''}`;
  const rendering = show.renderings.get(name, show.live.version, () =>
    kind === 'mpd' ? renderMpd(timedFor(presentation, isPast)) : renderMultivariant(presentation),
  );
  sendRendering(exchange, manifestKind(route, presentation), rendering);
}

/**
 * dash.js 5.2 begins a static MPD at the start of its first Period. While the end is news that is
 * 1970, as it was while live, so that nobody is moved who plays; who comes afterwards gets the same
 * media under the same names on the timeline of a recording, which begins with what is listed.
 */
function timedFor(presentation: Presentation, isPast: boolean): Presentation {
  return isPast ? { ...presentation, view: 'vod' } : presentation;
}

/** Answers with a media or I-frame playlist, as its delivery directives ask (rfc8216bis §6.2.5). */
export function answerPlaylist(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  route: PlaylistRoute,
  query: string,
): void {
  const presentation = presentationOf(show, route);
  // Behind ENDLIST directives are not even read (§6.2.5.1, §6.2.5.2).
  const directives = presentation?.isEnded === true ? NO_DIRECTIVES : parseDirectives(query);
  if (typeof directives === 'string') {
    sendError(exchange, 400, directives);
    return;
  }
  const window = presentation && windowOf(presentation, route.track);
  const ask = (): ((exchange: Exchange) => void) | undefined => outcomeOf(show, route, directives);
  const what = window === undefined ? '' : awaitedName(directives, window);
  const name = `${route.kind} ${route.view} ${what}`;
  answerOrHold(desk, exchange, show, { track: route.track, name }, ask);
}

/** How all who ask the same are answered in the present state; undefined: they wait. */
function outcomeOf(
  show: Show,
  route: PlaylistRoute,
  directives: Directives,
): ((exchange: Exchange) => void) | undefined {
  const presentation = presentationOf(show, route);
  const window = presentation && windowOf(presentation, route.track);
  if (
    presentation === undefined ||
    window === undefined ||
    (route.kind === 'iframes' && window.track.kind !== 'video')
  ) {
    return sendNotFound;
  }
  const isEnded = presentation.isEnded === true;
  const judgement = isEnded ? 'now' : judge(directives, window, presentation.grid);
  if (judgement === 'wait') {
    return undefined;
  }
  if (judgement === 'refuse') {
    return (exchange) => {
      sendError(exchange, 400, 'too far ahead of the live edge');
    };
  }
  const rendering = render(show, presentation, route, isEnded ? undefined : directives.skip);
  const kind = playlistKind(route, directives, isEnded);
  return (exchange) => {
    sendRendering(exchange, kind, rendering);
  };
}

function render(
  show: Show,
  presentation: Presentation,
  { kind, view, track }: PlaylistRoute,
  skip: Directives['skip'],
): Rendering {
  return show.renderings.get(`${kind} ${view} ${track} ${skip ?? ''}`, show.live.version, () =>
    kind === 'iframes'
      ? renderIframePlaylist(presentation, track)
      : renderMediaPlaylist(presentation, track, skip === undefined ? {} : { skip }),
  );
}

function windowOf({ windows }: Presentation, trackName: string): TrackWindow | undefined {
  return windows.find(({ track }) => track.name === trackName);
}

function presentationOf(
  { live }: Show,
  { view }: ManifestRoute | PlaylistRoute,
): Presentation | undefined {
  return live.presentation(view === 'dvr' ? 'dvr' : 'live');
}

function manifestKind({ kind }: ManifestRoute, { isEnded }: Presentation): ResourceKind {
  return kind === 'mpd'
    ? isEnded === true
      ? 'endedMpd'
      : 'mpd'
    : isEnded === true
      ? 'endedPlaylist'
      : 'multivariantPlaylist';
}

function playlistKind(
  { kind, view }: PlaylistRoute,
  { msn }: Directives,
  isEnded: boolean,
): ResourceKind {
  if (isEnded) {
    return 'endedPlaylist';
  }
  if (msn !== undefined) {
    return 'blockingPlaylist';
  }
  return kind === 'iframes' ? 'iframePlaylist' : view === 'dvr' ? 'dvrPlaylist' : 'mediaPlaylist';
}
