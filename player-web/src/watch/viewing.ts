/** What the page reads of a session and asks of it: the port between session.ts and its views. */
import type { BroadcastState } from '../lib/api.ts';
import type { EngineKind, Level, LevelChoice, SourceKind, Span, Urls } from './engine.ts';

/** What is measured of a session; the shape of `window.grandstand.stats()`. */
export type SessionStats = {
  readonly player: EngineKind;
  /** Glass to glass, of the newest frame shown (ms). */
  readonly latencyMs: number | undefined;
  /** The same, middle of the last second: what the page shows (ms). */
  readonly smoothLatencyMs: number | undefined;
  readonly targetMs: number | undefined;
  readonly bufferS: number;
  /** Name of the level on the glass. */
  readonly level: string | undefined;
  readonly levelChoice: LevelChoice;
  readonly levels: readonly Level[];
  readonly stalls: number;
  readonly stalledMs: number;
  readonly droppedFrames: number;
  readonly totalFrames: number;
  /** UTC of the playback position by media time (Unix ms). */
  readonly currentTimeUnixMs: number | undefined;
  readonly playbackRate: number;
  /** Bound on the error of the clock that latency is measured against (ms). */
  readonly clockUncertaintyMs: number | undefined;
  /** Players built since the page was opened: 1 where nothing ever broke. */
  readonly builds: number;
  readonly lastFault: string | undefined;
  readonly hasStarted: boolean;
  /** How long playback has made no progress (ms). */
  readonly stillForMs: number;
  readonly source: SourceKind;
  /** At the live edge, and kept there. */
  readonly isFollowing: boolean;
  /** Where a player that does not follow live is, or is on its way to (Unix ms). */
  readonly positionMs: number | undefined;
  /** Played to the end of the broadcast or of the recording. */
  readonly hasEnded: boolean;
};

/** What there is to play. */
export type Programme = {
  readonly state: BroadcastState;
  /** Media is published: while interrupted too, if a slate stands for the picture. */
  readonly isOnAir: boolean;
  readonly live: Urls;
  /** The window that can be rewound to; undefined where nothing is kept. */
  readonly window: Urls | undefined;
  /** Oldest instant that there is (Unix ms), where known. */
  readonly fromMs: number | undefined;
};

/** A recording, and the UTC of its first frame (Unix ms). */
export type RecordingSource = { readonly urls: Urls; readonly fromMs: number };

/** A running session. */
export type Session = {
  stats(): SessionStats;
  setLevel(choice: LevelChoice): void;
  /** Changes the player; the measurements start anew. */
  setPlayer(kind: EngineKind): void;
  /** What the API said last. */
  setBroadcast(programme: Programme | undefined): void;
  /** The API does not answer: who waits for the media waits for the same server, most likely. */
  setUnreachable(): void;
  /** The recording to play, once it is known. */
  setRecording(recording: RecordingSource): void;
  /** What can be reached (Unix ms), from the oldest to what is live or last. */
  seekable(): Span | undefined;
  /** Plays on from an instant (Unix ms), or live where that is meant. */
  seekTo(unixMs: number): void;
  /** Plays on from so much before or after the position (s). */
  seekBy(seconds: number): void;
  goLive(): void;
  play(): void;
  pause(): void;
  /** The viewer paused. */
  isPaused(): boolean;
  /** The browser refused to start without a gesture. */
  needsGesture(): boolean;
};
