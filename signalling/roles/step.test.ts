import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SIGNALLING_TYPES } from '../protocol/index.ts';
import { listedIds } from '../registry.ts';
import { playersView, snapshotOf, statusView, streamersView } from '../view.ts';
import { OPEN, PRESENTER, SDP, World } from './testWorld.ts';

const config = (name: string): string =>
  `${name} <- config {"peerConnectionOptions":{},"protocolVersion":"1.3.0"}`;

describe('the happy path', () => {
  it('brings a streamer and a player together in the order that Epic documents', () => {
    const world = new World();
    expect(world.connect('p1')).toEqual([config('p1')]);
    expect(world.says('p1', { type: 'listStreamers' })).toEqual(['p1 <- streamerList {"ids":[]}']);
    expect(world.connect('s1')).toEqual([config('s1'), 's1 <- identify {}']);
    expect(world.says('p1', { type: 'listStreamers' })).toEqual(['p1 <- streamerList {"ids":[]}']);
    expect(world.says('s1', { type: 'endpointId', id: 'demo', protocolVersion: '1.0.0' })).toEqual([
      's1 <- endpointIdConfirm {"committedId":"demo"}',
      '! streamerIdentified demo',
    ]);
    expect(world.says('p1', { type: 'listStreamers' })).toEqual([
      'p1 <- streamerList {"ids":["demo"]}',
    ]);
    expect(world.says('p1', { type: 'subscribe', streamerId: 'demo' })).toEqual([
      's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false}',
      '! presenterConnected demo 101',
    ]);
    expect(world.says('s1', { type: 'offer', sdp: SDP, playerId: '101', new: [1] })).toEqual([
      'p1 <- offer {"sdp":"v=0\\r\\n","playerId":"101","new":[1]}',
    ]);
    expect(
      world.says('p1', {
        type: 'layerPreference',
        spatialLayer: 0,
        temporalLayer: 0,
        playerId: '999',
      }),
    ).toEqual(['s1 <- layerPreference {"spatialLayer":0,"temporalLayer":0,"playerId":"101"}']);
    expect(world.says('p1', { type: 'answer', sdp: SDP, playerId: '7', minBitrateBps: 1 })).toEqual(
      ['s1 <- answer {"sdp":"v=0\\r\\n","playerId":"101","minBitrateBps":1}'],
    );
    const candidate = { candidate: '', x: 1 };
    expect(world.says('s1', { type: 'iceCandidate', candidate, playerId: 101 })).toEqual([
      'p1 <- iceCandidate {"candidate":{"candidate":"","x":1},"playerId":"101"}',
    ]);
    expect(world.says('p1', { type: 'iceCandidate', candidate: null })).toEqual([
      's1 <- iceCandidate {"candidate":null,"playerId":"101"}',
    ]);
    expect(world.says('p1', { type: 'unsubscribe' })).toEqual([
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
    ]);
    expect(world.says('p1', { type: 'unsubscribe' })).toEqual([]);
  });

  it.each(['s1', 'p1'])('answers ping of %s with its time', (name) => {
    const world = new World();
    world.connect(name);
    expect(world.says(name, { type: 'ping', time: 12.5 })).toEqual([
      `${name} <- pong {"time":12.5}`,
    ]);
  });
});

describe('streamer ids', () => {
  it.each([
    [
      ['dup', 'dup', 'dup'],
      ['dup', 'dup1', 'dup2'],
    ],
    [
      ['cam1', 'cam1'],
      ['cam1', 'cam11'],
    ],
    [
      ['dup', 'dup', 'dup1'],
      ['dup', 'dup1', 'dup11'],
    ],
    [
      ['7', '7'],
      ['7', '71'],
    ],
    [
      ['', ''],
      ['UnknownStreamer', 'UnknownStreamer1'],
    ],
  ])('%j become %j', (wanted, committed) => {
    const world = new World();
    wanted.forEach((id, index) => world.streamer(`s${index}`, id));
    expect(listedIds(world.registry)).toEqual(committed);
  });

  it('are unique whatever is asked for, in any order, with renames and departures', () => {
    const id = fc.constantFrom('a', 'a1', 'a11', 'a2', '', '1');
    const action = fc.tuple(fc.constantFrom('says', 'closes'), fc.nat({ max: 5 }), id);
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const world = new World();
        for (let index = 0; index < 6; index += 1) {
          world.connect(`s${index}`);
        }
        for (const [what, index, wanted] of actions) {
          if (what === 'says') {
            world.says(`s${index}`, { type: 'endpointId', id: wanted });
          } else {
            world.closes(`s${index}`);
          }
          const ids = listedIds(world.registry);
          expect(new Set(ids).size).toBe(ids.length);
        }
      }),
    );
  });

  it('stay when asked for again, by the wanted name or the given one', () => {
    const world = new World().streamer('s1', 'dup').streamer('s2', 'dup');
    for (const id of ['dup', 'dup1']) {
      expect(world.says('s2', { type: 'endpointId', id })).toEqual([
        's2 <- endpointIdConfirm {"committedId":"dup1"}',
      ]);
    }
  });

  it('change for subscribers too', () => {
    const world = new World().streamer('s1', 'old').player('p1', 'old');
    expect(world.says('s1', { type: 'endpointId', id: 'new' })).toEqual([
      's1 <- endpointIdConfirm {"committedId":"new"}',
      'p1 <- streamerIdChanged {"newID":"new"}',
      '! streamerRenamed old new',
      '! streamerIdentified new',
    ]);
  });

  it('are made up for a streamer that stays silent, which may still name itself', () => {
    const world = new World();
    world.connect('s1');
    expect(world.waits('s1')).toEqual(['! streamerIdentified UnknownStreamer']);
    expect(world.says('s1', { type: 'endpointId', id: 'late' })).toContain(
      '! streamerIdentified late',
    );
    expect(world.waits('s1')).toEqual([]);
  });
});

describe('who may subscribe', () => {
  const subscribe = { type: 'subscribe', streamerId: 'demo' };

  it('refuses a streamer that does not exist', () => {
    const world = new World();
    world.connect('p1');
    expect(world.says('p1', subscribe)).toEqual([
      'p1 <- subscribeFailed {"message":"Streamer demo does not exist."}',
    ]);
  });

  it('lets one presenter in, and the next when it has gone', () => {
    const world = new World(PRESENTER).streamer('s1', 'demo').player('p1', 'demo');
    world.connect('p2');
    expect(world.says('p2', subscribe)).toEqual([
      'p2 <- subscribeFailed {"message":"Streamer demo already has a presenter. Only one can control it at a time."}',
    ]);
    expect(world.says('p2', { type: 'answer', sdp: SDP })).toEqual([
      'ignored unroutable: answer before subscribe',
    ]);
    expect(world.closes('p1')).toEqual([
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
      '! seatReleased demo 101 the presenter was disconnected',
    ]);
    expect(world.says('p2', subscribe)).toContain('! presenterConnected demo 102');
  });

  it('lets the presenter subscribe again for a fresh connection, and another present elsewhere', () => {
    const world = new World(PRESENTER)
      .streamer('s1', 'demo')
      .streamer('s2', 'other')
      .player('p1', 'demo')
      .player('p2', 'other');
    expect(world.says('p1', subscribe)).toEqual([
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
      's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false}',
      '! presenterConnected demo 101',
    ]);
    expect(world.says('p1', { type: 'subscribe', streamerId: 'other' })).toEqual([
      'p1 <- subscribeFailed {"message":"Streamer other already has a presenter. Only one can control it at a time."}',
    ]);
    expect(world.says('s1', { type: 'offer', sdp: SDP, playerId: '101' })).toHaveLength(1);
  });

  it.each([PRESENTER, { ...OPEN, maxPlayers: 1 }])('exempts the ingest in mode $mode', (rules) => {
    const world = new World(rules).streamer('s1', 'demo').player('i1', 'demo');
    world.connect('p1');
    expect(world.says('p1', subscribe)).toContain('! presenterConnected demo 102');
    world.connect('i2');
    expect(world.says('i2', subscribe)).toEqual([
      's1 <- playerConnected {"playerId":"103","dataChannel":true,"sfu":false}',
    ]);
  });

  it('fills up at maxPlayers in mode open, and never counts a player against itself', () => {
    const world = new World({ ...OPEN, maxPlayers: 2 })
      .streamer('s1', 'demo')
      .player('p1', 'demo')
      .player('p2', 'demo');
    world.connect('p3');
    expect(world.says('p3', subscribe)).toEqual([
      'p3 <- subscribeFailed {"message":"Streamer demo is full. Max players = 2."}',
    ]);
    expect(world.says('p2', subscribe)).toContain('! presenterConnected demo 102');
  });
});

describe('leaving', () => {
  it('closes the players of a streamer that goes, and no others', () => {
    const world = new World()
      .streamer('s1', 'demo')
      .streamer('s2', 'other')
      .player('p1', 'demo')
      .player('p2', 'other')
      .player('i1', 'demo');
    expect(world.closes('s1')).toEqual([
      '! presenterGone demo 101',
      'p1 closed 1000 The streamer disconnected.',
      'i1 closed 1000 The streamer disconnected.',
      '! streamerGone demo',
    ]);
    expect(world.closes('p1')).toEqual([]);
    expect(world.says('p1', { type: 'listStreamers' })).toEqual([]);
    expect(world.says('p2', { type: 'listStreamers' })).toEqual([
      'p2 <- streamerList {"ids":["other"]}',
    ]);
  });

  it('lets a streamer disconnect its own player, by text or number, with a reason', () => {
    const world = new World().streamer('s1', 'demo').streamer('s2', 'other').player('p1', 'demo');
    const order = { type: 'disconnectPlayer', playerId: 101, reason: 'idle' };
    expect(world.says('s2', order)).toEqual(['ignored unroutable: disconnectPlayer for 101']);
    expect(world.says('s1', order)).toEqual([
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
      'p1 closed 1011 idle',
    ]);
    expect(world.closes('p1')).toEqual([]);
  });

  it('never gives a player id twice', () => {
    const world = new World().streamer('s1', 'demo').player('p1', 'demo');
    world.closes('p1');
    world.connect('p2');
    expect(world.says('p2', { type: 'subscribe', streamerId: 'demo' })[0]).toContain('"102"');
  });
});

describe('what does not fit', () => {
  it('drops messages of a streamer for players that are not its own', () => {
    const world = new World().streamer('s1', 'demo').streamer('s2', 'other').player('p1', 'demo');
    for (const playerId of ['101', '999', undefined]) {
      expect(world.says('s2', { type: 'offer', sdp: SDP, playerId })).toEqual([
        `ignored unroutable: offer for ${playerId ?? 'nobody'}`,
      ]);
    }
  });

  it.each([
    ['is not SDP', 'hello', 'answer.sdp is not SDP'],
    ['is a number', 7, 'answer.sdp is not text of at most 262144 characters'],
  ])(
    'refuses an answer whose sdp %s to the player, and frees the streamer',
    (_what, sdp, reason) => {
      const world = new World().streamer('s1', 'demo').player('p1', 'demo');
      expect(world.says('p1', { type: 'answer', sdp })).toEqual([
        `ignored invalid: ${reason}`,
        's1 <- playerDisconnected {"playerId":"101"}',
        '! presenterGone demo 101',
        `p1 <- subscribeFailed {"message":"Refused: ${reason}."}`,
      ]);
    },
  );

  it.each([
    ['is not SDP', 'hello', 'offer.sdp is not SDP'],
    ['is a number', 7, 'offer.sdp is not text of at most 262144 characters'],
  ])(
    'ends the subscription on an offer whose sdp %s, and keeps the streamer',
    (_what, sdp, reason) => {
      const world = new World().streamer('s1', 'demo').player('p1', 'demo').player('p2', 'demo');
      expect(world.says('s1', { type: 'offer', sdp, playerId: '101' })).toEqual([
        `ignored invalid: ${reason}`,
        's1 <- playerDisconnected {"playerId":"101"}',
        '! presenterGone demo 101',
        `p1 <- subscribeFailed {"message":"The streamer's ${reason}."}`,
      ]);
      expect(world.says('s1', { type: 'offer', sdp: SDP, playerId: '102' })).toHaveLength(1);
    },
  );

  it('tells a player why it is not subscribed to a number', () => {
    const world = new World();
    world.connect('p1');
    expect(world.says('p1', { type: 'subscribe', streamerId: 7 })[1]).toBe(
      'p1 <- subscribeFailed {"message":"subscribe.streamerId is not text of at most 256 characters."}',
    );
  });

  it.each(['s1', 'p1', 'i1'])('sends nothing for nonsense from %s', (name) => {
    const world = new World();
    world.connect(name);
    const before = world.registry;
    for (const nonsense of [
      'null',
      '[]',
      '7',
      '{',
      '{"type":"x"}',
      '{"type":7}',
      '{"type":"config","peerConnectionOptions":{}}',
      '{"type":"playerConnected"}',
    ]) {
      expect(world.says(name, nonsense)).toEqual([expect.stringMatching(/^ignored /)]);
    }
    expect(snapshotOf(world.registry, 0)).toEqual(snapshotOf(before, 0));
  });

  it('lets a player subscribe only as a player: a streamer that asks is ignored', () => {
    const world = new World().streamer('s1', 'demo').streamer('s2', 'other');
    expect(world.says('s2', { type: 'subscribe', streamerId: 'demo' })).toEqual([
      'ignored not_expected: subscribe',
    ]);
  });

  it('keeps to one presenter whatever is said', () => {
    const name = fc.constantFrom('s1', 's2', 'p1', 'p2', 'p3', 'i1');
    const message = fc.record(
      {
        type: fc.constantFrom(...SIGNALLING_TYPES),
        streamerId: fc.constantFrom('a', 'b', 'c'),
        id: fc.constantFrom('a', 'b'),
        sdp: fc.constantFrom(SDP, 'no'),
        playerId: fc.constantFrom('101', '102', '103', '104', 101),
        candidate: fc.constant(null),
      },
      { requiredKeys: ['type', 'streamerId', 'id', 'sdp'] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, message), { maxLength: 60 }), (lines) => {
        const world = new World(PRESENTER).streamer('s1', 'a').streamer('s2', 'b');
        ['p1', 'p2', 'p3', 'i1'].forEach((player) => world.connect(player));
        for (const [who, line] of lines) {
          world.says(who, line);
          for (const { subscribers } of snapshotOf(world.registry, 0).streamers) {
            expect(subscribers.length).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });
});

describe("Epic's REST shapes", () => {
  it('count and list players, and never the ingest or an address', () => {
    const world = new World().streamer('s1', 'demo').player('i1', 'demo').player('p1', 'demo');
    world.connect('p2');
    world.connect('s2');
    const snapshot = snapshotOf(world.registry, 1234.6);
    const presenter = { playerId: '102', type: 'Player', subscribedTo: 'demo', remoteAddress: '' };
    expect(statusView(snapshot)).toEqual({
      uptime: 1235,
      streamer_count: 2,
      player_count: 2,
      version: '1.3.0',
    });
    expect(playersView(snapshot)).toEqual([
      presenter,
      { playerId: '103', type: 'Player', subscribedTo: null, remoteAddress: '' },
    ]);
    expect(streamersView(snapshot)).toEqual([
      {
        streamerId: 'demo',
        type: 'Streamer',
        streaming: true,
        remoteAddress: '',
        subscribers: [presenter],
      },
      {
        streamerId: 'UnknownStreamer',
        type: 'Streamer',
        streaming: false,
        remoteAddress: '',
        subscribers: [],
      },
    ]);
  });
});
