/**
 * Wilbur's protocol in mode `open`, one test for each row of the catalogue and each rule, with the
 * lines that a peer must see. Where ours differs from Wilbur on purpose, the test says so.
 */
import { describe, expect, it } from 'vitest';
import { listedIds } from '../registry.ts';
import { configView, playersView, snapshotOf, statusView, streamersView } from '../view.ts';
import { known, OPEN, SDP, World } from './testWorld.ts';

const demo = (): World => new World().streamer('s1', 'demo');
const pair = (): World => demo().player('p1', 'demo');
/** A streamer `demo`, an SFU `SFU` that watches it, and a player of the SFU. */
function withSfu(): World {
  const world = demo();
  world.connect('f1');
  world.says('f1', { type: 'endpointId', id: 'SFU' });
  world.says('f1', { type: 'subscribe', streamerId: 'demo' });
  return world.player('p1', 'SFU');
}
const CONFIG = ' <- config {"peerConnectionOptions":{},"protocolVersion":"1.3.0"}';
const subscribe = (streamerId: string) => ({ type: 'subscribe', streamerId });

describe('every message', () => {
  it.each(['s1', 'p1', 'f1', 'i1'])('config comes first and once to %s', (name) => {
    expect(new World().connect(name)[0]).toBe(name + CONFIG);
  });

  it('config comes to a player where there is no streamer', () => {
    expect(new World().connect('p1')).toEqual([`p1${CONFIG}`]);
  });

  it('identify follows config for streamers and SFUs, and players never get it', () => {
    expect(new World().connect('s1')).toEqual([`s1${CONFIG}`, 's1 <- identify {}']);
    expect(new World().connect('f1')).toEqual([`f1${CONFIG}`, 'f1 <- identify {}']);
  });

  it('endpointId is always answered by endpointIdConfirm, again and again', () => {
    const world = new World();
    world.connect('s1');
    for (const id of ['a', 'a', 'b']) {
      expect(world.says('s1', { type: 'endpointId', id })).toContain(
        `s1 <- endpointIdConfirm {"committedId":"${id}"}`,
      );
    }
  });

  it('streamerIdChanged tells the subscribers of a rename, an SFU too', () => {
    const lines = withSfu().says('s1', { type: 'endpointId', id: 'new' });
    expect(lines).toContain('f1 <- streamerIdChanged {"newID":"new"}');
    expect(lines.filter((line) => line.startsWith('p1'))).toEqual([]);
  });

  it('listStreamers gives a player those that stream, an SFU all and itself', () => {
    const world = demo();
    world.connect('s2');
    world.connect('f1');
    world.connect('p1');
    expect(world.says('p1', { type: 'listStreamers' })).toEqual([
      'p1 <- streamerList {"ids":["demo"]}',
    ]);
    expect(world.says('f1', { type: 'listStreamers' })).toEqual([
      'f1 <- streamerList {"ids":["demo","UnknownStreamer","UnknownStreamer1"]}',
    ]);
  });

  it('subscribe again, even to the same streamer, is unsubscribe and subscribe', () => {
    expect(pair().says('p1', subscribe('demo'))).toEqual([
      's1 <- playerDisconnected {"playerId":"101"}',
      '! presenterGone demo 101',
      's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false}',
      '! presenterConnected demo 101',
    ]);
  });

  it('unsubscribe may be repeated', () => {
    const world = pair();
    expect(world.says('p1', { type: 'unsubscribe' })[0]).toBe(
      's1 <- playerDisconnected {"playerId":"101"}',
    );
    expect(world.says('p1', { type: 'unsubscribe' })).toEqual([]);
  });

  it('subscribeFailed has the texts that Epic shows', () => {
    const world = new World({ ...OPEN, maxPlayers: 1 }).streamer('s1', 'demo').player('p1', 'demo');
    world.connect('p2');
    expect(world.says('p2', subscribe('nope'))).toEqual([
      'p2 <- subscribeFailed {"message":"Streamer nope does not exist."}',
    ]);
    expect(world.says('p2', subscribe('demo'))).toEqual([
      'p2 <- subscribeFailed {"message":"Streamer demo is full. Max players = 1."}',
    ]);
  });

  it('playerConnected has exactly three fields; sfu is true for an SFU', () => {
    const world = demo();
    world.connect('f1');
    expect(world.says('f1', subscribe('demo'))).toEqual([
      's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":true}',
    ]);
    world.says('f1', { type: 'startStreaming' });
    world.connect('p1');
    expect(world.says('p1', subscribe('UnknownStreamer'))[0]).toBe(
      'f1 <- playerConnected {"playerId":"102","dataChannel":true,"sfu":false}',
    );
  });

  it('playerDisconnected comes when a player leaves or its socket closes', () => {
    expect(pair().closes('p1')[0]).toBe('s1 <- playerDisconnected {"playerId":"101"}');
  });

  it('offer goes from a streamer with its fields, from an SFU without the playerId', () => {
    const offer = { type: 'offer', sdp: SDP, scalabilityMode: 'L1T3', x: { y: [null] } };
    expect(pair().says('s1', { ...offer, playerId: '101' })).toEqual([
      `p1 <- offer {"sdp":"v=0\\r\\n","scalabilityMode":"L1T3","x":{"y":[null]},"playerId":"101"}`,
    ]);
    expect(withSfu().says('f1', { ...offer, sfu: true, playerId: '102' })).toEqual([
      `p1 <- offer {"sdp":"v=0\\r\\n","scalabilityMode":"L1T3","x":{"y":[null]},"sfu":true}`,
    ]);
  });

  it('answer goes to the streamer with its bit rates, stamped; an SFU answers as a player', () => {
    const answer = { type: 'answer', sdp: SDP, minBitrateBps: 0, maxBitrateBps: 5e6 };
    expect(pair().says('p1', { ...answer, playerId: '999' })).toEqual([
      's1 <- answer {"sdp":"v=0\\r\\n","minBitrateBps":0,"maxBitrateBps":5000000,"playerId":"101"}',
    ]);
    expect(withSfu().says('f1', { type: 'answer', sdp: SDP })).toEqual([
      's1 <- answer {"sdp":"v=0\\r\\n","playerId":"101"}',
    ]);
  });

  it('iceCandidate goes both ways before any answer; from an SFU it is dropped', () => {
    const ice = { type: 'iceCandidate', candidate: { candidate: 'c', sdpMid: '0' } };
    const world = pair();
    const fields = '{"candidate":{"candidate":"c","sdpMid":"0"},"playerId":"101"}';
    expect(world.says('s1', { ...ice, playerId: '101' })).toEqual([`p1 <- iceCandidate ${fields}`]);
    expect(world.says('p1', ice)).toEqual([`s1 <- iceCandidate ${fields}`]);
    expect(withSfu().says('f1', { ...ice, playerId: '102' })).toEqual([
      'ignored not_expected: iceCandidate',
    ]);
  });

  it('disconnectPlayer closes with 1011 and the reason', () => {
    expect(
      pair().says('s1', { type: 'disconnectPlayer', playerId: '101', reason: 'afk' }),
    ).toContain('p1 closed 1011 afk');
  });

  it.each(['s1', 'p1', 'f1'])('ping of %s is answered with the same time', (name) => {
    const world = new World();
    world.connect(name);
    expect(world.says(name, { type: 'ping', time: 0.25 })).toEqual([
      `${name} <- pong {"time":0.25}`,
    ]);
    expect(world.says(name, { type: 'pong', time: 1 })).toEqual([]);
  });

  it('streamerDisconnected goes to an SFU only, which stays; its players are closed', () => {
    const lines = withSfu().closes('s1');
    expect(lines).toContain('f1 <- streamerDisconnected {}');
    expect(lines).toContain('p1 closed 1000 The streamer disconnected.');
    expect(lines.some((line) => line.startsWith('f1 closed'))).toBe(false);
  });

  it('layerPreference goes from a player to its streamer or SFU, from a streamer to its SFU', () => {
    const layers = { type: 'layerPreference', spatialLayer: 1, temporalLayer: 2, playerId: '7' };
    const fields = '{"spatialLayer":1,"temporalLayer":2,"playerId":';
    expect(pair().says('p1', layers)).toEqual([`s1 <- layerPreference ${fields}"101"}`]);
    const world = withSfu();
    expect(world.says('p1', layers)).toEqual([`f1 <- layerPreference ${fields}"102"}`]);
    expect(world.says('s1', layers)).toEqual([`f1 <- layerPreference ${fields}"7"}`]);
  });

  it.each(['dataChannelRequest', 'peerDataChannelsReady'])(
    '%s goes to the SFU, stamped',
    (type) => {
      expect(withSfu().says('p1', { type })).toEqual([`f1 <- ${type} {"playerId":"102"}`]);
    },
  );

  it('peerDataChannels goes from the SFU to the player without the playerId', () => {
    const ids = { sendStreamId: 1, recvStreamId: 2 };
    expect(withSfu().says('f1', { type: 'peerDataChannels', playerId: '102', ...ids })).toEqual([
      'p1 <- peerDataChannels {"sendStreamId":1,"recvStreamId":2}',
    ]);
  });

  it("streamerDataChannels goes to the streamer with the SFU's own id, and keeps the playerId", () => {
    const ids = { sendStreamId: 1, recvStreamId: 2 };
    expect(withSfu().says('f1', { type: 'streamerDataChannels', playerId: '102', ...ids })).toEqual(
      [
        's1 <- streamerDataChannels {"playerId":"102","sendStreamId":1,"recvStreamId":2,"sfuId":"101"}',
      ],
    );
  });

  it('startStreaming lists an SFU, stopStreaming takes it off and closes its players', () => {
    const world = withSfu();
    expect(world.says('f1', { type: 'stopStreaming' })).toContain(
      'p1 closed 1000 The streamer disconnected.',
    );
    expect(listedIds(world.registry)).toEqual(['demo']);
    world.says('f1', { type: 'startStreaming' });
    expect(listedIds(world.registry)).toEqual(['demo', 'SFU']);
  });

  it('playerCount is never sent', () => {
    const world = pair();
    world.connect('p2');
    world.closes('p2');
    const sent = world.effects.flatMap((effect) =>
      effect.kind === 'send' ? [effect.message] : [],
    );
    expect(sent.some((message) => message['type'] === 'playerCount')).toBe(false);
  });

  it.each(['stats', 'warning', 'playerCount'])('%s from a player has no effect', (type) => {
    const fields = { stats: { data: '{}' }, warning: { warning: 'w' }, playerCount: { count: 1 } };
    const lines = pair().says('p1', { type, ...fields[type as keyof typeof fields] });
    expect(lines.filter((line) => !line.startsWith('ignored'))).toEqual([]);
  });

  it.each(['authenticationRequired', 'instanceState', 'anything'])(
    '%s is unknown, is ignored, and the connection stays',
    (type) => {
      const world = pair();
      expect(world.says('p1', { type })).toEqual([`ignored unknown_type: ${type}`]);
      expect(world.says('p1', { type: 'ping', time: 1 })).toHaveLength(1);
    },
  );
});

describe('streamer ids', () => {
  it('begin as UnknownStreamer: not listed, and can be subscribed to by name', () => {
    const world = new World();
    world.connect('s1');
    world.connect('s2');
    expect(listedIds(world.registry)).toEqual([]);
    world.connect('p1');
    expect(world.says('p1', subscribe('UnknownStreamer1'))[0]).toBe(
      's2 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false}',
    );
    expect(world.says('s2', { type: 'endpointId', id: 'named' })).toContain(
      'p1 <- streamerIdChanged {"newID":"named"}',
    );
  });

  it('yield to a streamer that asks for the name of a nameless one', () => {
    const world = new World();
    world.connect('s1');
    world.streamer('s2', 'UnknownStreamer');
    expect(listedIds(world.registry)).toEqual(['UnknownStreamer']);
    world.waits('s1');
    expect(listedIds(world.registry)).toEqual(['UnknownStreamer1', 'UnknownStreamer']);
  });

  it('of a holder that answers a ping go to nobody else', () => {
    const world = new World({ ...OPEN, collision: 'probe' }).streamer('s1', 'demo');
    world.connect('s2');
    expect(world.says('s2', { type: 'endpointId', id: 'demo' })).toEqual(['probe s1']);
    expect(world.probed('s1', true)).toEqual([
      's2 <- endpointIdConfirm {"committedId":"demo1"}',
      '! streamerIdentified demo1',
    ]);
  });

  it('of a holder that does not answer go to the new one, and its players come back', () => {
    const world = new World({ ...OPEN, collision: 'probe' })
      .streamer('s1', 'demo')
      .player('p1', 'demo');
    world.connect('s2');
    world.says('s2', { type: 'endpointId', id: 'demo' });
    expect(world.says('s2', { type: 'endpointId', id: 'later' })).toEqual([]);
    expect(world.probed('s1', false)).toEqual([
      '! presenterGone demo 101',
      'p1 closed 1000 The streamer disconnected.',
      '! streamerGone demo',
      's1 closed 1008 Another streamer has taken over this id.',
      's2 <- endpointIdConfirm {"committedId":"demo"}',
      '! streamerIdentified demo',
      's2 <- endpointIdConfirm {"committedId":"later"}',
      '! streamerRenamed demo later',
      '! streamerIdentified later',
    ]);
    expect(world.closes('s1')).toEqual([]);
  });

  it('are given when the holder closes while it is pinged', () => {
    const world = new World({ ...OPEN, collision: 'probe' }).streamer('s1', 'demo');
    world.connect('s2');
    world.says('s2', { type: 'endpointId', id: 'demo' });
    world.closes('s1');
    expect(world.probed('s1', false)).toContain('s2 <- endpointIdConfirm {"committedId":"demo"}');
  });

  it('may be refused on a collision', () => {
    const world = new World({ ...OPEN, collision: 'reject' }).streamer('s1', 'demo');
    world.connect('s2');
    expect(world.says('s2', { type: 'endpointId', id: 'demo' })).toContain(
      's2 closed 1008 Streamer id demo is taken.',
    );
  });

  it('are held to what the token of a streamer allows', () => {
    const world = new World();
    const identity = {
      kind: 'identity',
      role: 'streamer',
      subject: 'ue',
      streamerIds: ['a'],
    } as const;
    world.connect('s1', { identity });
    expect(world.says('s1', { type: 'endpointId', id: 'b' })).toContain(
      's1 closed 1008 The token does not allow the id b.',
    );
  });

  it('of a token are given to a silent streamer, and never with a number behind', () => {
    const world = new World();
    const { identity } = known('ue', { role: 'streamer', streamerIds: ['a'] });
    world.connect('s1', { identity });
    expect(world.waits('s1')).toEqual(['! streamerIdentified a']);
    world.connect('s2', { identity });
    expect(world.says('s2', { type: 'endpointId', id: 'a' })).toContain(
      's2 closed 1008 Streamer id a is taken.',
    );
  });
});

describe('player ids', () => {
  it('are decimal text from 101, and never used again', () => {
    const world = pair();
    world.closes('p1');
    expect(world.player('p2', 'demo').effects.at(-2)).toMatchObject({
      message: { playerId: '102' },
    });
  });

  it('are read from a streamer as numbers too', () => {
    expect(pair().says('s1', { type: 'offer', sdp: SDP, playerId: 101 })[0]).toContain(
      '"playerId":"101"',
    );
  });
});

describe('subscriptions', () => {
  it('are limited for each streamer, and SFUs and the ingest do not count', () => {
    const world = new World({ ...OPEN, maxPlayers: 1 })
      .streamer('s1', 'demo')
      .streamer('s2', 'other')
      .player('i1', 'demo')
      .player('f1', 'demo')
      .player('p1', 'demo');
    world.connect('p2');
    expect(world.says('p2', subscribe('demo'))[0]).toContain('is full');
    expect(world.says('p2', subscribe('other'))[0]).toContain('s2 <- playerConnected');
  });

  it.each(['offer', 'answer', 'iceCandidate', 'layerPreference'])(
    'are made to the first streamer, named or not, for a player whose first word is %s',
    (type) => {
      const world = new World();
      world.connect('s1');
      world.streamer('s2', 'demo');
      world.connect('p1');
      const message = { type, sdp: SDP, candidate: null, spatialLayer: 0, temporalLayer: 0 };
      expect(world.says('p1', message)).toEqual([
        's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false}',
        '! presenterConnected UnknownStreamer 101',
        expect.stringContaining(`s1 <- ${type}`),
      ]);
    },
  );

  it('are not made for a player that has chosen before (Wilbur would)', () => {
    const world = pair();
    world.says('p1', { type: 'unsubscribe' });
    expect(world.says('p1', { type: 'iceCandidate', candidate: null })).toEqual([
      'ignored unroutable: iceCandidate before subscribe',
    ]);
  });

  it('of a full streamer are refused to a player that offers, which kills Wilbur', () => {
    const world = new World({ ...OPEN, maxPlayers: 1 }).streamer('s1', 'demo').player('p1', 'demo');
    world.connect('p2');
    expect(world.says('p2', { type: 'offer', sdp: SDP })).toEqual([
      'p2 <- subscribeFailed {"message":"Streamer demo is full. Max players = 1."}',
      'ignored unroutable: offer before subscribe',
    ]);
  });

  it('end the connection of a player that talks where there is no streamer', () => {
    const world = new World();
    world.connect('p1');
    expect(world.says('p1', { type: 'offer', sdp: SDP })).toContain(
      'p1 closed 1013 Streamer is not connected.',
    );
  });

  it('end with the streamer: its players are closed (here with a reason, and never 1001)', () => {
    expect(pair().closes('s1')).toEqual([
      '! presenterGone demo 101',
      'p1 closed 1000 The streamer disconnected.',
      '! streamerGone demo',
    ]);
  });

  it('of others are out of reach: an offer without or with a foreign playerId is dropped', () => {
    const world = pair().streamer('s2', 'other');
    for (const playerId of [undefined, '999', '101']) {
      expect(world.says('s2', { type: 'offer', sdp: SDP, playerId })[0]).toMatch(/^ignored/);
    }
  });

  it('are refused to an observer, in words', () => {
    const world = demo();
    world.connect('p1', { identity: { kind: 'identity', role: 'observer', subject: 'eve' } });
    expect(world.says('p1', subscribe('demo'))).toEqual([
      'p1 <- subscribeFailed {"message":"You may watch streamer demo, not control it: open its watch page."}',
    ]);
  });

  it('of an SFU go nowhere but to a streamer: not to itself, and nothing fails loudly', () => {
    const world = demo();
    world.connect('f1');
    expect(world.says('f1', subscribe('UnknownStreamer'))[0]).toMatch(/^ignored unroutable/);
    expect(world.says('f1', subscribe('nope'))[0]).toMatch(/^ignored unroutable/);
  });
});

describe('older versions', () => {
  const legacy = { traits: { isLegacy: true, offersToReceive: false } };

  it('4.26 and 4.27: no identify, no playerConnected, numbers for ids, and the player offers', () => {
    const world = new World();
    expect(world.connect('s1', legacy)).toEqual([`s1${CONFIG}`]);
    world.waits('s1');
    world.connect('p1');
    expect(world.says('p1', { type: 'offer', sdp: SDP })).toEqual([
      '! presenterConnected UnknownStreamer 101',
      's1 <- offer {"sdp":"v=0\\r\\n","playerId":101}',
    ]);
    expect(world.says('s1', { type: 'answer', sdp: SDP, playerId: 101 })).toEqual([
      'p1 <- answer {"sdp":"v=0\\r\\n","playerId":"101"}',
    ]);
    expect(world.says('p1', { type: 'iceCandidate', candidate: { candidate: 'c' } })).toEqual([
      's1 <- iceCandidate {"candidate":{"candidate":"c"},"playerId":101}',
    ]);
    expect(world.closes('p1')[0]).toBe('s1 <- playerDisconnected {"playerId":101}');
  });

  it('5.0 and 5.1: a player that stays silent gets the only streamer', () => {
    const world = demo();
    world.connect('p1');
    expect(world.isSilent('p1')[0]).toContain('s1 <- playerConnected');
  });

  it('5.0 and 5.1: one that has spoken gets none, nor where there are two', () => {
    const world = demo();
    world.connect('p1');
    world.says('p1', { type: 'listStreamers' });
    expect(world.isSilent('p1')).toEqual([]);
    world.streamer('s2', 'other');
    world.connect('p2');
    expect(world.isSilent('p2')).toEqual([]);
  });

  it('5.2 to 5.4: OfferToReceive adds sendOffer, and only then', () => {
    const world = demo();
    world.connect('p1', { traits: { isLegacy: false, offersToReceive: true } });
    expect(world.says('p1', subscribe('demo'))[0]).toBe(
      's1 <- playerConnected {"playerId":"101","dataChannel":true,"sfu":false,"sendOffer":false}',
    );
  });

  it('5.2 to 5.4: a streamer that stays silent is listed, which Wilbur never does', () => {
    const world = new World();
    world.connect('s1');
    expect(world.waits('s1')).toEqual(['! streamerIdentified UnknownStreamer']);
    expect(listedIds(world.registry)).toEqual(['UnknownStreamer']);
  });

  it('5.5 with BrowserSendOffer: an offer as the first word subscribes', () => {
    const world = demo();
    world.connect('p1');
    expect(world.says('p1', { type: 'offer', sdp: SDP }).at(-1)).toBe(
      's1 <- offer {"sdp":"v=0\\r\\n","playerId":"101"}',
    );
  });
});

describe('REST', () => {
  it('/api/status', () => {
    expect(statusView(snapshotOf(withSfu().registry, 12))).toEqual({
      uptime: 12,
      streamer_count: 2,
      player_count: 2,
      version: '1.3.0',
    });
  });

  it('/api/streamers and /api/players name SFUs, and no address', () => {
    const snapshot = snapshotOf(withSfu().registry, 0);
    const sfu = { playerId: '101', type: 'SFU', subscribedTo: 'demo', remoteAddress: '' };
    const player = { playerId: '102', type: 'Player', subscribedTo: 'SFU', remoteAddress: '' };
    expect(playersView(snapshot)).toEqual([sfu, player]);
    expect(streamersView(snapshot)).toEqual([
      {
        streamerId: 'demo',
        type: 'Streamer',
        streaming: true,
        remoteAddress: '',
        subscribers: [sfu],
      },
      { streamerId: 'SFU', type: 'SFU', streaming: true, remoteAddress: '', subscribers: [player] },
    ]);
  });

  it('/api/config has the shape and no secret', () => {
    expect(configView({ streamers: { port: 8888 }, sfu: { port: 8889 }, maxPlayers: 3 })).toEqual({
      config: { streamerPort: 8888, sfuPort: 8889, maxSubscribers: 3 },
      protocolConfig: { protocolVersion: '1.3.0', peerConnectionOptions: {} },
    });
  });
});
