import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countStall, NO_STALLS, type PlaybackSample, type StallState } from './stalls.ts';

/** Samples each 100 ms: a letter says what the player does in the 100 ms before. */
function run(script: string): StallState {
  let state = NO_STALLS;
  let positionS = 100;
  Array.from(script).forEach((letter, index) => {
    positionS += letter === '>' ? 0.1 : letter === 'S' ? 5 : 0;
    const sample: PlaybackSample = {
      atMs: index * 100,
      positionS,
      isPaused: letter === 'p',
      isSeeking: letter === 's' || letter === 'S',
    };
    state = countStall(state, sample);
  });
  return state;
}

describe('countStall', () => {
  it.each([
    ['steady playback', '>>>>>>>>>>', 0, 0],
    ['start-up is not a stall', '.........>>>', 0, 0],
    ['a hiccup shorter than 250 ms', '>>>..>>>', 0, 0],
    ['one stall, from the last progress to the next', '>>>.....>>>', 1, 600],
    ['an open stall is counted already', '>>>....', 1, 400],
    ['two stalls', '>>....>>....>>', 2, 1000],
    ['a pause is no stall', '>>>pppppppp>>>', 0, 0],
    ['a pause ends a stall', '>>>....pppp>>>', 1, 500],
    ['a seek is no progress: the stall goes on through it', '>>>....S...>>>', 1, 900],
    ['a short seek by the player itself', '>>>S>>>', 0, 0],
  ])('%s', (_name, script, stalls, stalledMs) => {
    const state = run(script);
    expect([state.stalls, state.stalledMs]).toEqual([stalls, stalledMs]);
  });

  it('counts never backwards and never more than the time that passed', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('>', '.', 'p', 's', 'S'), { maxLength: 200 }), (all) => {
        let before = NO_STALLS;
        for (let length = 1; length <= all.length; length += 7) {
          const state = run(all.slice(0, length).join(''));
          expect(state.stalls).toBeGreaterThanOrEqual(before.stalls);
          expect(state.stalledMs).toBeGreaterThanOrEqual(before.stalledMs);
          expect(state.stalledMs).toBeLessThanOrEqual(length * 100);
          before = state;
        }
      }),
    );
  });
});
