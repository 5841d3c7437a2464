/**
 * The MPD of a broadcast (ISO/IEC 23009-1): one Period per era, constant while only segments come
 * and go. Pure text; elements are mpdElements.ts.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { formatIsoMs, ticks } from '../../infra/kernel/time.ts';
import { LIVE_WINDOW_MS } from './durations.ts';
import type { Presentation, TrackDescription, TrackWindow } from './model.ts';
import {
  audioAdaptationSet,
  mpd,
  period,
  type PeriodSource,
  type RepresentationSource,
  videoAdaptationSet,
} from './mpdElements.ts';
import type { XmlElement } from './xml.ts';

/** An era with the instant its Period starts at. */
type Era = { readonly era: number; readonly firstMsn: number };

/**
 * Dynamic MPD; URIs are relative to it: `{track}/{msn}.m4s`. An era becomes a Period once every
 * track has its init segment: AdaptationSets of a Period never change. Throws RangeError where
 * there is no era: the schema wants a Period.
 */
export function renderMpd(presentation: Presentation): string {
  const { grid, windowMs = LIVE_WINDOW_MS } = presentation;
  const eras = presentation.eras
    .filter(({ era }, index) => index === 0 || isComplete(era, presentation.windows))
    .map(asPeriodStart);
  if (eras.length === 0) {
    throw new RangeError(`broadcast ${presentation.broadcastId} has no era to make a Period of`);
  }
  const periods = eras.map((era) => eraPeriod({ ...era, grid }, presentation.windows));
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    ...mpd(grid, windowMs, publishTime(grid, windowMs, eras), periods),
  ];
  return `${lines.join('\n')}\n`;
}

function isComplete(era: number, windows: readonly TrackWindow[]): boolean {
  return windows.every(({ initUris }) => initUris.has(era));
}

/**
 * Era 0 starts with the timeline, not with its first segment: an origin that starts later, or again,
 * renders the same Period. A later era starts at the segment that the init changed with.
 */
function asPeriodStart({ era, firstMsn }: Era): Era {
  return { era, firstMsn: era === 0 ? 0 : firstMsn };
}

/** Period of one era, with the tracks that have an init segment in it. */
function eraPeriod(source: PeriodSource, windows: readonly TrackWindow[]): XmlElement {
  const video = representations(source.era, windows, 'video');
  const audio = representations(source.era, windows, 'audio');
  return period(source, [
    ...(video.length === 0 ? [] : [videoAdaptationSet(source, video)]),
    ...(audio.length === 0 ? [] : [audioAdaptationSet(source, audio)]),
  ]);
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
