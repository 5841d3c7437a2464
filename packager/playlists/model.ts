/**
 * The one model that both texts are rendered from: what an origin holds of a broadcast. Pure data;
 * the origin builds it, renderMediaPlaylist, renderMultivariant and renderMpd read it.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import type { Ticks } from '../../infra/kernel/time.ts';

/** A track as players are told of it. */
export type TrackDescription = {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  /** RFC 6381, from the init segment: `avc1.4D401F`, `mp4a.40.2`. */
  readonly codecs: string;
  readonly timescale: number;
  /** Declared average (bit/s); the encoder is constant bitrate. */
  readonly bitrateBps: number;
  readonly width?: number;
  readonly height?: number;
  readonly fps?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  /** Measured over what is listed, container included; `bitrateBps` decides until it is known. */
  readonly measured?: {
    readonly peakBps: number;
    readonly averageBps: number;
    /** Largest first picture of a segment over the segment's duration: BANDWIDTH of I-frames. */
    readonly iframePeakBps?: number;
  };
};

/** Bytes `offset` to `offset + length - 1` of a resource. */
export type ByteRange = { readonly offset: number; readonly length: number };

/** A published part. */
export type PartEntry = {
  /** From 0 inside its segment. */
  readonly index: number;
  readonly duration: Ticks;
  readonly isIndependent: boolean;
  /** No bytes exist: GAP=YES. */
  readonly isGap: boolean;
};

/** A segment; closed ones have their final duration. */
export type SegmentEntry = {
  readonly msn: number;
  /** Decode time of the first sample, or the grid instant where the segment is a gap. */
  readonly start: Ticks;
  /** Sum of the parts for a closed segment; a cut-short one keeps its full grid duration. */
  readonly duration: Ticks;
  /** Nothing of it exists: EXT-X-GAP. */
  readonly isGap: boolean;
  readonly parts: readonly PartEntry[];
  /** Counter of init changes (architecture §2); its init segment is `initUris.get(era)`. */
  readonly era: number;
  /** Length in bytes; of a closed segment that is not a gap. */
  readonly bytes?: number;
  /** From the segment's first byte to the end of its first sync sample: what an I-frame playlist lists. */
  readonly iframe?: ByteRange;
};

/**
 * What EXT-X-DATERANGE says (rfc8216bis §4.4.5.1). Never changed once listed, its id never used
 * again; kept 6 target durations longer than it maps to a listed segment (RECENTLY-REMOVED).
 */
export type DateRange = {
  readonly id: string;
  readonly class?: string;
  readonly startMs: number;
  readonly endMs?: number;
  readonly plannedDurationMs?: number;
  readonly isEndOnNext?: boolean;
  /** End of the listed media when it was first listed; its start where it is not said. */
  readonly listedMs?: number;
  /** `X-` attributes and SCTE35: name to value; a string is quoted, bytes are hexadecimal. */
  readonly attributes?: Readonly<Record<string, string | number | Uint8Array>>;
};

/** One track's live window. */
export type TrackWindow = {
  readonly track: TrackDescription;
  /** Closed segments, oldest first, consecutive msn. */
  readonly segments: readonly SegmentEntry[];
  /** The growing segment with the parts that are complete so far (may be none). */
  readonly open: SegmentEntry | undefined;
  /** File name of the init segment of each era that the window still lists: `init-{hash}.mp4`. */
  readonly initUris: ReadonlyMap<number, string>;
  /**
   * Description in an era where it differs from `track` (another encoder, another codec level): a
   * Period keeps its codecs for life (delivery.md M03). Absent: `track` holds for every era.
   */
  readonly tracksByEra?: ReadonlyMap<number, TrackDescription>;
};

/** Everything that is live of a broadcast. */
export type Presentation = {
  readonly broadcastId: string;
  readonly grid: Grid;
  readonly windows: readonly TrackWindow[];
  /** How far back the windows reach, in ms; 60 s (architecture §2) where it is not said. */
  readonly windowMs?: number;
  /**
   * Eras that the window still lists, oldest first: the Periods of the MPD. `firstMsn` is the first
   * segment the era ever had, also when it has left the window (Period@start never changes).
   */
  readonly eras: readonly { readonly era: number; readonly firstMsn: number }[];
  /**
   * `live` (main.m3u8, manifest.mpd), `dvr` (dvr.m3u8, dvr.mpd: the whole window, same media) or
   * `vod` (a finished recording). Absent: live.
   */
  readonly view?: 'live' | 'dvr' | 'vod';
  /** Nothing more will be listed: ENDLIST, a static MPD. */
  readonly isEnded?: boolean;
  /** Listed in every media playlist while they map to a listed segment, oldest first. */
  readonly dateRanges?: readonly DateRange[];
};

/** Nothing more will be listed: ENDLIST, no hints, directives ignored, a static MPD. */
export function isFinal({ isEnded, view }: Presentation): boolean {
  return isEnded === true || view === 'vod';
}

/**
 * Window of `trackName` with its first closed segment. Throws RangeError for an unknown track and
 * for one without a closed segment: the caller's mistakes.
 */
export function listedWindow(
  { windows }: Presentation,
  trackName: string,
): { readonly window: TrackWindow; readonly first: SegmentEntry } {
  const window = windows.find(({ track }) => track.name === trackName);
  const first = window?.segments[0];
  if (window === undefined || first === undefined) {
    throw new RangeError(`track ${trackName} has no closed segment to list`);
  }
  return { window, first };
}

/** Newest complete part of a window: what LAST-MSN and LAST-PART say. Undefined while empty. */
export function lastPartOf(
  window: TrackWindow,
): { readonly msn: number; readonly part: number } | undefined {
  const openPart = window.open?.parts.at(-1);
  if (window.open !== undefined && openPart !== undefined) {
    return { msn: window.open.msn, part: openPart.index };
  }
  const closed = window.segments.at(-1);
  return closed === undefined
    ? undefined
    : { msn: closed.msn, part: Math.max(0, closed.parts.length - 1) };
}
