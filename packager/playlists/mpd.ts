/**
 * The MPD of a broadcast (ISO/IEC 23009-1): one Period per era, constant while only segments come
 * and go, static at the end. Pure text; elements are mpdElements.ts.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { formatIsoMs, rescale, ticks } from '../../infra/kernel/time.ts';
import { LIVE_WINDOW_MS } from './durations.ts';
import { isFinal, type Presentation, type TrackDescription, type TrackWindow } from './model.ts';
import {
  audioAdaptationSet,
  dynamicMpd,
  endedMpd,
  period,
  type PeriodSource,
  type RepresentationSource,
  staticMpd,
  videoAdaptationSet,
} from './mpdElements.ts';
import type { XmlElement } from './xml.ts';

/** An era with the first segment it ever had. */
type Era = Presentation['eras'][number];

/**
 * MPD; URIs are relative to it: `{track}/{msn}.m4s`. An era becomes a Period once every track has its
 * init segment: AdaptationSets of a Period never change. Three forms:
 *
 * - dynamic while the broadcast lives: presentation time is UTC, constant while only segments come.
 * - static once it has ended (M17): Periods, ids, numbers and presentation time stay as they were,
 *   since dash.js 5.2 goes on with the index of its last segment and with what it has buffered. A
 *   player that comes later would begin at the start of the first Period: it is sent to the recording.
 * - static for a recording (view `vod`): presentation time begins at 0 with the first listed segment.
 *
 * A gap needs no sign: the origin serves a filler for it. Throws RangeError where there is no era:
 * the schema wants a Period.
 */
export function renderMpd(presentation: Presentation): string {
  const { broadcastId, grid, view, windows, windowMs = LIVE_WINDOW_MS } = presentation;
  const eras = presentation.eras.filter(
    ({ era }, index) => index === 0 || isComplete(era, windows),
  );
  if (eras.length === 0) {
    throw new RangeError(`broadcast ${broadcastId} has no era to make a Period of`);
  }
  const starts = view === 'dvr' ? eras : eras.map(asPeriodStart);
  if (view === 'vod') {
    return text(recordingMpd(presentation, eras));
  }
  if (!isFinal(presentation)) {
    const periods = starts.map((start) => eraPeriod({ ...start, grid, form: 'dynamic' }, windows));
    return text(dynamicMpd(grid, windowMs, publishTime(grid, windowMs, starts), periods));
  }
  const { lastMsn, endMs } = endOf(presentation);
  const periods = starts.map((start, index) =>
    eraPeriod(
      { ...start, grid, form: 'ended', endNumber: lastOf(starts, index, lastMsn) },
      windows,
    ),
  );
  return text(endedMpd(grid, endMs, periods));
}

/** A recording: from the first segment that every track has to the last that every track has. */
function recordingMpd({ grid, windows, ...rest }: Presentation, eras: readonly Era[]): XmlElement {
  const firstMsn = Math.max(...windows.map(({ segments }) => segments[0]?.msn ?? 0));
  const { lastMsn, endMs } = endOf({ grid, windows, ...rest });
  const starts = eras
    .filter(
      (era, index) => (eras[index + 1]?.firstMsn ?? Infinity) > firstMsn && era.firstMsn <= lastMsn,
    )
    .map(({ era, firstMsn: first }) => ({ era, firstMsn: Math.max(first, firstMsn) }));
  const zeroMs = firstMsn * grid.segmentMs;
  const periods = starts.map((start, index) =>
    eraPeriod(
      { ...start, grid, form: 'recording', zeroMs, endNumber: lastOf(starts, index, lastMsn) },
      windows,
    ),
  );
  return staticMpd(grid, endMs - zeroMs, periods);
}

function text(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.join('\n')}\n`;
}

/** Last segment of the Period at `index`. */
function lastOf(starts: readonly Era[], index: number, lastMsn: number): number {
  const next = starts[index + 1];
  return next === undefined ? lastMsn : next.firstMsn - 1;
}

/**
 * The last segment that every track has, and the end of the longest of them in ms, at most the end
 * of its number: an AAC frame that begins before it and ends after it must not make players ask for
 * one segment more.
 */
function endOf({ grid, windows }: Presentation): {
  readonly lastMsn: number;
  readonly endMs: number;
} {
  const lastMsn = Math.min(...windows.map(({ segments }) => segments.at(-1)?.msn ?? 0));
  const ends = windows.flatMap(({ track, segments }) => {
    const last = segments.findLast(({ msn }) => msn === lastMsn);
    return last === undefined
      ? []
      : [rescale(last.start + last.duration, track.timescale, 1000, 'ceil')];
  });
  return { lastMsn, endMs: Math.min((lastMsn + 1) * grid.segmentMs, Math.max(...ends)) };
}

function isComplete(era: number, windows: readonly TrackWindow[]): boolean {
  return windows.every(({ initUris }) => initUris.has(era));
}

/**
 * Era 0 starts with the timeline, not with its first segment: an origin that starts later, or again,
 * renders the same Period. A later era starts at the segment that the init changed with. What can be
 * rewound to (view `dvr`) begins where the session did: its eras say so themselves.
 */
function asPeriodStart({ era, firstMsn }: Era): Era {
  return { era, firstMsn: era === 0 ? 0 : firstMsn };
}

/** Period of one era, with the tracks that have an init segment in it. */
function eraPeriod(source: PeriodSource, windows: readonly TrackWindow[]): XmlElement {
  const video = representations(source.era, windows, 'video');
  const audio = representations(source.era, windows, 'audio');
  return period(source, [
    ...byCodec(video).map((set, index) => videoAdaptationSet(source, set, index)),
    ...(audio.length === 0 ? [] : [audioAdaptationSet(source, audio)]),
  ]);
}

/** Nobody switches from one codec to another without a new decoder: each has a set of its own. */
function byCodec(video: readonly RepresentationSource[]): readonly RepresentationSource[][] {
  const codecOf = ({ track }: RepresentationSource): string => track.codecs.split('.')[0] ?? '';
  return [...Map.groupBy(video, codecOf).values()];
}

function representations(
  era: number,
  windows: readonly TrackWindow[],
  kind: TrackDescription['kind'],
): RepresentationSource[] {
  return windows.flatMap((window) => {
    const initUri = window.initUris.get(era);
    const track = window.tracksByEra?.get(era) ?? window.track;
    return initUri === undefined || track.kind !== kind ? [] : [{ track, initUri }];
  });
}

/**
 * MPD@publishTime: the newer of the start of the newest Period and the instant the Period before
 * the oldest left the window, so it changes with the content and never by itself. The epoch for
 * era 0: ffmpeg 5.1 takes a later one for the live edge when availabilityStartTime is the epoch.
 */
function publishTime(grid: Grid, windowMs: number, eras: readonly Era[]): string {
  const newestStartMs = (eras.at(-1)?.firstMsn ?? 0) * grid.segmentMs;
  const oldestStartMs = (eras[0]?.firstMsn ?? 0) * grid.segmentMs;
  const lastDropMs = oldestStartMs === 0 ? 0 : oldestStartMs + windowMs;
  return formatIsoMs(ticks(Math.max(newestStartMs, lastDropMs)), 1000);
}
