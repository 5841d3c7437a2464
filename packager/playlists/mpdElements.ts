/**
 * Elements of the MPD (ISO/IEC 23009-1, 5th edition), one function each, children in the order of
 * the schema. What goes into them is decided by mpd.ts.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { gridTicks } from '../../infra/kernel/grid.ts';
import { formatIsoMs, ticks } from '../../infra/kernel/time.ts';
import { averageBps } from './bandwidth.ts';
import { formatMsAsSeconds, maxSegmentMs } from './durations.ts';
import type { TrackDescription } from './model.ts';
import { element, type XmlElement } from './xml.ts';

const PROFILES = [
  'urn:mpeg:dash:profile:isoff-live:2011',
  'urn:mpeg:dash:profile:cmaf:2019',
  'http://www.dashif.org/guidelines/low-latency-live-v5',
].join(',');

/** ProducerReferenceTime@id that Latency@referenceId names. dash.js 5.2 takes 0 for none. */
const VIDEO_REFERENCE_ID = 1;
const AUDIO_REFERENCE_ID = 2;

/** A track of one Period with the file name of its init segment. */
export type RepresentationSource = {
  readonly track: TrackDescription;
  readonly initUri: string;
};

/** What is common to a Period. `firstMsn` 0 is the Period that starts with the timeline itself. */
export type PeriodSource = {
  readonly era: number;
  readonly firstMsn: number;
  readonly grid: Grid;
};

/**
 * MPD (§5.3.1.2). availabilityStartTime is the epoch, so that number and time are one. No
 * suggestedPresentationDelay: it would bind players without low latency to the target below.
 */
export function mpd(
  grid: Grid,
  windowMs: number,
  publishTime: string,
  periods: readonly XmlElement[],
): XmlElement {
  return element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: PROFILES,
      type: 'dynamic',
      availabilityStartTime: '1970-01-01T00:00:00Z',
      publishTime,
      minimumUpdatePeriod: 'PT2S',
      minBufferTime: 'PT1S',
      timeShiftBufferDepth: duration(windowMs),
      maxSegmentDuration: duration(maxSegmentMs(grid)),
    },
    [serviceDescription(), ...periods, utcTiming()],
  );
}

/**
 * ServiceDescription (Annex K.4) without Scope, so for every client; dash.js 5.2 drops any Scope but
 * DVB's. Latency in ms: dash.js seeks where it is over max + 500 and else changes the rate.
 */
function serviceDescription(): XmlElement {
  return element('ServiceDescription', { id: 0 }, [
    element('Latency', { referenceId: VIDEO_REFERENCE_ID, target: 1000, max: 3000, min: 500 }),
    element('PlaybackRate', { max: 1.1, min: 0.9 }),
  ]);
}

/** UTCTiming (§5.8.4.11): ISO 8601 text with ms from the origin's own clock; dash.js resolves it against the MPD. */
function utcTiming(): XmlElement {
  return element('UTCTiming', { schemeIdUri: 'urn:mpeg:dash:utc:http-iso:2014', value: '/time' });
}

/**
 * Period (§5.3.2.2): open at its end, closed by the start of the next. No period-continuity is
 * signalled: an era has another init segment, which §5.3.2.4 rules out.
 */
export function period(source: PeriodSource, adaptationSets: readonly XmlElement[]): XmlElement {
  const start = duration(source.firstMsn * source.grid.segmentMs);
  return element('Period', { id: `e${source.era}`, start }, adaptationSets);
}

/** AdaptationSet (§5.3.3.2) of all video rungs: one switching set. */
export function videoAdaptationSet(
  source: PeriodSource,
  representations: readonly RepresentationSource[],
): XmlElement {
  const tracks = representations.map(({ track }) => track);
  return element(
    'AdaptationSet',
    {
      id: 1,
      contentType: 'video',
      mimeType: 'video/mp4',
      containerProfiles: 'cmfc',
      segmentAlignment: true,
      startWithSAP: 1,
      maxWidth: largest(tracks.map(({ width }) => width)),
      maxHeight: largest(tracks.map(({ height }) => height)),
      maxFrameRate: largest(tracks.map(({ fps }) => fps)),
    },
    [
      ...producerReferenceTime(VIDEO_REFERENCE_ID, source, tracks),
      role(),
      ...representations.map((each) => videoRepresentation(source, each)),
    ],
  );
}

/** AdaptationSet (§5.3.3.2) of the audio rungs. */
export function audioAdaptationSet(
  source: PeriodSource,
  representations: readonly RepresentationSource[],
): XmlElement {
  return element(
    'AdaptationSet',
    {
      id: 2,
      lang: 'und',
      contentType: 'audio',
      mimeType: 'audio/mp4',
      containerProfiles: 'cmfc',
      segmentAlignment: true,
      startWithSAP: 1,
    },
    [
      ...producerReferenceTime(
        AUDIO_REFERENCE_ID,
        source,
        representations.map(({ track }) => track),
      ),
      role(),
      ...representations.map((each) => audioRepresentation(source, each)),
    ],
  );
}

/** Role (§5.8.5.5): main, once per media type. */
function role(): XmlElement {
  return element('Role', { schemeIdUri: 'urn:mpeg:dash:role:2011', value: 'main' });
}

/**
 * ProducerReferenceTime (§5.12): media time is UTC, so the first instant of the Period is its own
 * wall-clock time, and it never changes.
 */
function producerReferenceTime(
  id: number,
  source: PeriodSource,
  tracks: readonly TrackDescription[],
): XmlElement[] {
  const [track] = tracks;
  if (track === undefined) {
    return [];
  }
  const presentationTime = ticks(
    source.firstMsn * gridTicks(source.grid.segmentMs, track.timescale),
  );
  const wallClockTime = formatIsoMs(presentationTime, track.timescale);
  return [
    element('ProducerReferenceTime', { id, type: 'captured', wallClockTime, presentationTime }, [
      utcTiming(),
    ]),
  ];
}

function videoRepresentation(
  source: PeriodSource,
  { track, initUri }: RepresentationSource,
): XmlElement {
  const { width, height, fps, timescale } = track;
  return element(
    'Representation',
    {
      id: track.name,
      bandwidth: averageBps(track, source.grid),
      codecs: track.codecs,
      width,
      height,
      frameRate: fps,
    },
    [
      resync(0, gridTicks(source.grid.chunkMs, timescale)),
      resync(1, gridTicks(source.grid.segmentMs, timescale)),
      segmentTemplate(source, track, initUri),
    ],
  );
}

function audioRepresentation(
  source: PeriodSource,
  { track, initUri }: RepresentationSource,
): XmlElement {
  const { channels, sampleRate } = track;
  return element(
    'Representation',
    {
      id: track.name,
      bandwidth: averageBps(track, source.grid),
      codecs: track.codecs,
      audioSamplingRate: sampleRate,
    },
    [
      ...(channels === undefined ? [] : [audioChannelConfiguration(channels)]),
      resync(1, audioChunkTicks(source.grid, track.timescale)),
      segmentTemplate(source, track, initUri),
    ],
  );
}

/** AudioChannelConfiguration (§5.8.5.4); stands before Resync, or the schema refuses it. */
function audioChannelConfiguration(channels: number): XmlElement {
  return element('AudioChannelConfiguration', {
    schemeIdUri: 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011',
    value: channels,
  });
}

/**
 * Resync (§5.3.13): type 0 says where CMAF chunks begin, type 1 where a decoder can start.
 * `dT` is the longest distance between two of them, in ticks.
 */
function resync(type: 0 | 1, dT: number): XmlElement {
  return element('Resync', { type, dT });
}

/**
 * SegmentTemplate (§5.3.9.4) with @duration: number n of the Period is Media Sequence Number
 * firstMsn + n. availabilityTimeOffset = D - C with availabilityTimeComplete false (Annex K.3)
 * switches low latency on in dash.js 5.2.
 */
function segmentTemplate(
  source: PeriodSource,
  track: TrackDescription,
  initUri: string,
): XmlElement {
  const { grid, firstMsn } = source;
  const segmentTicks = gridTicks(grid.segmentMs, track.timescale);
  return element('SegmentTemplate', {
    timescale: track.timescale,
    duration: segmentTicks,
    startNumber: firstMsn,
    presentationTimeOffset: firstMsn === 0 ? undefined : firstMsn * segmentTicks,
    availabilityTimeOffset: formatMsAsSeconds(grid.segmentMs - grid.chunkMs),
    availabilityTimeComplete: false,
    initialization: `$RepresentationID$/${initUri}`,
    media: '$RepresentationID$/$Number$.m4s',
  });
}

/** Longest audio chunk: the AAC frames that begin inside C, in ticks of 48 kHz. */
function audioChunkTicks(grid: Grid, timescale: number): number {
  return Math.ceil(gridTicks(grid.chunkMs, timescale) / 1024) * 1024;
}

/** xs:duration in seconds, no years or months (DASH-IF IOP §3.2.7.4): 2006 → `PT2.006S`. */
function duration(ms: number): string {
  return `PT${(ms / 1000).toFixed(3).replace(/\.?0+$/, '')}S`;
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
