/**
 * The bar below the picture: what can be reached, where playback stands in it, how far behind live
 * that is, and the buttons that go elsewhere. Reads the session, holds no playback state.
 */
import { byId, setText } from '../lib/dom.ts';
import { formatClock } from '../lib/format.ts';
import type { Span } from './engine.ts';
import type { Session, SessionStats } from './viewing.ts';

/** The bound bar. */
export type Timeline = {
  refresh(stats: SessionStats): void;
  /** Goes by steps of the keyboard. */
  step(direction: 'back' | 'forward'): void;
};

/** What the arrow keys go by (s). */
const STEP_S = 10;
/** What the buttons go by (s). */
const JUMP_S = 30;
/** Shorter spans are not worth a bar (ms). */
const MIN_SPAN_MS = 5000;

/** Binds the bar of the page. `goLive`: to the live edge, from a recording too. */
export function startTimeline(session: Session, goLive: () => void): Timeline {
  const bar = byId('timeline', HTMLElement);
  const scrub = byId('scrub', HTMLInputElement);
  const hint = byId('scrub-hint', HTMLElement);
  const position = byId('position', HTMLElement);
  const live = byId('live', HTMLButtonElement);
  const back = byId('back', HTMLButtonElement);
  const forward = byId('forward', HTMLButtonElement);
  let span: Span | undefined;
  let isRecording = false;
  /** The thumb is held: it stays in the hand until it is let go. */
  let isHeld = false;

  live.addEventListener('click', goLive);
  back.addEventListener('click', () => {
    session.seekBy(-JUMP_S);
  });
  forward.addEventListener('click', () => {
    session.seekBy(JUMP_S);
  });
  scrub.addEventListener('input', () => {
    isHeld = true;
    fill();
    showHint(Number(scrub.value));
  });
  scrub.addEventListener('change', () => {
    isHeld = false;
    hint.hidden = true;
    if (span !== undefined) {
      session.seekTo(span.fromMs + Number(scrub.value) * 1000);
    }
  });
  scrub.addEventListener('keydown', onKey);
  bar.addEventListener('pointermove', (event) => {
    const { left, width } = scrub.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - left) / width));
    showHint(part * Number(scrub.max));
  });
  bar.addEventListener('pointerleave', () => {
    hint.hidden = true;
  });

  function onKey(event: KeyboardEvent): void {
    const actions: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => session.seekBy(-STEP_S),
      ArrowRight: () => session.seekBy(STEP_S),
      Home: () => session.seekTo(span?.fromMs ?? 0),
      End: () => session.seekTo(span?.toMs ?? 0),
    };
    const action = actions[event.key];
    if (action !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      action();
    }
  }

  function fill(): void {
    const part = Number(scrub.value) / Math.max(1, Number(scrub.max));
    scrub.style.setProperty('--played', `${(part * 100).toFixed(2)}%`);
  }

  function showHint(atS: number): void {
    hint.hidden = span === undefined || scrub.disabled;
    const lastS = Number(scrub.max);
    setText(hint, isRecording ? formatClock(atS * 1000) : behindText((lastS - atS) * 1000));
    hint.style.left = `${((atS / Math.max(1, lastS)) * 100).toFixed(2)}%`;
  }

  function refresh(stats: SessionStats): void {
    span = session.seekable();
    isRecording = stats.source === 'recording';
    const hasSpan = span !== undefined && span.toMs - span.fromMs > MIN_SPAN_MS;
    scrub.disabled = !hasSpan;
    back.disabled = !hasSpan;
    forward.disabled = !hasSpan || stats.isFollowing;
    live.dataset['on'] = String(stats.isFollowing && stats.hasStarted && !stats.hasEnded);
    live.title = isRecording ? 'To the broadcast (l)' : 'Go live (l)';
    const lengthMs = span === undefined ? 0 : span.toMs - span.fromMs;
    const atMs = span === undefined ? 0 : offsetMs(stats, span);
    const text = isRecording
      ? `${formatClock(atMs)} / ${formatClock(lengthMs)}`
      : stats.isFollowing || !hasSpan
        ? ''
        : behindText(lengthMs - atMs);
    setText(position, text);
    if (!isHeld) {
      scrub.max = (lengthMs / 1000).toFixed(1);
      scrub.value = (atMs / 1000).toFixed(1);
      fill();
    }
    scrub.setAttribute('aria-valuetext', text === '' ? 'Live' : text);
  }

  return {
    refresh,
    step: (direction) => {
      if (!scrub.disabled && (direction === 'back' || !forward.disabled)) {
        session.seekBy(direction === 'back' ? -STEP_S : STEP_S);
      }
    },
  };
}

/** Where playback stands in `span` (ms); at its end while it follows live. */
function offsetMs(stats: SessionStats, span: Span): number {
  const lengthMs = span.toMs - span.fromMs;
  if (stats.isFollowing) {
    return lengthMs;
  }
  const atMs = stats.positionMs ?? span.fromMs;
  return Math.min(lengthMs, Math.max(0, atMs - span.fromMs));
}

/** `-1:23` behind live. */
function behindText(ms: number): string {
  return ms < 1000 ? 'Live' : `-${formatClock(ms)}`;
}
