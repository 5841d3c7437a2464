/**
 * The port of replicas on a real Redis: the same semantics as in memory, two signalling servers over
 * it, and a broken connection in between.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CloseStack, closeStack } from '../kernel/lifecycle.ts';
import { silentLogger } from '../kernel/logger.ts';
import { connectSharedStore, type SharedStore, startPrivateRedis } from '../kernel/redis.ts';
import { type House, openHouse, type Peer } from '../../signalling/testPeer.ts';

const run = promisify(execFile);
const SDP = 'v=0\r\n';
let stack: CloseStack;
let socket: string;

async function connect(): Promise<SharedStore> {
  return stack.push(await connectSharedStore({ kind: 'socket', path: socket }, silentLogger));
}

/** A replica of its own connections. */
async function open(): Promise<House> {
  const config = { leaseMs: 600, probeTimeoutMs: 200, seatGraceMs: 5000 };
  return openHouse(stack, config, { backplane: await connect() });
}

/** Breaks connections as a network does: nobody is told. */
async function breakConnections(type: 'pubsub' | 'normal'): Promise<void> {
  await run('redis-cli', ['-s', socket, 'client', 'kill', 'type', type, 'skipme', 'yes']);
}

/** Replicas that Redis would bring a message to. */
async function listeningReplicas(): Promise<number> {
  const pattern = 'grandstand:signalling:replica:*';
  const { stdout } = await run('redis-cli', ['-s', socket, 'pubsub', 'channels', pattern]);
  return stdout.split('\n').filter((line) => line !== '').length;
}

beforeAll(async () => {
  stack = closeStack((error) => {
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'gs-redis-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const { child } = await startPrivateRedis(directory, silentLogger);
  stack.push(child);
  socket = join(directory, 'redis.sock');
});
afterAll(() => stack.close('test over'));

describe('the shared store', () => {
  it('sets a key only where it holds what is expected, and tells what it holds', async () => {
    const plane = await connect();
    expect(await plane.compareAndSet('k', undefined, 'a', 60_000)).toBe('a');
    expect(await plane.compareAndSet('k', undefined, 'b', 60_000)).toBe('a');
    expect(await plane.compareAndSet('k', 'a', '', 60_000)).toBe('');
    expect(await plane.compareAndSet('k', undefined, 'b', 60_000)).toBe('');
    expect(await plane.compareAndSet('k', '', 'b', 60_000)).toBe('b');
    expect(await plane.list('k')).toEqual(new Map([['k', 'b']]));
    expect(await plane.compareAndSet('k', 'b', undefined, 0)).toBeUndefined();
    expect(await plane.get('k')).toBeUndefined();
  });

  it('forgets a key when its time is over', async () => {
    const plane = await connect();
    await plane.compareAndSet('short', undefined, 'a', 20);
    await expect.poll(() => plane.get('short')).toBeUndefined();
  });

  it('gives one key to one of many, and no number twice', async () => {
    const planes = await Promise.all(Array.from({ length: 10 }, connect));
    const held = await Promise.all(
      planes.map((plane, who) => plane.compareAndSet('seat', undefined, String(who), 60_000)),
    );
    expect(new Set(held).size).toBe(1);
    const numbers = await Promise.all(planes.map((plane) => plane.increment('n')));
    expect(new Set(numbers).size).toBe(10);
  });

  it('brings what is published to all who listen, in order, until they stop', async () => {
    const [one, two] = await Promise.all([connect(), connect()]);
    const heard: string[] = [];
    const stop = await one.subscribe('c', (message) => heard.push(message));
    const { promise: last, resolve } = Promise.withResolvers<string>();
    await one.subscribe('c', (message) => {
      if (message === 'last') {
        resolve(message);
      }
    });
    await Promise.all(['1', '2', '3'].map((message) => two.publish('c', message)));
    await expect.poll(() => heard).toEqual(['1', '2', '3']);
    stop();
    await two.publish('c', 'last');
    await last;
    expect(heard).toEqual(['1', '2', '3']);
  });
});

describe('two signalling servers on one Redis', () => {
  /** A player on `house` that talks with the streamer, both ways. */
  async function talk(house: House, unreal: Peer): Promise<void> {
    const player = await house.player();
    player.say({ type: 'subscribe', streamerId: 'demo' });
    const { playerId } = await unreal.next('playerConnected');
    unreal.say({ type: 'offer', sdp: SDP, playerId });
    expect(await player.next('offer')).toMatchObject({ sdp: SDP });
    player.say({ type: 'answer', sdp: SDP });
    expect(await unreal.next('answer')).toMatchObject({ playerId });
    player.socket.close();
    expect(await unreal.next('playerDisconnected')).toMatchObject({ playerId });
  }

  it('bring a player here to a streamer there, again after every connection broke', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const unreal = await b.streamer('demo');
    await talk(a, unreal);

    await breakConnections('normal');
    await breakConnections('pubsub');
    await expect.poll(listeningReplicas, { timeout: 10_000 }).toBe(2);
    await talk(a, unreal);
    expect(a.signalling.snapshot().streamers).toMatchObject([{ streamerId: 'demo' }]);
  });

  it('give ten who ask at once, on either, one seat', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const unreal = await b.streamer('contended');
    const players = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? a : b).player()),
    );
    const refusals = players.map((player) => player.next('subscribeFailed').catch(() => undefined));
    players.forEach((player) => player.say({ type: 'subscribe', streamerId: 'contended' }));
    const { playerId } = await unreal.next('playerConnected');
    let refused = 0;
    for (const refusal of refusals) {
      void refusal.then((frame) => {
        refused += frame === undefined ? 0 : 1;
      });
    }
    await expect.poll(() => refused).toBe(9);
    expect((await b.signalling.peers()).seats).toMatchObject([
      { streamerId: 'contended', playerId },
    ]);
    expect(unreal.log.filter(({ type }) => type === 'playerConnected')).toHaveLength(1);
  });
});
