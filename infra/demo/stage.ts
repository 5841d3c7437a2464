/**
 * What the presenter can move: the comet, its trail and ripples, the held keys, the last text said.
 * Pure: inputs and time come in as values, the scene reads the state. Positions are fractions of
 * the picture, 0 to 1.
 */

/** One thing the presenter did, already out of Epic's units. */
export type StageInput =
  | { readonly kind: 'point'; readonly x: number; readonly y: number }
  | { readonly kind: 'press'; readonly x: number; readonly y: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'key'; readonly code: number; readonly isDown: boolean }
  | { readonly kind: 'say'; readonly text: string }
  /** The presenter is gone: nothing stays held. */
  | { readonly kind: 'leave' };

/** A place, in fractions of the picture. */
export type Place = { readonly x: number; readonly y: number };

/** A ring that grows where the presenter pressed. */
export type Ripple = Place & { readonly ageFrames: number };

/** Everything that the scene draws of the presenter. */
export type Stage = {
  readonly comet: Place;
  readonly target: Place;
  readonly isPressed: boolean;
  readonly heldKeys: ReadonlySet<number>;
  /** Places of the last frames, newest first. */
  readonly trail: readonly Place[];
  readonly ripples: readonly Ripple[];
  readonly text: string;
};

/** Frames a ripple lasts. */
export const RIPPLE_FRAMES = 12;
const TRAIL_FRAMES = 14;
const MAX_RIPPLES = 6;
const MAX_TEXT_CHARACTERS = 200;
/** Fractions of the picture per second while a key is held. */
const KEY_SPEED = 0.45;
/** Seconds in which the comet covers 63 % of its way to the pointer. */
const EASE_SECONDS = 0.06;

/** Key codes as browsers name them: arrows and WASD to a direction. */
const DIRECTIONS: ReadonlyMap<number, Place> = new Map([
  [37, { x: -1, y: 0 }],
  [65, { x: -1, y: 0 }],
  [39, { x: 1, y: 0 }],
  [68, { x: 1, y: 0 }],
  [38, { x: 0, y: -1 }],
  [87, { x: 0, y: -1 }],
  [40, { x: 0, y: 1 }],
  [83, { x: 0, y: 1 }],
]);

/** The stage before anybody touched it. */
export const INITIAL_STAGE: Stage = {
  comet: { x: 0.62, y: 0.68 },
  target: { x: 0.62, y: 0.68 },
  isPressed: false,
  heldKeys: new Set(),
  trail: [],
  ripples: [],
  text: '',
};

/** The stage after one input. */
export function applyInput(stage: Stage, input: StageInput): Stage {
  switch (input.kind) {
    case 'point':
      return { ...stage, target: place(input) };
    case 'press':
      return {
        ...stage,
        target: place(input),
        isPressed: true,
        ripples: [{ ...place(input), ageFrames: 0 }, ...stage.ripples].slice(0, MAX_RIPPLES),
      };
    case 'release':
      return { ...stage, isPressed: false };
    case 'key': {
      if (!DIRECTIONS.has(input.code)) {
        return stage;
      }
      const heldKeys = new Set(stage.heldKeys);
      if (input.isDown) {
        heldKeys.add(input.code);
      } else {
        heldKeys.delete(input.code);
      }
      return { ...stage, heldKeys };
    }
    case 'say':
      return { ...stage, text: Array.from(input.text).slice(0, MAX_TEXT_CHARACTERS).join('') };
    case 'leave':
      return { ...stage, isPressed: false, heldKeys: new Set() };
  }
}

/** The stage one frame later. */
export function stepStage(stage: Stage, seconds: number): Stage {
  let { x, y } = stage.target;
  for (const code of stage.heldKeys) {
    const direction = DIRECTIONS.get(code);
    x += (direction?.x ?? 0) * KEY_SPEED * seconds;
    y += (direction?.y ?? 0) * KEY_SPEED * seconds;
  }
  const target = place({ x, y });
  const share = 1 - Math.exp(-seconds / EASE_SECONDS);
  const comet = {
    x: stage.comet.x + (target.x - stage.comet.x) * share,
    y: stage.comet.y + (target.y - stage.comet.y) * share,
  };
  return {
    ...stage,
    target,
    comet,
    trail: [stage.comet, ...stage.trail].slice(0, TRAIL_FRAMES),
    ripples: stage.ripples
      .map((ripple) => ({ ...ripple, ageFrames: ripple.ageFrames + 1 }))
      .filter((ripple) => ripple.ageFrames < RIPPLE_FRAMES),
  };
}

function place({ x, y }: Place): Place {
  const within = (value: number): number =>
    Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0.5;
  return { x: within(x), y: within(y) };
}
