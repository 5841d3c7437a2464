/**
 * What there is to play and where in it the viewer is, wants to be, or was when the player broke.
 * Holds no player: it is handed what the player holds; session.ts acts on what it answers.
 */
import type { Engine, SourceKind, Span, Urls } from './engine.ts';
import { AT_LIVE, placeFor, SLIDE_MARGIN_MS, type Place } from './place.ts';
import type { Programme, RecordingSource } from './viewing.ts';

/** Latency that a player at the live edge is taken to steer to where it does not say (ms). */
const USUAL_TARGET_MS = 1000;

/** The whereabouts of one viewer. */
export class Whereabouts {
  source: SourceKind;
  isFollowing: boolean;
  /** Where the next player begins, and where this one was last (Unix ms). */
  positionMs: number | undefined;
  programme: Programme | undefined;
  recording: RecordingSource | undefined;
  /** What the live window held when it was last played (ms). */
  #liveWindowMs: number | undefined;

  constructor(source: 'live' | 'recording') {
    this.source = source;
    this.isFollowing = source === 'live';
  }

  /** What to load now; undefined while it is not known or not kept. */
  urls(): Urls | undefined {
    switch (this.source) {
      case 'live':
        return this.programme?.live;
      case 'window':
        return this.programme?.window;
      case 'recording':
        return this.recording?.urls;
    }
  }

  /** Whether there is something to load. What lies behind live is there while live is away. */
  isPlayable(): boolean {
    return this.source === 'live' && this.isFollowing
      ? this.programme?.isOnAir === true
      : this.urls() !== undefined;
  }

  /** What can be reached; `liveMs`: what is live now, undefined where nothing is any more. */
  reach(engine: Engine | undefined, liveMs: number | undefined): Span | undefined {
    const held = engine?.seekable();
    if (this.source === 'recording') {
      return held;
    }
    const toMs = liveMs ?? held?.toMs;
    const fromMs = this.#windowFromMs() ?? this.#heldFromMs(engine);
    return toMs === undefined || fromMs === undefined || fromMs >= toMs
      ? undefined
      : { fromMs, toMs };
  }

  /** The place for an instant (Unix ms); undefined while nothing can be reached. */
  placeFor(
    unixMs: number,
    engine: Engine | undefined,
    liveMs: number | undefined,
  ): Place | undefined {
    const span = this.reach(engine, liveMs);
    if (span === undefined) {
      return undefined;
    }
    return this.source === 'recording' || liveMs === undefined
      ? this.#placeInPast(Math.min(Math.max(unixMs, span.fromMs), span.toMs), engine)
      : placeFor(unixMs, {
          liveMs,
          targetMs: this.#targetMs(engine),
          live: this.#liveWindow(engine, liveMs),
          windowFromMs: this.#windowFromMs(),
        });
  }

  /** Takes the viewer to `place`; whether that needs another player. */
  moveTo(place: Place): boolean {
    const isSame = this.source === 'recording' || this.source === place.source;
    this.isFollowing = place.isFollowing;
    this.positionMs = place.atMs;
    this.source = isSame ? this.source : place.source;
    return !isSame;
  }

  /** Another run of the broadcast: from its live edge. */
  startAnew(): void {
    this.source = 'live';
    this.moveTo(AT_LIVE);
  }

  /**
   * Remembers where a player is that does not follow live.
   *
   * @param atMs its position (Unix ms), undefined while that says nothing
   * @returns whether what it plays is about to slide off the live window: a pause has outlasted it
   */
  note(engine: Engine, atMs: number | undefined, isOver: boolean): boolean {
    const held = engine.seekable();
    if (held === undefined) {
      return false;
    }
    if (this.source === 'live') {
      this.#liveWindowMs = held.toMs - held.fromMs;
    }
    if (this.isFollowing || atMs === undefined) {
      return false;
    }
    this.positionMs = atMs;
    const isSliding = this.source === 'live' && !isOver && this.programme?.window !== undefined;
    if (!isSliding || atMs >= held.fromMs + SLIDE_MARGIN_MS / 2) {
      return false;
    }
    this.source = 'window';
    return true;
  }

  /** Nothing slides and nothing is live: the player has it, or the whole window has. */
  #placeInPast(atMs: number, engine: Engine | undefined): Place {
    const isHeld = atMs >= (this.#heldFromMs(engine) ?? Infinity);
    const isInLive = this.source === 'live' && (isHeld || this.programme?.window === undefined);
    return { source: isInLive ? 'live' : 'window', isFollowing: false, atMs };
  }

  #targetMs(engine: Engine | undefined): number {
    return (this.source === 'live' ? engine?.targetMs() : undefined) ?? USUAL_TARGET_MS;
  }

  #liveWindow(engine: Engine | undefined, liveMs: number): Span | undefined {
    const heldFromMs = this.source === 'live' ? this.#heldFromMs(engine) : undefined;
    const fromMs =
      heldFromMs ?? (this.#liveWindowMs === undefined ? undefined : liveMs - this.#liveWindowMs);
    return fromMs === undefined ? undefined : { fromMs, toMs: liveMs };
  }

  /** Oldest instant that the player holds. An MPD's window may reach to before the broadcast. */
  #heldFromMs(engine: Engine | undefined): number | undefined {
    const fromMs = engine?.seekable()?.fromMs;
    return fromMs === undefined ? undefined : Math.max(fromMs, this.programme?.fromMs ?? 0);
  }

  #windowFromMs(): number | undefined {
    return this.programme?.window === undefined ? undefined : this.programme.fromMs;
  }
}
