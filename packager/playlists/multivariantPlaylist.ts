/**
 * The multivariant playlist of a broadcast (rfc8216bis §4.4.6, Apple HLS authoring specification):
 * one variant per video rung with an audio rung apart, an audio-only variant per audio rung, and the
 * I-frame playlist of each video rung. Constant while the ladder, the encoder and what was measured stay.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import {
  attributeTag,
  type AttributeValue,
  decimal,
  enumerated,
  flag,
  integer,
  quoted,
  resolution,
} from './attributeList.ts';
import { averageBps, declaredBps, iframePeakBps, peakBps } from './bandwidth.ts';
import { hasIframes } from './iframePlaylist.ts';
import { mediaPlaylistName } from './mediaPlaylist.ts';
import type { Presentation, TrackDescription, TrackWindow } from './model.ts';

/** Average bit rate of the variant that stands first and is played first (Apple 1.32). */
const DEFAULT_VARIANT_BPS = 2_000_000;

/** Language of a broadcast that says none (BCP 47: undetermined); Apple 8.10 wants the attribute. */
const UNDETERMINED = 'und';

/** A rendition with the URI of its media playlist. */
type Rendition = TrackDescription & { readonly uri: string };

/**
 * Multivariant playlist; URIs are relative to it: `{track}/media.m3u8`, or `{track}/dvr.m3u8` in the
 * dvr view. Describes the newest era of each track. The caller answers once the init segment of
 * every track is known.
 */
export function renderMultivariant(presentation: Presentation): string {
  const uri = mediaPlaylistName(presentation);
  const tracks = presentation.windows.map((window): Rendition => {
    const track = newestDescription(window);
    return { ...track, uri: `${track.name}/${uri}` };
  });
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
    ...audio.map(media),
    ...video.flatMap((track) => variant(track, soundOf(track, video, audio), grid)),
    // Apple 9.21: a variant of at most 192 kbit/s.
    ...audio.flatMap((track) => variant(track, undefined, grid)),
    ...iframeVariants(presentation, video),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * EXT-X-MEDIA (rfc8216bis §4.4.6.1) of an audio rung: a group of its own, since the renditions of one
 * group are for the listener to choose from, and the one NAME in all groups is the same sound.
 */
function media(track: Rendition): string {
  return attributeTag('EXT-X-MEDIA', {
    TYPE: enumerated('AUDIO'),
    'GROUP-ID': quoted(track.name),
    NAME: quoted('Main'),
    LANGUAGE: quoted(UNDETERMINED),
    DEFAULT: flag(true),
    AUTOSELECT: flag(true),
    CHANNELS: track.channels === undefined ? undefined : quoted(String(track.channels)),
    URI: quoted(track.uri),
  });
}

/**
 * The audio rung that goes with a video rung: the best with the best, the others in even steps. One
 * each, since players tell variants by their video and step through all there are.
 */
function soundOf(
  track: Rendition,
  video: readonly Rendition[],
  audio: readonly Rendition[],
): Rendition | undefined {
  const rank = descending(video).indexOf(track);
  return descending(audio)[Math.floor((rank * audio.length) / video.length)];
}

/**
 * EXT-X-STREAM-INF (rfc8216bis §4.4.6.2) with its URI. BANDWIDTH and CODECS cover the rendition of
 * the audio group; CLOSED-CAPTIONS=NONE stands on all variants or on none.
 */
function variant(track: Rendition, sound: TrackDescription | undefined, grid: Grid): string[] {
  const parts = sound === undefined ? [track] : [track, sound];
  const sum = (bpsOf: (part: TrackDescription, grid: Grid) => number): number =>
    parts.reduce((bps, part) => bps + bpsOf(part, grid), 0);
  const { fps } = track;
  const group = sound ?? (track.kind === 'audio' ? track : undefined);
  return [
    attributeTag('EXT-X-STREAM-INF', {
      BANDWIDTH: integer(sum(peakBps)),
      'AVERAGE-BANDWIDTH': integer(sum(averageBps)),
      CODECS: quoted(parts.map(({ codecs }) => codecs).join(',')),
      RESOLUTION: resolutionOf(track),
      'FRAME-RATE': fps === undefined ? undefined : decimal(fps.toFixed(3)),
      AUDIO: group === undefined ? undefined : quoted(group.name),
      'CLOSED-CAPTIONS': enumerated('NONE'),
    }),
    track.uri,
  ];
}

/**
 * EXT-X-I-FRAME-STREAM-INF (rfc8216bis §4.4.6.3, Apple 6.1) of each video rung, once pictures are
 * known. Not in the dvr view: the pictures that are listed are those of the live window.
 */
function iframeVariants(presentation: Presentation, video: readonly Rendition[]): string[] {
  const { grid, view, windows } = presentation;
  const pictured = windows.filter(hasIframes).map(({ track }) => track.name);
  return view === 'dvr'
    ? []
    : video
        .filter(({ name }) => pictured.includes(name))
        .map((track) =>
          attributeTag('EXT-X-I-FRAME-STREAM-INF', {
            BANDWIDTH: integer(iframePeakBps(track, grid)),
            CODECS: quoted(track.codecs),
            RESOLUTION: resolutionOf(track),
            URI: quoted(`${track.name}/iframes.m3u8`),
          }),
        );
}

/**
 * Highest first, but the rung nearest to 2 Mbit/s before all (Apple 1.32): by the configured rates,
 * so that the order stays when rates are measured.
 */
function defaultFirst(video: readonly Rendition[], grid: Grid): Rendition[] {
  const distance = (track: TrackDescription): number =>
    Math.abs(declaredBps(track, grid) - DEFAULT_VARIANT_BPS);
  const ordered = descending(video);
  const first = ordered.toSorted((a, b) => distance(a) - distance(b)).slice(0, 1);
  return [...first, ...ordered.filter((track) => !first.includes(track))];
}

/** By the configured rates. */
function descending(tracks: readonly Rendition[]): Rendition[] {
  return tracks.toSorted((a, b) => b.bitrateBps - a.bitrateBps);
}

function resolutionOf({ width, height }: TrackDescription): AttributeValue | undefined {
  return width === undefined || height === undefined ? undefined : resolution(width, height);
}

function newestDescription(window: TrackWindow): TrackDescription {
  const newestEra = Math.max(...window.initUris.keys());
  const { measured } = window.track;
  const newest = window.tracksByEra?.get(newestEra) ?? window.track;
  return measured === undefined ? newest : { measured, ...newest };
}
