import { describe, expect, it } from 'vitest';
import type { BroadcastState } from '../lib/api.ts';
import { hearApi, NOT_ENDED, type Ending } from './ending.ts';

/** What the API says, and when (s); answers when it is taken as a new run. */
function hear(
  playedOutAtS: number | undefined,
  said: readonly (readonly [number, BroadcastState | undefined])[],
): readonly number[] {
  let ending: Ending = {
    ...NOT_ENDED,
    playedOutAtMs: playedOutAtS === undefined ? undefined : playedOutAtS * 1000,
  };
  return said.flatMap(([atS, state]) => {
    const heard = hearApi(ending, state, atS * 1000);
    ending = heard.ending;
    return heard.isAnew ? [atS] : [];
  });
}

describe('hearApi', () => {
  it.each<
    [string, number | undefined, (readonly [number, BroadcastState | undefined])[], number[]]
  >([
    [
      'live all along',
      undefined,
      [
        [1, 'live'],
        [99, 'live'],
      ],
      [],
    ],
    [
      'interrupted in between',
      undefined,
      [
        [1, 'interrupted'],
        [3, 'live'],
      ],
      [],
    ],
    [
      'the API is late to say that it is over',
      10,
      [
        [11, 'live'],
        [13, 'ended'],
        [15, 'ended'],
      ],
      [],
    ],
    [
      'over, then started again',
      10,
      [
        [12, 'ended'],
        [14, 'starting'],
        [16, 'live'],
      ],
      [16],
    ],
    [
      'stopped and started between two answers',
      10,
      [
        [12, 'starting'],
        [14, 'live'],
      ],
      [14],
    ],
    [
      'never seen to be over',
      10,
      [
        [12, 'live'],
        [19, 'live'],
        [21, 'live'],
        [23, 'live'],
      ],
      [21],
    ],
    [
      'over without being played out',
      undefined,
      [
        [2, 'ended'],
        [9, 'live'],
        [11, 'live'],
      ],
      [9],
    ],
    [
      'the API was away',
      10,
      [
        [12, undefined],
        [14, 'live'],
      ],
      [],
    ],
  ])('%s', (_name, playedOutAtS, said, wanted) => {
    expect(hear(playedOutAtS, said)).toEqual(wanted);
  });
});
