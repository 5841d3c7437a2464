/** What keys do on the watch page. Pure. */
import type { Level, LevelChoice } from './engine.ts';

/** What a key asks for. */
export type KeyCommand =
  | 'togglePlay'
  | 'toggleMute'
  | 'toggleFullscreen'
  | 'back'
  | 'forward'
  | 'goLive'
  | 'qualityUp'
  | 'qualityDown'
  | 'qualityAuto';

const COMMANDS: Readonly<Record<string, KeyCommand>> = {
  ' ': 'togglePlay',
  k: 'togglePlay',
  m: 'toggleMute',
  f: 'toggleFullscreen',
  ArrowLeft: 'back',
  ArrowRight: 'forward',
  l: 'goLive',
  ArrowUp: 'qualityUp',
  ArrowDown: 'qualityDown',
  q: 'qualityAuto',
};

/** The part of a keyboard event that decides. */
export type KeyPress = {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
};

/** Commands of a key that is held down. */
const REPEATED: ReadonlySet<KeyCommand | undefined> = new Set(['back', 'forward']);

/**
 * The command of a key, or undefined where the key belongs to the browser or to the focused control
 * (menus and sliders take arrows and letters, buttons and links take space).
 *
 * @param focusedTag tag name of the focused element, upper case
 */
export function keyCommand(press: KeyPress, focusedTag: string): KeyCommand | undefined {
  if (press.ctrlKey || press.metaKey || press.altKey) {
    return undefined;
  }
  const isTaken =
    focusedTag === 'SELECT' ||
    (press.key === ' ' && (focusedTag === 'BUTTON' || focusedTag === 'A')) ||
    (focusedTag === 'INPUT' && press.key.startsWith('Arrow'));
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  const command = COMMANDS[key];
  return isTaken || (press.repeat && !REPEATED.has(command)) ? undefined : command;
}

/** The next rung above or below; stays at the ends. */
export function stepLevel(
  levels: readonly Level[],
  current: LevelChoice | undefined,
  direction: 'qualityUp' | 'qualityDown',
): LevelChoice {
  const names = [...levels]
    .sort((a, b) => (a.bitrateBps ?? 0) - (b.bitrateBps ?? 0))
    .map((level) => level.name);
  const at = current === undefined ? -1 : names.indexOf(current);
  const next = direction === 'qualityUp' ? at + 1 : at - 1;
  return names[Math.min(Math.max(next, 0), names.length - 1)] ?? 'auto';
}
