import { describe, expect, it } from 'vitest';
import { known, OPEN, PRESENTER, World } from './testWorld.ts';

const demo = (): World => new World(PRESENTER).streamer('s1', 'demo');
const byToken = (subject: string, tokenId: string) => known(subject, { tokenId });

describe('the operator', () => {
  it('disconnects a player in words that stop its frontend, and frees the seat for who waits', () => {
    const world = demo().player('p1', 'demo', known('ann')).player('p2', 'demo', known('bob'));
    world.says('p2', { type: 'seatRequest', streamerId: 'demo' });
    const { outcome, lines } = world.orders({ kind: 'disconnectPlayer', playerId: '101' });
    expect(outcome).toEqual({ kind: 'done' });
    expect(lines).toEqual([
      'p1 <- subscribeFailed {"message":"The operator has disconnected you."}',
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
      '! seatReleased demo 101 the presenter left',
      's1 <- playerConnected {"playerId":"102","dataChannel":true,"sfu":false}',
      '! presenterConnected demo 102',
      '! seatGranted demo 102 it was waiting for the seat',
      'p1 closed 1008 The operator has disconnected you.',
    ]);
    expect(world.closes('p1')).toEqual([]);
  });

  it.each(['102', 'nobody', '__proto__'])(
    'cannot disconnect %s: the ingest, or no player',
    (id) => {
      const world = demo().player('p1', 'demo').player('i1', 'demo');
      expect(world.orders({ kind: 'disconnectPlayer', playerId: id })).toMatchObject({
        ...{ outcome: { kind: 'refused', code: 'no_player' }, lines: [] },
      });
    },
  );

  it('disconnects a streamer, whose seat waits for its presenter', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    const { outcome, lines } = world.orders({ kind: 'disconnectStreamer', streamerId: 'demo' });
    expect(outcome).toEqual({ kind: 'done' });
    expect(lines.at(-1)).toBe('s1 closed 1008 The operator has disconnected you.');
    expect(lines).toContain('p1 closed 1000 The streamer disconnected.');
    expect(world.closes('s1')).toEqual([]);
    expect(world.registry.seats.get('demo')).toMatchObject({ subject: 'ann', state: 'grace' });
    expect(world.orders({ kind: 'disconnectStreamer', streamerId: 'demo' }).outcome).toMatchObject({
      code: 'no_streamer',
    });
  });

  it('ends a token: who came in by it goes, player or streamer, and no other', () => {
    const world = new World(OPEN);
    world.connect('s1', byToken('ue', 'one'));
    world.says('s1', { type: 'endpointId', id: 'demo' });
    world.streamer('s2', 'other').player('p1', 'other', byToken('ann', 'one'));
    world.player('p2', 'other', byToken('bob', 'two')).player('p3', 'other');
    const { lines } = world.orders({ kind: 'endToken', tokenId: 'one' });
    expect(lines.filter((line) => line.includes('closed'))).toEqual([
      's1 closed 1008 The token was revoked.',
      'p1 closed 1008 The token was revoked.',
    ]);
    expect(world.registry.players.size).toBe(2);
  });
});
