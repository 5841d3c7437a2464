/** Answers with a finished recording: its playlists say all there is, its media is in the archive. */
import {
  renderIframePlaylist,
  renderMediaPlaylist,
  renderMpd,
  renderMultivariant,
} from '../playlists/index.ts';
import type { TrackWindow } from '../playlists/model.ts';
import { sendNotFound, sendRendering } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { sendArchivedInit, sendArchivedSegment } from './mediaAnswers.ts';
import type { Route } from './route.ts';
import { type MediaDesk, type Recorded, segmentEndMs } from './show.ts';

type VodRoute = Exclude<Route, { kind: 'time' | 'part' }>;
type TrackRoute = Exclude<VodRoute, { kind: 'multivariant' | 'mpd' }>;

// A recording has one state.
const VERSION = 0;

/** Answers a path under /vod; directives and other queries mean nothing there (rfc8216bis §6.2.5). */
export function answerVod(
  desk: MediaDesk,
  exchange: Exchange,
  recorded: Recorded,
  route: VodRoute,
): void {
  const { presentation, renderings } = recorded;
  switch (route.kind) {
    case 'multivariant':
      sendRendering(
        exchange,
        'vodPlaylist',
        renderings.get(route.kind, VERSION, () => renderMultivariant(presentation)),
      );
      break;
    case 'mpd':
      sendRendering(
        exchange,
        'vodMpd',
        renderings.get(route.kind, VERSION, () => renderMpd(presentation)),
      );
      break;
    case 'playlist':
    case 'iframes':
    case 'init':
    case 'segment':
      answerTrack(desk, exchange, recorded, route);
  }
}

function answerTrack(
  desk: MediaDesk,
  exchange: Exchange,
  { presentation, renderings }: Recorded,
  route: TrackRoute,
): void {
  const window = presentation.windows.find(({ track }) => track.name === route.track);
  if (window === undefined || !isListed(window, route)) {
    sendNotFound(exchange);
    return;
  }
  switch (route.kind) {
    case 'playlist':
    case 'iframes': {
      const render = route.kind === 'iframes' ? renderIframePlaylist : renderMediaPlaylist;
      const rendering = renderings.get(`${route.kind} ${route.track}`, VERSION, () =>
        render(presentation, route.track),
      );
      sendRendering(exchange, 'vodPlaylist', rendering);
      break;
    }
    case 'init':
      sendArchivedInit(desk, exchange, route);
      break;
    case 'segment':
      sendArchivedSegment(desk, exchange, route, segmentEndMs(presentation.grid, route.msn));
  }
}

/** What is on disk is served under a recording only if the recording is of it. */
function isListed({ track, segments, initUris }: TrackWindow, route: TrackRoute): boolean {
  switch (route.kind) {
    case 'playlist':
      return true;
    case 'iframes':
      return track.kind === 'video';
    case 'init':
      return [...initUris.values()].includes(route.file);
    case 'segment': {
      const first = segments[0]?.msn ?? 0;
      return segments[route.msn - first]?.msn === route.msn;
    }
  }
}
