import { describe, expect, it } from 'vitest';
import { encodeToStreamer, decodeToStreamer } from '../../signalling/protocol/index.ts';
import { type Control, controlOf } from './controls.ts';
import { applyInput, INITIAL_STAGE, RIPPLE_FRAMES, type Stage, stepStage } from './stage.ts';

/** A message as it comes over the wire. */
function control(name: string, ...values: (number | string)[]): Control {
  const decoded = decodeToStreamer(encodeToStreamer(name, values));
  if (decoded.kind !== 'message') {
    throw new Error(name);
  }
  return controlOf(decoded.message);
}

function play(stage: Stage, ...controls: Control[]): Stage {
  return controls.reduce(
    (now, { ...given }) => (given.kind === 'stage' ? applyInput(now, given.input) : now),
    stage,
  );
}

function steps(stage: Stage, count: number): Stage {
  return Array.from({ length: count }).reduce<Stage>((now) => stepStage(now, 1 / 30), stage);
}

describe('stage under Epic messages', () => {
  it('brings the comet to the pointer, by mouse and by touch', () => {
    const mouse = steps(play(INITIAL_STAGE, control('MouseMove', 0, 65_535, 0, 0)), 30);
    expect(mouse.comet.x).toBeCloseTo(0, 3);
    expect(mouse.comet.y).toBeCloseTo(1, 3);
    const touch = play(INITIAL_STAGE, control('TouchStart', 1, 16_384, 32_768, 0, 255, 1));
    expect(touch.isPressed).toBe(true);
    const ended = steps(play(touch, control('TouchEnd', 1, 16_384, 32_768, 0, 255, 1)), 30);
    expect(ended.isPressed).toBe(false);
    expect(ended.comet.x).toBeCloseTo(0.25, 3);
    expect(ended.comet.y).toBeCloseTo(0.5, 3);
  });

  it('moves while keys are held, stays within the picture, lets go when the peer leaves', () => {
    const right = steps(play(INITIAL_STAGE, control('KeyDown', 68, 0)), 300);
    expect(right.target.x).toBe(1);
    expect(right.target.y).toBe(INITIAL_STAGE.target.y);
    const both = play(right, control('KeyDown', 37, 0), control('KeyUp', 68));
    expect(steps(both, 300).target.x).toBe(0);
    const left = applyInput(both, { kind: 'leave' });
    expect(steps(left, 10).target.x).toBe(1);
    expect(play(INITIAL_STAGE, control('KeyDown', 13, 0))).toBe(INITIAL_STAGE);
  });

  it('keeps few ripples, for their time', () => {
    const press = control('MouseDown', 0, 100, 100);
    const many = play(INITIAL_STAGE, ...Array.from({ length: 50 }, () => press));
    expect(many.ripples.length).toBe(6);
    expect(steps(many, RIPPLE_FRAMES - 1).ripples.length).toBe(6);
    expect(steps(many, RIPPLE_FRAMES).ripples).toEqual([]);
  });

  it.each([
    ['"hi"', 'hi'],
    ['{"text":"from a page"}', 'from a page'],
    ['{"message":"m"}', 'm'],
    ['{"other":1}', '{"other":1}'],
    ['not JSON {', 'not JSON {'],
  ])('shows %s as %s and keeps it for the Response', (raw, text) => {
    expect(control('UIInteraction', raw)).toEqual({ kind: 'interaction', raw, text });
  });

  it('knows the requests and ignores the rest', () => {
    expect(control('RequestInitialSettings').kind).toBe('settings');
    expect(control('RequestQualityControl').kind).toBe('quality-control');
    expect(control('Command', '{"Resolution.Width":1}').kind).toBe('ignored');
  });
});
