/**
 * The port between the watch session and a player library. An engine loads, decodes and adapts; it
 * reports faults and leaves every retry to the session (recovery.ts).
 */
import type { FaultKind } from './recovery.ts';

/** Which player plays. */
export type EngineKind = 'hls' | 'dash' | 'native';

/** One rung of the ladder as the player sees it. */
export type Level = {
  /** Track name: `v720`. */
  readonly name: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly bitrateBps: number | undefined;
};

/** A track name, or the player's own choice. */
export type LevelChoice = string;

/** The choice that leaves the level to the player. */
export const AUTO: LevelChoice = 'auto';

/** What is played: the live edge, the whole window that can be rewound to, or a recording. */
export type SourceKind = 'live' | 'window' | 'recording';

/** One thing to play in both formats. */
export type Urls = { readonly hls: string; readonly dash: string };

/** A span of the broadcast, by media time (Unix ms). */
export type Span = { readonly fromMs: number; readonly toMs: number };

/** What an engine tells its session. */
export interface EngineEvents {
  /** Something that the engine cannot mend itself. `isSoft`: playback may still go on. */
  onFault(fault: {
    readonly kind: FaultKind;
    readonly detail: string;
    readonly isSoft: boolean;
  }): void;
  /** The ladder is known or has changed. */
  onLevels(): void;
}

/** One player on one media element, from attach to destroy. */
export interface Engine {
  readonly kind: EngineKind;
  /** Whether it plays on by itself soon after a hole of seconds in the timeline. */
  readonly resumesItself: boolean;
  levels(): readonly Level[];
  /** Name of the level on the glass, where known. */
  currentLevel(): string | undefined;
  setLevel(choice: LevelChoice): void;
  /** UTC (Unix ms) of a position of the media element (s). */
  unixMsAt(positionS: number): number | undefined;
  /** What its playlist or manifest holds now; undefined before the first. */
  seekable(): Span | undefined;
  /** Goes to an instant of the broadcast (Unix ms). */
  seekTo(unixMs: number): void;
  /** Whether to keep to the live edge, or to play on at normal speed from wherever it is. */
  follow(isFollowing: boolean): void;
  /** The latency that the player steers to (ms). */
  targetMs(): number | undefined;
  /** Told the latency (ms) a few times per second: steers where the library does not. */
  steer(latencyMs: number): void;
  seekToLive(): void;
  /** Loads again after a network fault; false where only a rebuild can. */
  resumeLoading(): boolean;
  /** Resets the decoder after a media fault; false where only a rebuild can. */
  recoverMedia(): boolean;
  /** Goes back to the target of the manifest where stalls have raised it; false where none had. */
  relaxTarget(): boolean;
  /** The source was away and is back: what was learnt of the network meanwhile is wrong. */
  afterInterruption(): void;
  destroy(): void;
}

/** What an engine is started with. */
export type EngineOptions = {
  readonly video: HTMLVideoElement;
  readonly urls: Urls;
  readonly source: SourceKind;
  /** Where to start (Unix ms); the live edge, or the beginning of a recording, where undefined. */
  readonly startAtMs: number | undefined;
  /** UTC of the first frame of a recording (Unix ms). */
  readonly recordingFromMs: number | undefined;
  /** The choice to start with. */
  readonly level: LevelChoice;
  readonly events: EngineEvents;
};

/** Starts an engine; the library is fetched with it. */
export type StartEngine = (options: EngineOptions) => Engine;

/** Name of a rung where the manifest gives none. */
export function levelName(height: number | undefined, index: number): string {
  return height === undefined ? `level ${index + 1}` : `v${height}`;
}
