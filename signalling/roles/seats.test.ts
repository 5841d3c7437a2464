import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { peersOf } from '../view.ts';
import { known, OPEN, PRESENTER, SDP, World } from './testWorld.ts';

const subscribe = { type: 'subscribe', streamerId: 'demo' };
const demo = (): World => new World(PRESENTER).streamer('s1', 'demo');
const connected = (id: string): string =>
  `s1 <- playerConnected {"playerId":"${id}","dataChannel":true,"sfu":false}`;
const gone = (id: string): string => `s1 <- playerDisconnected {"playerId":"${id}"}`;

describe('the grace', () => {
  it('keeps the seat of a known presenter, for it alone', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    expect(world.closes('p1')).toEqual([
      gone('101'),
      '! presenterGone demo 101',
      'grace for demo',
      '! seatKept demo 101 the presenter was disconnected',
    ]);
    world.connect('p2', known('bob'));
    expect(world.says('p2', subscribe)[0]).toContain('is kept for its presenter');
    world.connect('p3', known('ann'));
    expect(world.says('p3', subscribe)).toEqual([
      connected('103'),
      '! presenterConnected demo 103',
      '! seatGranted demo 103 the same presenter is back',
    ]);
  });

  it('ends, and the first who waits gets the seat', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.connect('p2', known('bob'));
    world.connect('p3', known('eve'));
    expect(world.says('p2', { type: 'seatRequest', streamerId: 'demo' })).toEqual([
      '! seatRequested demo 102 the player asked for it',
      'p1 <- seatRequest {"streamerId":"demo","playerId":"102"}',
    ]);
    world.says('p3', { type: 'seatRequest', streamerId: 'demo' });
    world.closes('p1');
    expect(world.graceEnds('demo')).toEqual([
      '! seatReleased demo 101 the presenter did not come back',
      connected('102'),
      '! presenterConnected demo 102',
      '! seatGranted demo 102 it was waiting for the seat',
    ]);
    expect(peersOf(world.registry, undefined).seats).toEqual([
      {
        ...{ streamerId: 'demo', playerId: '102', subject: 'bob', state: 'held' },
        ...{ offeredTo: null, waiting: ['103'] },
      },
    ]);
  });

  it('that has ended otherwise is void', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.closes('p1');
    const { epoch } = world.registry.seats.get('demo')!;
    world.player('p2', 'demo', known('ann'));
    expect(world.happen({ kind: 'graceOver', streamerId: 'demo', epoch })).toEqual([]);
  });

  it('is not for someone whom nobody knows, nor for one that leaves', () => {
    const unknown = demo().player('p1', 'demo');
    expect(unknown.closes('p1')).toContain(
      '! seatReleased demo 101 the presenter was disconnected',
    );
    const leaving = demo().player('p1', 'demo', known('ann'));
    expect(leaving.says('p1', { type: 'unsubscribe' })).toContain(
      '! seatReleased demo 101 the presenter left',
    );
  });

  it('keeps the seat over a restart of the streamer, under its new id too', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    expect(world.closes('s1')).toContain('! seatKept demo 101 the streamer is gone');
    world.streamer('s2', 'demo').player('p2', 'demo', known('bob'));
    expect(world.registry.seats.get('demo')).toMatchObject({ subject: 'ann', state: 'grace' });
    expect(world.says('s2', { type: 'endpointId', id: 'new' })).toContain('grace for new');
    world.connect('p3', known('ann'));
    expect(world.says('p3', { ...subscribe, streamerId: 'new' })).toContain(
      '! seatGranted new 103 the same presenter is back',
    );
  });

  it('is not needed by a presenter whose old socket hangs: it takes over from itself', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.connect('p2', known('ann'));
    expect(world.says('p2', subscribe)).toEqual([
      gone('101'),
      '! presenterGone demo 101',
      'p1 <- subscribeFailed {"message":"You have connected again from elsewhere."}',
      connected('102'),
      '! presenterConnected demo 102',
      '! seatGranted demo 102 the same presenter is back',
    ]);
    expect(world.closes('p1')).toEqual([]);
  });
});

describe('hand-over', () => {
  it('by the operator disconnects the old presenter before it connects the new', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.connect('p2');
    const { outcome, lines } = world.orders({
      kind: 'assign',
      streamerId: 'demo',
      playerId: '102',
    });
    expect(outcome).toEqual({ kind: 'done' });
    expect(lines).toEqual([
      gone('101'),
      '! presenterGone demo 101',
      'p1 <- subscribeFailed {"message":"Control has gone to another presenter: the operator gave it the seat."}',
      connected('102'),
      '! presenterConnected demo 102',
      '! seatGranted demo 102 the operator gave it the seat',
    ]);
    expect(world.says('p1', { type: 'answer', sdp: SDP })).toEqual([
      'ignored unroutable: answer before subscribe',
    ]);
    expect(world.says('p1', { type: 'offer', sdp: SDP })).toEqual([
      'ignored unroutable: offer before subscribe',
    ]);
    expect(world.orders({ kind: 'assign', streamerId: 'demo', playerId: '102' }).lines).toEqual([]);
  });

  it('by the operator takes the seat away, and says so', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    expect(world.orders({ kind: 'release', streamerId: 'demo' }).lines).toEqual([
      gone('101'),
      '! presenterGone demo 101',
      'p1 <- subscribeFailed {"message":"The operator has taken control back."}',
      '! seatReleased demo 101 the operator took it back',
    ]);
    expect(world.orders({ kind: 'release', streamerId: 'demo' }).outcome).toMatchObject({
      code: 'no_seat',
    });
  });

  it('by the operator refuses what cannot be', () => {
    const world = demo();
    world.connect('p1', known('eve', { role: 'observer' }));
    world.connect('p2', known('bob', { streamerIds: ['other'] }));
    world.connect('i1');
    const codes = [
      ['nope', '101'],
      ['demo', '999'],
      ['demo', '103'],
      ['demo', '101'],
      ['demo', '102'],
    ].map(([streamerId = '', playerId = '']) => {
      const { outcome } = world.orders({ kind: 'assign', streamerId, playerId });
      return outcome.kind === 'refused' ? outcome.code : outcome.kind;
    });
    expect(codes).toEqual(['no_streamer', 'no_player', 'no_player', 'not_allowed', 'not_allowed']);
    const open = new World(OPEN).streamer('s1', 'demo');
    open.connect('p1');
    expect(
      open.orders({ kind: 'assign', streamerId: 'demo', playerId: '101' }).outcome,
    ).toMatchObject({ code: 'not_allowed' });
  });

  it('by offer and accept, and only to whom it was offered', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.connect('p2', known('bob'));
    world.connect('p3', known('eve'));
    const offer = { type: 'seatOffer', streamerId: 'demo', playerId: '102' };
    const accept = { type: 'seatAccept', streamerId: 'demo' };
    expect(world.says('p3', offer)[0]).toMatch(/^ignored unroutable/);
    expect(world.says('p1', offer)).toEqual([
      'p2 <- seatOffer {"streamerId":"demo","playerId":"101"}',
      '! seatOffered demo 102 player 101 offered it',
    ]);
    expect(world.says('p3', accept)[0]).toMatch(/^ignored unroutable/);
    expect(world.says('p2', accept)).toEqual([
      gone('101'),
      '! presenterGone demo 101',
      'p1 <- subscribeFailed {"message":"Control has gone to another presenter: offered and accepted."}',
      connected('102'),
      '! presenterConnected demo 102',
      '! seatGranted demo 102 offered and accepted',
    ]);
    expect(world.says('p2', accept)[0]).toMatch(/^ignored unroutable/);
  });

  it('forgets an offer to someone who has gone', () => {
    const world = demo().player('p1', 'demo', known('ann'));
    world.connect('p2');
    world.says('p1', { type: 'seatOffer', streamerId: 'demo', playerId: '102' });
    world.closes('p2');
    expect(peersOf(world.registry, undefined).seats).toMatchObject([
      { playerId: '101', offeredTo: null },
    ]);
  });

  it('gives a free seat to whoever asks for it', () => {
    const world = demo();
    world.connect('p1');
    expect(world.says('p1', { type: 'seatRequest', streamerId: 'demo' })).toContain(
      '! seatGranted demo 101 subscribed',
    );
  });

  it('lets only so many wait', () => {
    const world = demo().player('p0', 'demo');
    const lines = Array.from({ length: 17 }, (_, index) => {
      world.connect(`p${index + 1}`);
      return world.says(`p${index + 1}`, { type: 'seatRequest', streamerId: 'demo' });
    });
    expect(lines.at(-1)).toEqual([
      'p17 <- subscribeFailed {"message":"Too many wait for the seat of streamer demo."}',
    ]);
  });
});

it('never has two presenters at a streamer, in whatever order things happen', () => {
  const player = fc.constantFrom('p1', 'p2', 'p3', 'p4');
  const streamerId = fc.constantFrom('a', 'b', 'c');
  const playerId = fc.constantFrom('101', '102', '103', '104', '105', '106');
  const who = fc.constantFrom(known('ann'), known('bob'), {});
  const action = fc.oneof(
    fc.record({ kind: fc.constant('subscribe' as const), player, streamerId }),
    fc.record({ kind: fc.constant('unsubscribe' as const), player }),
    fc.record({ kind: fc.constant('reconnect' as const), player, who }),
    fc.record({ kind: fc.constant('offerSdp' as const), player }),
    fc.record({ kind: fc.constant('request' as const), player, streamerId }),
    fc.record({ kind: fc.constant('offer' as const), player, streamerId, playerId }),
    fc.record({ kind: fc.constant('accept' as const), player, streamerId }),
    fc.record({ kind: fc.constant('assign' as const), streamerId, playerId }),
    fc.record({ kind: fc.constant('release' as const), streamerId }),
    fc.record({ kind: fc.constant('grace' as const), streamerId }),
    fc.record({ kind: fc.constant('kick' as const), streamer: fc.nat({ max: 1 }), playerId }),
    fc.record({ kind: fc.constant('rename' as const), streamer: fc.nat({ max: 1 }), streamerId }),
    fc.record({ kind: fc.constant('restart' as const), streamer: fc.nat({ max: 1 }), streamerId }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const world = new World(PRESENTER).streamer('s0', 'a').streamer('s1', 'b');
      const streamers = ['s0', 's1'];
      const names = new Map<string, string>();
      let count = 1;
      for (const name of ['p1', 'p2', 'p3', 'p4']) {
        world.connect(name, known(name === 'p1' || name === 'p2' ? 'ann' : 'bob'));
        names.set(name, name);
      }
      const run = (what: (typeof actions)[number]): void => {
        const speaker = names.get('player' in what ? what.player : 'p1')!;
        switch (what.kind) {
          case 'subscribe':
            return void world.says(speaker, { type: 'subscribe', streamerId: what.streamerId });
          case 'unsubscribe':
            return void world.says(speaker, { type: 'unsubscribe' });
          case 'reconnect': {
            world.closes(speaker);
            const next = `p${(count += 1)}x`;
            names.set(what.player, next);
            return void world.connect(next, what.who);
          }
          case 'offerSdp':
            return void world.says(speaker, { type: 'offer', sdp: SDP });
          case 'request':
            return void world.says(speaker, { ...what, type: 'seatRequest' });
          case 'offer':
            return void world.says(speaker, { ...what, type: 'seatOffer' });
          case 'accept':
            return void world.says(speaker, { ...what, type: 'seatAccept' });
          case 'assign':
          case 'release':
            return void world.orders(what);
          case 'grace':
            return void world.graceEnds(what.streamerId);
          case 'kick':
            return void world.says(streamers[what.streamer]!, {
              type: 'disconnectPlayer',
              playerId: what.playerId,
            });
          case 'rename':
            return void world.says(streamers[what.streamer]!, {
              type: 'endpointId',
              id: what.streamerId,
            });
          case 'restart': {
            world.closes(streamers[what.streamer]!);
            streamers[what.streamer] = `s${(count += 1)}x`;
            world.streamer(streamers[what.streamer]!, what.streamerId);
          }
        }
      };
      for (const what of actions) {
        run(what);
      }
      // What each streamer saw, in order: connected and disconnected must alternate.
      const present = new Map<number, string>();
      for (const effect of world.effects) {
        if (effect.kind !== 'send') {
          continue;
        }
        const { type, playerId: id } = effect.message as { type: string; playerId?: string };
        if (type === 'playerConnected') {
          expect(present.has(effect.to)).toBe(false);
          present.set(effect.to, id!);
        } else if (type === 'playerDisconnected') {
          expect(present.get(effect.to)).toBe(id);
          present.delete(effect.to);
        }
      }
      // A held seat is that of the one who is connected, and the other way round.
      const { registry } = world;
      const held = [...registry.seats.values()].flatMap((seat) =>
        seat.state === 'held' ? [`${seat.streamerId} ${seat.playerId}`] : [],
      );
      const subscribed = [...registry.players.values()].flatMap(({ subscribedTo, playerId: id }) =>
        subscribedTo === undefined
          ? []
          : [`${registry.streamers.get(subscribedTo)!.streamerId} ${id}`],
      );
      expect(held.sort()).toEqual(subscribed.sort());
    }),
    { numRuns: 2000 },
  );
});
