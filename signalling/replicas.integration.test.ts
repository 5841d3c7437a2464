/** Two servers on one backplane in memory: a player here, a streamer there, and one of them dies. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CloseStack, closeStack } from '../infra/kernel/lifecycle.ts';
import type { Admission } from './admission.ts';
import { type Backplane, memoryBackplane } from './replication.ts';
import { type House, nextEvent, openHouse, type Peer } from './testPeer.ts';

const SDP = 'v=0\r\n';
const LEASE_MS = 300;

/** A replica whose line to the others can be cut, as when its process is killed. */
type Severable = House & { cut(): void };

let stack: CloseStack;
let plane: Backplane;
let a: Severable;
let b: Severable;

const BY_NAME: Admission = {
  admit: ({ query }) =>
    Promise.resolve({
      ...{ kind: 'identity', role: 'presenter', subject: query.get('name') },
      tokenId: `token of ${query.get('name') ?? ''}`,
    }),
};

async function open(): Promise<Severable> {
  let isCut = false;
  const orFail = <T>(work: () => Promise<T>): Promise<T> =>
    isCut ? Promise.reject(new Error('cut')) : work();
  const backplane: Backplane = {
    compareAndSet: (...args) => orFail(() => plane.compareAndSet(...args)),
    get: (key) => orFail(() => plane.get(key)),
    list: (prefix) => orFail(() => plane.list(prefix)),
    increment: (key) => orFail(() => plane.increment(key)),
    publish: (...args) => orFail(() => plane.publish(...args)),
    subscribe: (channel, listener) =>
      plane.subscribe(channel, (message) => {
        if (!isCut) {
          listener(message);
        }
      }),
  };
  const config = { leaseMs: LEASE_MS, probeTimeoutMs: 100, seatGraceMs: 5000 };
  const house = await openHouse(stack, config, { backplane, admission: BY_NAME });
  return {
    ...house,
    cut() {
      isCut = true;
    },
  };
}

beforeEach(async () => {
  stack = closeStack((error) => {
    throw error;
  });
  plane = memoryBackplane(() => performance.now());
  a = await open();
  b = await open();
});
afterEach(() => stack.close('test over'));

/** Subscribed, with the id that the streamer was told. */
async function present(house: House, name: string, unreal: Peer): Promise<[Peer, string]> {
  const player = await house.player(`/?name=${name}`);
  player.say({ type: 'subscribe', streamerId: 'demo' });
  const { playerId } = await unreal.next('playerConnected');
  return [player, String(playerId)];
}

describe('two replicas', () => {
  it('bring a player on one to a streamer on the other, both ways, and say when it leaves', async () => {
    const unreal = await b.streamer('demo');
    const player = await a.player();
    player.say({ type: 'listStreamers' });
    expect(await player.next('streamerList')).toMatchObject({ ids: ['demo'] });
    player.say({ type: 'subscribe', streamerId: 'demo' });
    const { playerId } = await unreal.next('playerConnected');
    unreal.say({ type: 'offer', sdp: SDP, playerId, x: { y: 1 } });
    expect(await player.next('offer')).toEqual({ type: 'offer', sdp: SDP, playerId, x: { y: 1 } });
    player.say({ type: 'answer', sdp: SDP, playerId: 'forged' });
    expect(await unreal.next('answer')).toEqual({ type: 'answer', sdp: SDP, playerId });
    expect(a.signalling.snapshot().streamers).toMatchObject([
      { streamerId: 'demo', subscribers: [playerId] },
    ]);
    player.socket.terminate();
    expect(await unreal.next('playerDisconnected')).toMatchObject({ playerId });
  });

  it('keep one seat between them, refuse the second in words, and hand it over', async () => {
    const unreal = await b.streamer('demo');
    const [ann] = await present(a, 'ann', unreal);
    const bob = await b.player('/?name=bob');
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    expect(String((await bob.next('subscribeFailed'))['message'])).toContain('has a presenter');
    const eve = await a.player('/?name=eve');
    eve.say({ type: 'subscribe', streamerId: 'demo' });
    await eve.next('subscribeFailed');
    const eveId = a.signalling.snapshot().players.at(-1)?.playerId ?? '';
    expect(
      await a.signalling.order({ kind: 'assign', streamerId: 'demo', playerId: eveId }),
    ).toEqual({ kind: 'done' });
    expect(await unreal.next('playerDisconnected')).toBeDefined();
    expect(await unreal.next('playerConnected')).toMatchObject({ playerId: eveId });
    expect(String((await ann.next('subscribeFailed'))['message'])).toContain('gone to another');
    unreal.say({ type: 'offer', sdp: SDP, playerId: eveId });
    await eve.next('offer');
    eve.say({ type: 'answer', sdp: SDP });
    expect(await unreal.next('answer')).toMatchObject({ playerId: eveId });
    expect(
      await a.signalling.order({ kind: 'assign', streamerId: 'demo', playerId: '999' }),
    ).toMatchObject({ code: 'no_player' });
  });

  it('give the seat to a player whom the replica of the streamer has never heard of', async () => {
    const unreal = await b.streamer('demo');
    const c = await open();
    const bob = await c.player('/?name=bob');
    const { players } = await a.signalling.peers();
    expect(players).toMatchObject([{ subject: 'bob', replica: expect.any(String) as unknown }]);
    const playerId = players[0]?.playerId ?? '';
    await expect
      .poll(() => a.signalling.order({ kind: 'assign', streamerId: 'demo', playerId }))
      .toEqual({ kind: 'done' });
    unreal.say({ type: 'offer', sdp: SDP, playerId });
    await bob.next('offer');
    bob.say({ type: 'answer', sdp: SDP });
    expect(await unreal.next('answer')).toMatchObject({ playerId });
    expect((await a.signalling.peers()).seats).toMatchObject([{ subject: 'bob', state: 'held' }]);
  });

  it('hand a player from one streamer to the next of the same replica', async () => {
    const first = await b.streamer('demo');
    const second = await b.streamer('next');
    const [ann, playerId] = await present(a, 'ann', first);
    first.say({ type: 'offer', sdp: SDP, playerId });
    await ann.next('offer');
    const order = { kind: 'assign', streamerId: 'next', playerId } as const;
    expect(await a.signalling.order(order)).toEqual({ kind: 'done' });
    second.say({ type: 'offer', sdp: SDP, playerId });
    await ann.next('offer');
    ann.say({ type: 'answer', sdp: SDP });
    expect(await second.next('answer')).toMatchObject({ playerId });
    expect((await b.signalling.peers()).seats).toMatchObject([
      { streamerId: 'next', subject: 'ann', state: 'held' },
    ]);
    expect(second.log.filter(({ type }) => type === 'playerDisconnected')).toEqual([]);
  });

  it('show a player that was refused there as nobody of that streamer', async () => {
    const unreal = await b.streamer('demo');
    await present(a, 'ann', unreal);
    const bob = await a.player('/?name=bob');
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    await bob.next('subscribeFailed');
    expect((await a.signalling.peers()).players).toMatchObject([
      { subject: 'ann', subscribedTo: 'demo' },
      { subject: 'bob', subscribedTo: null },
    ]);
  });

  it('disconnect a player, a streamer, and all who came in by a token, wherever they are', async () => {
    const unreal = await b.streamer('demo');
    const [ann, playerId] = await present(a, 'ann', unreal);
    const order = { kind: 'disconnectPlayer', playerId } as const;
    expect(await b.signalling.order(order)).toEqual({ kind: 'done' });
    const reason = 'The operator has disconnected you.';
    expect(await ann.closed).toEqual({ code: 1008, reason });
    expect(ann.log.at(-1)).toEqual({ type: 'subscribeFailed', message: reason });
    expect(await unreal.next('playerDisconnected')).toMatchObject({ playerId });
    expect(await b.signalling.order(order)).toMatchObject({ code: 'no_player' });

    const [bob] = await present(a, 'bob', unreal);
    expect(await b.signalling.order({ kind: 'endToken', tokenId: 'token of bob' })).toEqual({
      kind: 'done',
    });
    expect(await bob.closed).toEqual({ code: 1008, reason: 'The token was revoked.' });
    expect(await unreal.next('playerDisconnected')).toBeDefined();

    const away = { kind: 'disconnectStreamer', streamerId: 'demo' } as const;
    expect(await a.signalling.order(away)).toEqual({ kind: 'done' });
    expect(await unreal.closed).toEqual({ code: 1008, reason });
    expect(await b.signalling.order(away)).toMatchObject({ code: 'no_streamer' });
  });

  it('are not disturbed by nonsense on their channels', async () => {
    const unreal = await b.streamer('demo');
    const changes = 'grandstand:signalling:changes';
    for (const text of ['', 'null', '[]', '{"kind":"here","streamerId":1}', '{"kind":"order"}']) {
      await plane.publish(changes, text);
    }
    const [ann] = await present(a, 'ann', unreal);
    // A replica that had the id before gives it back late.
    const late = { kind: 'gone', streamerId: 'demo', replica: 'earlier' };
    await plane.publish(changes, JSON.stringify(late));
    await ann.answers();
    expect(a.signalling.snapshot().streamers).toMatchObject([{ streamerId: 'demo' }]);
  });

  it('never give one id to two streamers, nor one number to two players', async () => {
    const ids = await Promise.all(
      [a, b, a, b].map(async (house) => (await house.streamer('demo')).committedId),
    );
    expect(ids.sort()).toEqual(['demo', 'demo1', 'demo2', 'demo3']);
    await Promise.all([a, b, a, b].map((house) => house.player()));
    const numbers = [a, b].flatMap(({ signalling }) =>
      signalling.snapshot().players.map(({ playerId }) => playerId),
    );
    expect(new Set(numbers).size).toBe(4);
  });

  it('tell players on one when the streamer on the other is gone or renamed', async () => {
    const unreal = await b.streamer('demo');
    const [player] = await present(a, 'ann', unreal);
    unreal.say({ type: 'endpointId', id: 'other' });
    expect(await player.next('streamerIdChanged')).toEqual({
      type: 'streamerIdChanged',
      newID: 'other',
    });
    await player.answers();
    unreal.socket.terminate();
    expect(await player.closed).toEqual({ code: 1000, reason: 'The streamer disconnected.' });
  });
});

describe('a replica dies', () => {
  it("with the player's socket: the streamer is told, and the seat waits for the player", async () => {
    const unreal = await b.streamer('demo');
    const [, playerId] = await present(a, 'ann', unreal);
    const kept = nextEvent(b, 'seatKept', 'demo');
    a.cut();
    expect(await unreal.next('playerDisconnected')).toMatchObject({ playerId });
    await kept;
    const bob = await b.player('/?name=bob');
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    await bob.next('subscribeFailed');
    await present(b, 'ann', unreal);
  });

  it('with the streamer: it comes back elsewhere at once, under its id, with its seat', async () => {
    const unreal = await b.streamer('demo');
    const [ann] = await present(a, 'ann', unreal);
    unreal.socket.terminate();
    b.cut();
    const again = await a.streamer('demo');
    expect(again.committedId).toBe('demo');
    expect(await ann.closed).toEqual({ code: 1000, reason: 'The streamer disconnected.' });
    const bob = await a.player('/?name=bob');
    bob.say({ type: 'subscribe', streamerId: 'demo' });
    expect(String((await bob.next('subscribeFailed'))['message'])).toContain('kept for');
    await present(a, 'ann', again);
    expect((await a.signalling.peers()).seats).toMatchObject([{ subject: 'ann', state: 'held' }]);
  });

  it('and its registrations expire', async () => {
    await b.streamer('demo');
    const player = await a.player();
    b.cut();
    await expect
      .poll(() => a.signalling.snapshot().streamers, { timeout: 20 * LEASE_MS })
      .toEqual([]);
    player.say({ type: 'listStreamers' });
    expect(await player.next('streamerList')).toMatchObject({ ids: [] });
  });

  it('or stops in order: its streamers are off the lists at once', async () => {
    await b.streamer('demo');
    await b.signalling.close('maintenance');
    const player = await a.player();
    player.say({ type: 'listStreamers' });
    expect(await player.next('streamerList')).toMatchObject({ ids: [] });
  });
});
