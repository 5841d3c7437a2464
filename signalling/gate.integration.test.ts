/** Real sockets at the gate: admission, origins, rates, the port of SFUs, and hands over the seat. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type CloseStack, closeStack } from '../infra/kernel/lifecycle.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import type { Admission } from './admission.ts';
import { nextEvent, openHouse, Peer } from './testPeer.ts';

const SDP = 'v=0\r\n';

let stack: CloseStack;
beforeEach(() => {
  stack = closeStack((error) => {
    throw error;
  });
});
afterEach(() => stack.close('test over'));

const statusOf = (url: string, headers = {}): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    socket.on('error', () => undefined);
    socket.once('unexpected-response', (_request, response) => {
      socket.terminate();
      resolve(response.statusCode);
    });
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
  });

/** `?name=ann&role=observer` is who you are; no name is nobody. */
const BY_QUERY: Admission = {
  admit({ query }) {
    const subject = query.get('name');
    const role = query.get('role') === 'observer' ? 'observer' : 'presenter';
    const ms = query.get('expires');
    return Promise.resolve(
      subject === undefined
        ? { kind: 'refusal', status: 401, reason: 'Your link has no token.' }
        : {
            ...{ kind: 'identity', role, subject },
            ...(ms === undefined ? {} : { expiresMs: Number(ms) }),
          },
    );
  },
};

describe('admission', () => {
  it('tells a player in words that its frontend shows, and answers a streamer with 401', async () => {
    const house = await openHouse(stack, {}, { admission: BY_QUERY });
    const nobody = new Peer(`${house.playerUrl}/`);
    expect(await nobody.closed).toEqual({ code: 1008, reason: 'Your link has no token.' });
    expect(nobody.log).toEqual([{ type: 'subscribeFailed', message: 'Your link has no token.' }]);
    expect(await statusOf(house.streamerUrl)).toBe(401);
    expect(await statusOf(`${house.streamerUrl}/?name=ue`)).toBe(101);
    await house.ingest();
  });

  it('lets an observer list, and not subscribe', async () => {
    const house = await openHouse(stack, {}, { admission: BY_QUERY });
    await house.streamer('demo', '/?name=ue');
    const observer = await house.player('/?name=eve&role=observer');
    observer.say({ type: 'listStreamers' });
    expect(await observer.next('streamerList')).toMatchObject({ ids: ['demo'] });
    observer.say({ type: 'subscribe', streamerId: 'demo' });
    expect(await observer.next('subscribeFailed')).toMatchObject({
      message: 'You may watch streamer demo, not control it: open its watch page.',
    });
  });

  it('answers a subprotocol, and never the one that is a token', async () => {
    const house = await openHouse(stack, {});
    const peer = new WebSocket(house.playerUrl, ['grandstand.bearer.a.b.c', 'grandstand']);
    await once(peer, 'open');
    expect(peer.protocol).toBe('grandstand');
    peer.terminate();
  });

  it('ends with the token', async () => {
    const house = await openHouse(stack, {}, { admission: BY_QUERY });
    const player = await house.player(`/?name=ann&expires=${Date.now() + 30}`);
    expect(await player.closed).toEqual({ code: 1008, reason: 'Your token has ended.' });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('plugin is down'))],
    [
      'throws',
      () => {
        throw new Error('plugin is broken');
      },
    ],
    ['does not answer', () => new Promise<never>(() => undefined)],
  ])('that %s is a refusal', async (_what, admit) => {
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (_f: object, text: string) => void errors.push(text) };
    const deps = { admission: { admit }, logger };
    const house = await openHouse(stack, { admissionTimeoutMs: 20 }, deps);
    expect(await statusOf(house.streamerUrl)).toBe(503);
    expect(await new Peer(house.playerUrl).closed).toMatchObject({ code: 1008 });
  });

  it('counts those at the door: many at once do not pass the limit', async () => {
    const asked = Promise.withResolvers<undefined>();
    const admit: Admission['admit'] = () =>
      asked.promise.then(() => ({ kind: 'identity', role: 'presenter', subject: undefined }));
    const house = await openHouse(stack, { maxConnections: 2 }, { admission: { admit } });
    const states: (number | undefined)[] = [];
    const all = Array.from({ length: 6 }, () =>
      statusOf(house.playerUrl).then((status) => {
        states.push(status);
        if (states.length === 4) {
          asked.resolve(undefined);
        }
      }),
    );
    await Promise.all(all);
    expect(states).toEqual([503, 503, 503, 503, 101, 101]);
  });
});

describe('limits', () => {
  it('let in the origins that are allowed, and programs', async () => {
    const house = await openHouse(stack, { allowedOrigins: ['https://a.example'] });
    expect(await statusOf(house.playerUrl, { Origin: 'https://b.example' })).toBe(403);
    expect(await statusOf(house.playerUrl, { Origin: 'https://a.example' })).toBe(101);
    expect(await statusOf(house.playerUrl)).toBe(101);
  });

  it('answer 429 to an address that connects too often, behind a proxy too', async () => {
    const connectionRate = { perSecond: 0.001, burst: 2 };
    const house = await openHouse(stack, { connectionRate, proxies: 1 });
    const from = (address: string) => statusOf(house.playerUrl, { 'X-Forwarded-For': address });
    expect([await from('1.1.1.1'), await from('1.1.1.1'), await from('1.1.1.1')]).toEqual([
      ...[101, 101, 429],
    ]);
    expect(await from('2.2.2.2')).toBe(101);
    await house.ingest();
  });

  it('close a player that talks too much with 1008, and no other', async () => {
    const house = await openHouse(stack, { messageRate: { perSecond: 0.001, burst: 3 } });
    const streamer = await house.streamer('demo');
    const player = await house.player();
    for (let time = 0; time < 4; time += 1) {
      player.say({ type: 'ping', time });
    }
    expect(await player.closed).toEqual({ code: 1008, reason: 'too many messages' });
    expect(player.log.filter(({ type }) => type === 'pong')).toHaveLength(3);
    await streamer.answers();
  });

  it('let a player subscribe now and then, not as fast as it can', async () => {
    const house = await openHouse(stack, { mode: 'open' });
    const unreal = await house.streamer('demo');
    const player = await house.player();
    for (let turn = 0; turn < 50; turn += 1) {
      player.say({ type: 'subscribe', streamerId: 'demo' });
    }
    await player.answers();
    await unreal.answers();
    const connected = unreal.log.filter(({ type }) => type === 'playerConnected').length;
    const refused = player.log.filter(({ type }) => type === 'subscribeFailed').length;
    expect(connected).toBeGreaterThanOrEqual(10);
    expect(connected).toBeLessThan(25);
    expect(connected + refused).toBe(50);
  });

  it('warn of a port that others reach', async () => {
    const warnings: unknown[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    await openHouse(stack, { streamers: { host: '0.0.0.0', port: 0 } }, { logger });
    expect(warnings).toEqual([{ setting: 'signalling.streamers', host: '0.0.0.0' }]);
  });
});

describe('peers', () => {
  it('get TURN credentials of their own, and a secret never', async () => {
    const turn = { urls: ['turn:t:3478'], secret: 'north', relayOnly: 'players' as const };
    const house = await openHouse(stack, { turn });
    const [one, two] = [await house.player(), await house.player()];
    const names = [one, two].map(({ log }) => {
      const text = JSON.stringify(log[0]);
      expect(text).not.toContain('north');
      expect(text).toContain('"iceTransportPolicy":"relay"');
      return /"username":"\d+:(\d+)"/.exec(text)?.[1];
    });
    expect(names).toEqual(['101', '102']);
  });

  it('may be an SFU on its own port, in mode open only', async () => {
    await expect(openHouse(stack, { sfu: { port: 0 } })).rejects.toThrow(/needs mode open/);
    const house = await openHouse(stack, { sfu: { port: 0 }, mode: 'open' });
    const streamer = await house.streamer('demo');
    const sfu = await house.sfu();
    sfu.say({ type: 'endpointId', id: 'SFU' });
    sfu.say({ type: 'subscribe', streamerId: 'demo' });
    expect(await streamer.next('playerConnected')).toMatchObject({ sfu: true });
    const player = await house.player();
    player.say({ type: 'subscribe', streamerId: 'SFU' });
    const { playerId } = await sfu.next('playerConnected');
    sfu.say({ type: 'offer', sdp: SDP, sfu: true, playerId });
    expect(await player.next('offer')).toEqual({ type: 'offer', sdp: SDP, sfu: true });
    streamer.socket.terminate();
    await sfu.next('streamerDisconnected');
    expect(await player.closed).toMatchObject({ code: 1000 });
    await sfu.answers();
  });

  it('with the id of a streamer that hangs replace it; of one that lives get a number', async () => {
    const house = await openHouse(stack, { probeTimeoutMs: 100 });
    const first = await house.streamer('demo');
    expect((await house.streamer('demo')).committedId).toBe('demo1');
    // Its machine is gone, the connection is not: no pong comes.
    first.socket.pause();
    expect((await house.streamer('demo')).committedId).toBe('demo');
    expect(house.signalling.snapshot().streamers.map(({ streamerId }) => streamerId)).toEqual([
      ...['demo1', 'demo'],
    ]);
    first.socket.resume();
  });

  it('of 4.27 are listed without a word, and the player offers', async () => {
    const house = await openHouse(stack, { mode: 'open' });
    const listed = nextEvent(house, 'streamerIdentified');
    const unreal = new Peer(`${house.streamerUrl}/?legacy=4.27`);
    await listed;
    const player = await house.player();
    player.say({ type: 'offer', sdp: SDP });
    expect(await unreal.next('offer')).toEqual({ type: 'offer', sdp: SDP, playerId: 101 });
    expect(unreal.log.map(({ type }) => type)).toEqual(['config', 'offer']);
  });

  it('ten at once get one seat; it is handed over 200 times, and never twice taken', async () => {
    const house = await openHouse(stack, {});
    const unreal = await house.streamer('demo');
    const players = await Promise.all(Array.from({ length: 10 }, () => house.player()));
    players.forEach((player) => player.say({ type: 'subscribe', streamerId: 'demo' }));
    await Promise.all(players.map((player) => player.answers()));
    expect(unreal.log.filter(({ type }) => type === 'playerConnected')).toHaveLength(1);
    const ids = house.signalling.snapshot().players.map(({ playerId }) => playerId);
    const held = (await house.signalling.peers()).seats[0]?.playerId;
    const others = ids.filter((id) => id !== held);
    for (let turn = 0; turn < 200; turn += 1) {
      const to = others[turn % others.length] ?? '';
      expect(
        await house.signalling.order({ kind: 'assign', streamerId: 'demo', playerId: to }),
      ).toEqual({ kind: 'done' });
    }
    await unreal.answers();
    const seen = unreal.log.flatMap(({ type, playerId }) =>
      type === 'playerConnected' || type === 'playerDisconnected' ? [{ type, playerId }] : [],
    );
    expect(seen).toHaveLength(401);
    seen.forEach(({ type, playerId }, index) => {
      expect(type).toBe(index % 2 === 0 ? 'playerConnected' : 'playerDisconnected');
      if (index % 2 === 1) {
        expect(playerId).toBe(seen[index - 1]?.playerId);
      }
    });
  });

  it('that are known keep the seat over a reconnect, and lose it after the grace', async () => {
    const house = await openHouse(stack, { seatGraceMs: 150 }, { admission: BY_QUERY });
    const unreal = await house.streamer('demo', '/?name=ue');
    const ann = await house.player('/?name=ann');
    ann.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
    ann.socket.terminate();
    await unreal.next('playerDisconnected');
    const bob = await house.player('/?name=bob');
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    await bob.next('subscribeFailed');
    const again = await house.player('/?name=ann');
    again.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
    const free = nextEvent(house, 'seatReleased', 'demo');
    again.socket.terminate();
    expect(await free).toMatchObject({ reason: 'the presenter did not come back' });
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
  });
});
