/**
 * Answers with init segments, segments and parts of a live broadcast: from the ring, then from the
 * archive; what grows or is hinted at is left to growingSegment.ts and the waiting room.
 */
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import { sendBody, sendError, sendNotFound } from './answers.ts';
import type { ArchivedBody } from './archivedBodies.ts';
import { Body } from './bodies.ts';
import type { Exchange } from './exchange.ts';
import { growsOrComesNext, streamSegment } from './growingSegment.ts';
import { answerOrHold } from './holding.ts';
import type { Route } from './route.ts';
import { type MediaDesk, segmentEndMs, type ServedTrack, type Show } from './show.ts';
import type { SegmentRecord } from './storage.ts';

type RouteOf<K extends Route['kind']> = Extract<Route, { kind: K }>;

/** Answers with a header file, also of an era that has left the ring. */
export function answerInit(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'init'>,
): void {
  const track = show.live.track(route.track);
  for (const header of track?.headers.values() ?? []) {
    if (header.uri === route.file) {
      sendBody(exchange, desk.headers.of(header, `${header.init.kind}Init`));
      return;
    }
  }
  sendArchivedInit(desk, exchange, route);
}

/** Answers with a segment: whole, as it grows, or from the archive. */
export function answerSegment(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'segment'>,
): void {
  const { msn } = route;
  const track = show.live.track(route.track);
  const segment = track?.ring.find(msn);
  if (track !== undefined && segment?.isClosed === true && segment.chunks.length > 0) {
    const endMs = segmentEndMs(show.live.broadcast.grid, msn);
    sendBody(exchange, desk.bodies.segment(segment, mediaKind(track), endMs));
  } else if (track !== undefined && growsOrComesNext(show, track, msn)) {
    streamSegment(desk, exchange, show, track, msn);
  } else if (segment === undefined) {
    answerArchivedSegment(desk, exchange, show, route);
  } else {
    sendNotFound(exchange);
  }
}

/** Answers with a part; the one that is hinted at is held until it is whole (rfc8216bis §6.2.6). */
export function answerPart(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'part'>,
): void {
  const track = show.live.track(route.track);
  if (track === undefined) {
    sendNotFound(exchange);
    return;
  }
  const endMs = segmentEndMs(show.live.broadcast.grid, route.msn);
  const ask = (): ((exchange: Exchange) => void) | undefined => {
    const segment = track.ring.find(route.msn);
    const part = segment?.parts[route.part];
    if (segment !== undefined && part !== undefined && !part.isGap) {
      const body = desk.bodies.part(segment, part, mediaKind(track), endMs);
      return (waiting) => {
        sendBody(waiting, body);
      };
    }
    if (isHinted(show, track, route)) {
      return undefined;
    }
    // A broadcast that has ended still lists its newest parts when the ring has let go of them.
    return segment === undefined
      ? (waiting) => {
          answerArchivedPart(desk, waiting, route, endMs);
        }
      : sendNotFound;
  };
  const name = `part ${route.msn}.${route.part}`;
  answerOrHold(desk, exchange, show, { track: route.track, name }, ask);
}

/** Answers with a header file of the archive. */
export function sendArchivedInit(
  desk: MediaDesk,
  exchange: Exchange,
  { broadcast, track, file }: RouteOf<'init'>,
): void {
  const kind = track.startsWith('v') ? 'videoInit' : 'audioInit';
  const body = desk.archived.get(
    `${broadcast}/${track}/${file}`,
    { kind, modifiedMs: undefined },
    () => desk.archive.readHeader(broadcast, track, file),
  );
  sendWhenRead(exchange, body);
}

/** Answers with a segment of the archive. */
export function sendArchivedSegment(
  desk: MediaDesk,
  exchange: Exchange,
  { broadcast, track, msn }: RouteOf<'segment'>,
  modifiedMs: number,
): void {
  const kind = track.startsWith('v') ? 'videoMedia' : 'audioMedia';
  const body = desk.archived.get(`${broadcast}/${track}/${msn}`, { kind, modifiedMs }, () =>
    desk.archive.read(broadcast, track, msn),
  );
  sendWhenRead(exchange, body);
}

function answerArchivedSegment(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  route: RouteOf<'segment'>,
): void {
  const records = desk.archive.list(route.broadcast, route.track);
  if (recordOf(records, route.msn) === undefined) {
    sendNotFound(exchange);
    return;
  }
  sendArchivedSegment(desk, exchange, route, segmentEndMs(show.live.broadcast.grid, route.msn));
}

/** A part as the bytes of its segment that it is, for as long as the archive knows of parts. */
function answerArchivedPart(
  desk: MediaDesk,
  exchange: Exchange,
  { broadcast, track, msn, part }: RouteOf<'part'>,
  modifiedMs: number,
): void {
  const parts = recordOf(desk.archive.list(broadcast, track), msn)?.parts ?? [];
  const { bytes: length = 0, isGap = true } = parts[part] ?? {};
  if (isGap || length === 0) {
    sendNotFound(exchange);
    return;
  }
  const offset = parts.slice(0, part).reduce((sum, { bytes }) => sum + bytes, 0);
  const kind = track.startsWith('v') ? 'videoMedia' : 'audioMedia';
  const body = desk.archived.get(`${broadcast}/${track}/${msn}.${part}`, { kind, modifiedMs }, () =>
    desk.archive.read(broadcast, track, msn, { offset, length }),
  );
  sendWhenRead(exchange, body);
}

/** Answers once the bytes are here; asking has no cost while they are in memory. */
function sendWhenRead(exchange: Exchange, reading: Promise<ArchivedBody>): void {
  void reading.then((body) => {
    if (body instanceof Body) {
      sendBody(exchange, body);
    } else if (body === 'busy') {
      sendError(exchange, 503, 'too many reads at once');
    } else {
      sendNotFound(exchange);
    }
  });
}

/** Records are consecutive, so the place of a number is known. */
function recordOf(records: readonly SegmentRecord[], msn: number): SegmentRecord | undefined {
  const record = records[msn - (records[0]?.msn ?? 0)];
  return record?.msn === msn ? record : undefined;
}

function isHinted(
  { live }: Show,
  track: ServedTrack,
  { msn, part }: { readonly msn: number; readonly part: number },
): boolean {
  const newest = track.ring.newest;
  if (newest === undefined || live.presentation()?.isEnded === true) {
    return false;
  }
  return newest.isClosed
    ? msn === newest.msn + 1 && part === 0
    : msn === newest.msn && part === newest.parts.length;
}

function mediaKind({ kind }: ServedTrack): ResourceKind {
  return `${kind}Media`;
}
