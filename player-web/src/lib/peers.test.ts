import { describe, expect, it } from 'vitest';
import { peerRows } from './peers.ts';

const player = (playerId: string, rest: object = {}) => ({
  ...{ playerId, kind: 'player', role: 'presenter', subject: null, subscribedTo: null },
  ...rest,
});
const seat = (playerId: string, rest: object = {}) => ({
  ...{ streamerId: 'demo', playerId, subject: 'ann', state: 'held', offeredTo: null, waiting: [] },
  ...rest,
});
const demo = { streamerId: 'demo', kind: 'streamer', streaming: true };

function rows(players: object[], seats: object[], streamers: object[] = [demo]) {
  return peerRows({ players: { players }, seats: { seats }, streamers: { streamers } });
}

describe('the rows of operators', () => {
  it('have the presenter first, and commands for each by what it is', () => {
    const shown = rows(
      [
        player('103', { subject: 'eve', role: 'observer' }),
        player('102', { subject: 'bob' }),
        player('101', { subject: 'ann', subscribedTo: 'demo' }),
      ],
      [seat('101', { waiting: ['102'] })],
    );
    expect(shown).toMatchObject([
      { playerId: '101', who: 'ann', seat: 'presents', streamerId: 'demo' },
      { playerId: '102', who: 'bob', seat: 'waits', streamerId: 'demo' },
      { playerId: '103', who: 'eve', seat: 'none', streamerId: undefined },
    ]);
    expect(shown.map(({ commands }) => commands.map(({ kind }) => kind))).toEqual([
      ['release', 'disconnect'],
      ['give', 'disconnect'],
      ['disconnect'],
    ]);
  });

  it('show a seat that is kept for someone who is away', () => {
    expect(rows([], [seat('101', { state: 'grace' })])).toMatchObject([
      { playerId: '101', who: 'ann', seat: 'away', commands: [{ kind: 'release' }] },
    ]);
  });

  it('offer no streamer where there is more than one that could be meant', () => {
    const [row] = rows([player('101')], [], [demo, { ...demo, streamerId: 'other' }]);
    expect(row?.commands).toEqual([{ kind: 'disconnect', playerId: '101' }]);
  });

  it('are none of what is not understood', () => {
    expect(peerRows({ players: 'x', seats: { seats: [null, 1] }, streamers: undefined })).toEqual(
      [],
    );
    expect(rows([player('101', { kind: 'sfu' })], [{}])).toEqual([]);
  });
});
