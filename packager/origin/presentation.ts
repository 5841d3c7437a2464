/**
 * What players are told, made of what an origin holds: pure functions of tracks, eras and the
 * archive. Leaves when it changes to liveBroadcast.ts, and its texts to packager/playlists.
 */
import { type Grid, gridStart } from '../../infra/kernel/grid.ts';
import { ticks } from '../../infra/kernel/time.ts';
import type { Broadcast, OriginStatus } from '../../infra/kernel/wire.ts';
import { targetDurationSeconds } from '../playlists/index.ts';
import type {
  DateRange,
  Presentation,
  SegmentEntry,
  TrackDescription,
  TrackWindow,
} from '../playlists/model.ts';
import type { LiveTrack } from './liveTrack.ts';
import { recordingStartMs } from './archive/sessionFile.ts';
import { segmentEntry, type StoredSegment } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';
import type { Archive, EraRecord, SegmentRecord } from './storage.ts';

/** How much is listed and kept, in segments. */
export type Depth = { readonly windowSegments: number; readonly ringSegments: number };

/** `live` is main.m3u8 and manifest.mpd; `dvr` the whole window that can be rewound to. */
export type View = 'live' | 'dvr';

/** What a presentation is made of. */
export type PresentationSource = {
  readonly broadcast: Broadcast;
  readonly depth: Depth;
  readonly view: View;
  /** How far back the DVR window reaches, in ms. */
  readonly dvrWindowMs: number;
  readonly archive: Archive | undefined;
  /** In ladder order. */
  readonly tracks: readonly LiveTrack[];
  readonly eras: readonly EraRecord[];
  /** Eras that are not shown yet: one of their tracks has nothing to show. */
  readonly hiddenEras: ReadonlySet<number>;
  /** First segment of this session: nothing older is listed. */
  readonly firstMsn: number;
  /** Newest segment that may have been listed before a restart; 0 where there was none. */
  readonly publishedMsn: number;
  readonly isEnded: boolean;
  /** Players were told of this session. */
  readonly isShown: boolean;
  dateRangesSince(oldestMs: number): readonly DateRange[];
};

// Without its sister tracks a track is not worth showing; past this many segments it is.
const ALONE_AFTER_SEGMENTS = 3;

/** See the file header; undefined until there is something to play. */
export function present(source: PresentationSource): Presentation | undefined {
  // A playlist needs a closed segment, and its sisters' newest part for the rendition reports.
  const { broadcast, depth, tracks, view } = source;
  const shown = tracks.filter((track) => closedSegments(track).length > 0);
  const { video, audio } = broadcast.ladder;
  const longest = Math.max(0, ...shown.map((track) => closedSegments(track).length));
  const isReady = shown.length === video.length + audio.length || source.isEnded || source.isShown;
  if (shown.length === 0 || (!isReady && longest < ALONE_AFTER_SEGMENTS)) {
    return undefined;
  }
  const windows = shown.flatMap((track) => windowOf(source, track) ?? []);
  if (windows.length === 0) {
    return undefined;
  }
  const listed = windows.flatMap(({ segments, open }) =>
    [segments[0], segments.at(-1), open].flatMap((segment) => segment?.msn ?? []),
  );
  const oldest = Math.min(...listed);
  const newest = Math.max(...listed);
  const windowMs = depth.windowSegments * broadcast.grid.segmentMs;
  // Delta updates name those that have left a while ago (rfc8216bis §6.2.5.1).
  const keptMs = 6000 * targetDurationSeconds(broadcast.grid);
  const dateRanges = source.dateRangesSince(oldest * broadcast.grid.segmentMs - keptMs);
  return {
    broadcastId: broadcast.id,
    grid: broadcast.grid,
    windows,
    windowMs: view === 'dvr' ? Math.max(windowMs, source.dvrWindowMs) : windowMs,
    eras: erasOf(source, oldest, newest),
    ...(view === 'dvr' ? { view } : {}),
    ...(source.isEnded ? { isEnded: true } : {}),
    ...(dateRanges.length === 0 ? {} : { dateRanges }),
  };
}

/** Eras between two segments; a hidden one only where there is nothing else to be shown. */
function erasOf(source: PresentationSource, oldest: number, newest: number): readonly EraRecord[] {
  const { eras, hiddenEras, view } = source;
  const reached = eras.filter(
    (era, index) => era.firstMsn <= newest && (eras[index + 1]?.firstMsn ?? Infinity) > oldest,
  );
  const ready = reached.filter(({ era }) => !hiddenEras.has(era));
  const shown = ready.length === 0 ? reached.slice(-1) : ready;
  return view === 'dvr' ? shown.map((era) => sinceSession(source, era)) : shown;
}

/**
 * The first era begins with the timeline; of what can be rewound to, with the session: a player
 * that is offered two hours by a broadcast five minutes old asks for what never was.
 */
function sinceSession({ archive, broadcast }: PresentationSource, era: EraRecord): EraRecord {
  const recording = archive?.session(broadcast.id)?.recording;
  const startMs = recording === undefined ? 0 : recordingStartMs(recording);
  const firstMsn = Math.floor(startMs / broadcast.grid.segmentMs);
  return { ...era, firstMsn: Math.max(era.firstMsn, firstMsn) };
}

/** Closed segments of the ring, oldest first. */
export function closedSegments(track: LiveTrack): readonly StoredSegment[] {
  const { segments, newest } = track.ring;
  return newest === undefined || newest.isClosed ? segments : segments.slice(0, -1);
}

function windowOf(source: PresentationSource, track: LiveTrack): TrackWindow | undefined {
  const { broadcast } = source;
  const description = describe(broadcast, track, track.newestHeader);
  if (description === undefined) {
    return undefined;
  }
  const headers = Array.from(track.headers);
  const initUris = new Map(headers.map(([era, { uri }]) => [era, uri]));
  const { newest } = track.ring;
  const segments = listed(source, track, initUris);
  return segments.length === 0
    ? undefined
    : {
        track: description,
        segments,
        open: newest === undefined || newest.isClosed ? undefined : segmentEntry(newest),
        initUris,
        tracksByEra: new Map(
          headers.map(([era, header]) => [era, describe(broadcast, track, header) ?? description]),
        ),
      };
}

/**
 * Closed segments of a track that the view lists, consecutive. What it began with before a restart is
 * not listed again, even where the newest segments had not reached the disk (rfc8216bis §6.2.2).
 */
function listed(
  source: PresentationSource,
  track: LiveTrack,
  initUris: Map<number, string>,
): SegmentEntry[] {
  const { broadcast, depth, view } = source;
  const { grid } = broadcast;
  const records = view === 'live' ? [] : (source.archive?.list(broadcast.id, track.name) ?? []);
  const count =
    view === 'live'
      ? depth.windowSegments
      : Math.max(depth.windowSegments, Math.ceil(source.dvrWindowMs / grid.segmentMs));
  const closed = closedSegments(track);
  const newestMsn = Math.max(closed.at(-1)?.msn ?? 0, source.publishedMsn);
  // The archive begins where all tracks have something; what is live is listed in any case.
  const common = Math.min(records[0]?.msn ?? 0, newestMsn - depth.windowSegments + 1);
  const oldest = Math.max(source.firstMsn, newestMsn - count + 1, common);
  const inRing = closed.filter(({ msn }) => msn >= oldest).map(segmentEntry);
  // A hole that was too long for the ring is told as the archive has it, now and later.
  const run = inRing.slice(inRing.findLastIndex(({ msn }, at) => msn - 1 !== inRing[at - 1]?.msn));
  const kept = archived(records, oldest, run[0]?.msn ?? 0, initUris);
  return consecutive(kept.length === 0 ? inRing : [...kept, ...run], grid, track.timescale);
}

/** What the archive has from segment `from` up to (not including) `to`. */
function archived(
  records: readonly SegmentRecord[],
  from: number,
  to: number,
  initUris: Map<number, string>,
): readonly SegmentEntry[] {
  // Records are consecutive: the place of a number is known.
  const first = records[0]?.msn ?? 0;
  const kept = records.slice(Math.max(0, from - first), Math.max(0, to - first));
  let era: number | undefined;
  for (const record of kept) {
    if (record.era !== era) {
      era = record.era;
      initUris.set(era, initUris.get(era) ?? record.initUri);
    }
  }
  return kept;
}

/** What is not there although its neighbours are is a gap: names count on. */
function consecutive(entries: SegmentEntry[], grid: Grid, timescale: number): SegmentEntry[] {
  const span = (entries.at(-1)?.msn ?? -1) - (entries[0]?.msn ?? 0) + 1;
  if (span === entries.length) {
    return entries;
  }
  const filled: SegmentEntry[] = [];
  for (const entry of entries) {
    for (
      let last = filled.at(-1);
      last !== undefined && last.msn + 1 < entry.msn;
      last = filled.at(-1)
    ) {
      const start = gridStart(grid, last.msn + 1, timescale);
      const duration = ticks(gridStart(grid, last.msn + 2, timescale) - start);
      filled.push({ msn: last.msn + 1, start, duration, isGap: true, parts: [], era: last.era });
    }
    filled.push(entry);
  }
  return filled;
}

/** A track as `header` has it. */
function describe(
  { ladder, grid }: Broadcast,
  track: LiveTrack,
  header: TrackHeader | undefined,
): TrackDescription | undefined {
  const rung = [...ladder.video, ...ladder.audio].find((one) => one.name === track.name);
  const init = header?.init;
  if (rung === undefined || init === undefined) {
    return undefined;
  }
  const { measured } = track.bandwidth;
  return {
    name: track.name,
    kind: init.kind,
    codecs: init.codecs,
    timescale: init.timescale,
    bitrateBps: rung.bitrateBps,
    ...(init.width === undefined ? {} : { width: init.width }),
    ...(init.height === undefined ? {} : { height: init.height }),
    ...(init.kind === 'video' ? { fps: grid.fps } : {}),
    ...(init.channels === undefined ? {} : { channels: init.channels }),
    ...(init.sampleRate === undefined ? {} : { sampleRate: init.sampleRate }),
    ...(measured === undefined ? {} : { measured }),
  };
}

/** What the control plane is told of a broadcast's tracks and storage. */
export function statusOf(
  source: Pick<PresentationSource, 'broadcast' | 'tracks' | 'archive' | 'isEnded' | 'isShown'>,
  nowMs: number,
): OriginStatus {
  const { archive, broadcast, tracks } = source;
  const newest = tracks.flatMap((track) => track.frontierMs ?? []);
  const newestMs = newest.length === 0 ? undefined : Math.min(...newest);
  const last = tracks.map((track) => closedSegments(track).at(-1)?.msn ?? -1);
  // Where players were told of the others, a track that joins has nothing to say yet.
  const lastMsn = Math.min(...last.filter((msn) => msn >= 0 || !source.isShown));
  const session = archive?.session(broadcast.id);
  const state = archive?.state();
  return {
    ...(lastMsn >= 0 && Number.isFinite(lastMsn) ? { lastMsn } : {}),
    ...(newestMs === undefined ? {} : { newestMs, publishDelayMs: Math.max(0, nowMs - newestMs) }),
    ...(source.isEnded ? { isEnded: true } : {}),
    ...(session === undefined ? {} : { recording: session.recording }),
    ...(state === undefined
      ? {}
      : { storage: { ...state, ...(session === undefined ? {} : { fromMs: session.fromMs }) } }),
    tracks: tracks.flatMap((track) => {
      const description = describe(broadcast, track, track.newestHeader);
      return description === undefined ? [] : [trackStatus(description)];
    }),
  };
}

function trackStatus(track: TrackDescription): OriginStatus['tracks'][number] {
  return {
    name: track.name,
    kind: track.kind,
    codec: track.codecs,
    bitrateBps: track.bitrateBps,
    ...(track.width === undefined ? {} : { width: track.width }),
    ...(track.height === undefined ? {} : { height: track.height }),
    ...(track.fps === undefined ? {} : { fps: track.fps }),
  };
}
