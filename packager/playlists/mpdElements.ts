/**
 * Elements of the MPD (ISO/IEC 23009-1, 5th edition), one function each, children in the order of
 * the schema. What goes into them is decided by mpd.ts.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { gridTicks } from '../../infra/kernel/grid.ts';
import { formatIsoMs, ticks } from '../../infra/kernel/time.ts';
import { averageBps, declaredBps } from './bandwidth.ts';
import { formatMsAsSeconds, maxSegmentMs } from './durations.ts';
import type { TrackDescription } from './model.ts';
import { element, type XmlElement } from './xml.ts';

const AVAILABILITY_START_TIME = '1970-01-01T00:00:00Z';

const PROFILES = ['urn:mpeg:dash:profile:isoff-live:2011', 'urn:mpeg:dash:profile:cmaf:2019'];
const LOW_LATENCY_PROFILE = 'http://www.dashif.org/guidelines/low-latency-live-v5';

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
} & (
  | { readonly form: 'dynamic' }
  | { readonly form: 'ended'; readonly endNumber: number }
  /** `zeroMs`: the instant that is presentation time 0. */
  | { readonly form: 'recording'; readonly endNumber: number; readonly zeroMs: number }
);

/**
 * Dynamic MPD (§5.3.1.2). availabilityStartTime is the epoch, so that number and time are one. No
 * suggestedPresentationDelay: it would bind players without low latency to the target below.
 */
export function dynamicMpd(
  grid: Grid,
  windowMs: number,
  publishTime: string,
  periods: readonly XmlElement[],
): XmlElement {
  return element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: [...PROFILES, LOW_LATENCY_PROFILE].join(','),
      type: 'dynamic',
      availabilityStartTime: AVAILABILITY_START_TIME,
      publishTime,
      minimumUpdatePeriod: 'PT2S',
      minBufferTime: 'PT1S',
      timeShiftBufferDepth: duration(windowMs),
      maxSegmentDuration: duration(maxSegmentMs(grid)),
    },
    [serviceDescription(), ...periods, utcTiming(), leapSecondInformation()],
  );
}

/** The dynamic MPD once the broadcast has ended at `endMs`: static, the rest as it was. */
export function endedMpd(grid: Grid, endMs: number, periods: readonly XmlElement[]): XmlElement {
  return element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: PROFILES.join(','),
      type: 'static',
      availabilityStartTime: AVAILABILITY_START_TIME,
      publishTime: formatIsoMs(ticks(endMs), 1000),
      mediaPresentationDuration: duration(endMs),
      minBufferTime: 'PT1S',
      maxSegmentDuration: duration(maxSegmentMs(grid)),
    },
    [serviceDescription(), ...periods, utcTiming(), leapSecondInformation()],
  );
}

/** MPD of a recording of `durationMs`: no clock, nothing to be in time for. */
export function staticMpd(
  grid: Grid,
  durationMs: number,
  periods: readonly XmlElement[],
): XmlElement {
  return element(
    'MPD',
    {
      xmlns: 'urn:mpeg:dash:schema:mpd:2011',
      profiles: PROFILES.join(','),
      type: 'static',
      mediaPresentationDuration: duration(durationMs),
      minBufferTime: 'PT1S',
      maxSegmentDuration: duration(maxSegmentMs(grid)),
    },
    periods,
  );
}

/**
 * LeapSecondInformation (§5.13): 0, since availabilityStartTime and all times of the MPD count days
 * of 86400 s, as the clocks of players do.
 */
function leapSecondInformation(): XmlElement {
  return element('LeapSecondInformation', { availabilityStartLeapOffset: 0 });
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
  const zeroMs = source.form === 'recording' ? source.zeroMs : 0;
  const start = duration(source.firstMsn * source.grid.segmentMs - zeroMs);
  return element('Period', { id: `e${source.era}`, start }, adaptationSets);
}

/**
 * AdaptationSet (§5.3.3.2) of the video rungs of one codec: one switching set.
 *
 * @param index from 0, of the codecs of the ladder; ids go 1, 3, 4, since the sound's is 2
 */
export function videoAdaptationSet(
  source: PeriodSource,
  representations: readonly RepresentationSource[],
  index: number,
): XmlElement {
  const tracks = representations.map(({ track }) => track);
  return element(
    'AdaptationSet',
    {
      id: index === 0 ? 1 : index + 2,
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
      ...producerReferenceTime(index === 0 ? VIDEO_REFERENCE_ID : index + 2, source, tracks),
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
    element(
      'ProducerReferenceTime',
      { id, type: 'captured', wallClockTime, presentationTime },
      source.form === 'recording' ? [] : [utcTiming()],
    ),
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
      bandwidth: bandwidth(source, track),
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

/** Representation@bandwidth (§5.3.5.2): constant within a Period, so measured in recordings only. */
function bandwidth(source: PeriodSource, track: TrackDescription): number {
  return source.form === 'recording'
    ? averageBps(track, source.grid)
    : declaredBps(track, source.grid);
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
      bandwidth: bandwidth(source, track),
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
 * Resync (§5.3.13): type 0 says where CMAF chunks begin, type 1 where a decoder can start; each is
 * marked by the moof that a chunk begins with. `dT` is the longest distance between two, in ticks.
 */
function resync(type: 0 | 1, dT: number): XmlElement {
  return element('Resync', { type, dT, marker: true });
}

/**
 * SegmentTemplate (§5.3.9.4) with @duration: number n of the Period is Media Sequence Number
 * firstMsn + n. availabilityTimeOffset = D - C with availabilityTimeComplete false (Annex K.3)
 * switches low latency on in dash.js 5.2; static MPDs have neither. They name the last number: a
 * duration alone leaves it to the rounding of players.
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
    endNumber: source.form === 'dynamic' ? undefined : source.endNumber,
    presentationTimeOffset: firstMsn === 0 ? undefined : firstMsn * segmentTicks,
    ...(source.form === 'dynamic'
      ? {
          availabilityTimeOffset: formatMsAsSeconds(grid.segmentMs - grid.chunkMs),
          availabilityTimeComplete: false,
        }
      : {}),
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
