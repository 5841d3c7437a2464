/**
 * What a player's data-channel messages mean to the demo: Epic's units in, stage inputs out, and
 * the requests that want an answer. Pure; the bytes are signalling/protocol's, the answers peer.ts's.
 */
import type { ToStreamerMessage } from '../../signalling/protocol/index.ts';
import type { StageInput } from './stage.ts';

/** What to do with a message; `ignored` for what an Unreal application would take and we do not. */
export type Control =
  | { readonly kind: 'stage'; readonly input: StageInput }
  /** Text for the screen, and `raw` to send back as a Response. */
  | { readonly kind: 'interaction'; readonly text: string; readonly raw: string }
  | { readonly kind: 'settings' }
  | { readonly kind: 'quality-control' }
  | { readonly kind: 'ignored' };

/** Largest unsigned coordinate: the far edge of the player's picture. */
const FULL = 65_535;
const IGNORED: Control = { kind: 'ignored' };

/** Reads one decoded message. */
export function controlOf({ name, values }: ToStreamerMessage): Control {
  switch (name) {
    case 'MouseMove':
      return stage({ kind: 'point', ...placeOf(values[0], values[1]) });
    case 'MouseDown':
    case 'TouchStart':
      return stage({ kind: 'press', ...placeOf(values[1], values[2]) });
    case 'TouchMove':
      return stage({ kind: 'point', ...placeOf(values[1], values[2]) });
    case 'MouseUp':
    case 'TouchEnd':
    case 'MouseLeave':
      return stage({ kind: 'release' });
    case 'KeyDown':
      return stage({ kind: 'key', code: Number(values[0]), isDown: true });
    case 'KeyUp':
      return stage({ kind: 'key', code: Number(values[0]), isDown: false });
    case 'UIInteraction': {
      const raw = String(values[0] ?? '');
      return { kind: 'interaction', raw, text: interactionText(raw) };
    }
    case 'RequestInitialSettings':
      return { kind: 'settings' };
    case 'RequestQualityControl':
      return { kind: 'quality-control' };
    default:
      return IGNORED;
  }
}

/**
 * The text to show of an interaction. Epic's frontend sends JSON: `emitUIInteraction("hi")` gives
 * `"hi"`, an object its own JSON; `text` or `message` of it is shown, else all of it.
 */
export function interactionText(raw: string): string {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return raw;
  }
  if (typeof value === 'string') {
    return value;
  }
  if (typeof value === 'object' && value !== null) {
    const { text, message } = value as Record<string, unknown>;
    if (typeof text === 'string') {
      return text;
    }
    if (typeof message === 'string') {
      return message;
    }
  }
  return raw;
}

function stage(input: StageInput): Control {
  return { kind: 'stage', input };
}

function placeOf(x: unknown, y: unknown): { x: number; y: number } {
  return { x: Number(x) / FULL, y: Number(y) / FULL };
}
