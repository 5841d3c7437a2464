/**
 * The multivariant playlist of a broadcast (rfc8216bis §4.4.6, Apple HLS authoring specification):
 * one variant per video rung with audio apart, and an audio-only variant. Constant while the ladder
 * and the encoder stay.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import {
  attributeTag,
  decimal,
  enumerated,
  flag,
  integer,
  quoted,
  resolution,
} from './attributeList.ts';
import { averageBps, peakBps } from './bandwidth.ts';
import type { Presentation, TrackDescription, TrackWindow } from './model.ts';

/** Average bit rate of the variant that stands first and is played first (Apple 1.32). */
const DEFAULT_VARIANT_BPS = 2_000_000;

const AUDIO_GROUP = 'audio';

/** Language of a broadcast that says none (BCP 47: undetermined); Apple 8.10 wants the attribute. */
const UNDETERMINED = 'und';

/**
 * Multivariant playlist; URIs are relative to it: `{track}/media.m3u8`. Describes the newest era of
 * each track. The caller answers once the init segment of every track is known.
 */
export function renderMultivariant(presentation: Presentation): string {
  const tracks = presentation.windows.map(newestDescription);
  const { grid } = presentation;
  const video = defaultFirst(
    tracks.filter(({ kind }) => kind === 'video'),
    grid,
  );
  const audio = tracks.filter(({ kind }) => kind === 'audio');
  const lines = [
    '#EXTM3U',
    // EXT-X-VERSION (rfc8216bis §8): nothing here needs more than the media playlists' EXT-X-MAP.
    '#EXT-X-VERSION:6',
    // EXT-X-INDEPENDENT-SEGMENTS (§4.4.2.1, Apple 9.11): every segment starts with an IDR.
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...audio.map((track, index) => media(track, index === 0)),
    ...video.flatMap((track) => variant(track, audio, grid)),
    // Apple 9.21: a variant of at most 192 kbit/s.
    ...audio.flatMap((track) => variant(track, [], grid)),
  ];
  return `${lines.join('\n')}\n`;
}

/** EXT-X-MEDIA (rfc8216bis §4.4.6.1) of one audio rendition; one DEFAULT in the group. */
function media(track: TrackDescription, isDefault: boolean): string {
  return attributeTag('EXT-X-MEDIA', {
    TYPE: enumerated('AUDIO'),
    'GROUP-ID': quoted(AUDIO_GROUP),
    NAME: quoted(isDefault ? 'Main' : track.name),
    LANGUAGE: quoted(UNDETERMINED),
    DEFAULT: flag(isDefault),
    AUTOSELECT: flag(true),
    CHANNELS: track.channels === undefined ? undefined : quoted(String(track.channels)),
    URI: quoted(playlistUri(track)),
  });
}

/**
 * EXT-X-STREAM-INF (rfc8216bis §4.4.6.2) with its URI. BANDWIDTH and CODECS cover the renditions of
 * the audio group; CLOSED-CAPTIONS=NONE stands on all variants or on none.
 */
function variant(
  track: TrackDescription,
  audio: readonly TrackDescription[],
  grid: Grid,
): string[] {
  const widest = Math.max(0, ...audio.map((each) => peakBps(each, grid)));
  const average = Math.max(0, ...audio.map((each) => averageBps(each, grid)));
  const codecs = [...new Set([track, ...audio].map((each) => each.codecs))];
  const { width, height, fps } = track;
  return [
    attributeTag('EXT-X-STREAM-INF', {
      BANDWIDTH: integer(peakBps(track, grid) + widest),
      'AVERAGE-BANDWIDTH': integer(averageBps(track, grid) + average),
      CODECS: quoted(codecs.join(',')),
      RESOLUTION:
        width === undefined || height === undefined ? undefined : resolution(width, height),
      'FRAME-RATE': fps === undefined ? undefined : decimal(fps.toFixed(3)),
      AUDIO: audio.length > 0 || track.kind === 'audio' ? quoted(AUDIO_GROUP) : undefined,
      'CLOSED-CAPTIONS': enumerated('NONE'),
    }),
    playlistUri(track),
  ];
}

/** Highest first, but the rung nearest to 2 Mbit/s before all (Apple 1.32). */
function defaultFirst(video: readonly TrackDescription[], grid: Grid): TrackDescription[] {
  const distance = (track: TrackDescription): number =>
    Math.abs(averageBps(track, grid) - DEFAULT_VARIANT_BPS);
  const descending = video.toSorted((a, b) => b.bitrateBps - a.bitrateBps);
  const first = descending.toSorted((a, b) => distance(a) - distance(b)).slice(0, 1);
  return [...first, ...descending.filter((track) => !first.includes(track))];
}

function newestDescription(window: TrackWindow): TrackDescription {
  const newestEra = Math.max(...window.initUris.keys());
  return window.tracksByEra?.get(newestEra) ?? window.track;
}

function playlistUri(track: TrackDescription): string {
  return `${track.name}/media.m3u8`;
}
