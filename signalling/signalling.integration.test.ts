/** Real sockets on ports of their own: what each kind of peer can send, and who is not affected. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type CloseStack, closeStack } from '../infra/kernel/lifecycle.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import { noMetrics } from '../infra/kernel/metrics.ts';
import { Secret } from '../infra/kernel/secret.ts';
import { type Signalling, signallingConfigSchema, startSignalling } from './index.ts';
import { Peer, TOKEN, upgradeServer } from './testPeer.ts';

const SDP = 'v=0\r\n';

let stack: CloseStack = closeStack(() => undefined);
let signalling: Signalling;
let urls: { readonly streamer: string; readonly player: string; readonly ingest: string };

beforeEach(() => start({}));
afterEach(async () => {
  await stack.close('test over');
});

async function start(config: object): Promise<void> {
  await stack.close('again');
  stack = closeStack((error) => {
    throw error;
  });
  signalling = await startSignalling(
    { logger: silentLogger, metrics: noMetrics, internalToken: new Secret(TOKEN) },
    signallingConfigSchema.parse({ streamers: { port: 0 }, ...config }),
    new AbortController().signal,
  );
  const player = await upgradeServer(stack, (...request) => {
    signalling.handlePlayerUpgrade(...request);
  });
  const ingest = await upgradeServer(stack, (...request) => {
    signalling.handleIngestUpgrade(...request);
  });
  stack.push(signalling);
  urls = {
    streamer: `ws://127.0.0.1:${signalling.streamersPort}`,
    player: `ws://127.0.0.1:${player}`,
    ingest: `ws://127.0.0.1:${ingest}`,
  };
}

async function streamer(id: string, path = ''): Promise<Peer> {
  const peer = new Peer(`${urls.streamer}${path}`);
  await peer.next('identify');
  peer.say({ type: 'endpointId', id });
  await peer.next('endpointIdConfirm');
  return peer;
}
async function player(path = '/any/path?x=1'): Promise<Peer> {
  const peer = new Peer(`${urls.player}${path}`);
  await peer.next('config');
  return peer;
}
async function ingest(): Promise<Peer> {
  const peer = new Peer(`${urls.ingest}/signalling`, { Authorization: `Bearer ${TOKEN}` });
  await peer.next('config');
  return peer;
}

const KINDS = { streamer: () => streamer('bad'), player: () => player(), ingest };
const SMALL_NONSENSE = [
  'null',
  '[]',
  '7',
  '"text"',
  '{',
  '',
  '{}',
  '{"type":null}',
  '{"type":"noSuchType"}',
  '{"type":"endpointId","id":7}',
  '{"type":"subscribe","streamerId":7}',
  '{"type":"offer","sdp":7,"playerId":7}',
  '{"type":"offer","sdp":"hello","playerId":"101"}',
  '{"type":"answer","sdp":"hello"}',
  '{"type":"answer","sdp":null}',
  '{"type":"iceCandidate","candidate":7}',
  '{"type":"disconnectPlayer","playerId":{}}',
  `{"type":"ping","time":1,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
];

describe('Epic at both ends', () => {
  it('carries offer, answer and candidates untouched, on any path, from text and binary frames', async () => {
    const unreal = await streamer('demo', '/some/where?id=1');
    const presenter = await player();
    presenter.say({ type: 'subscribe', streamerId: 'demo' });
    const { playerId } = await unreal.next('playerConnected');
    const offer = { type: 'offer', sdp: SDP, playerId, extra: { kept: ['as', 'is'] } };
    unreal.socket.send(Buffer.from(JSON.stringify(offer)), { binary: true });
    expect(await presenter.next('offer')).toEqual(offer);
    presenter.say({ type: 'answer', sdp: SDP, minBitrateBps: 0, playerId: 'forged' });
    expect(await unreal.next('answer')).toEqual({
      type: 'answer',
      sdp: SDP,
      minBitrateBps: 0,
      playerId,
    });
  });

  it('refuses a second presenter in words, and lets the ingest in beside the first', async () => {
    const unreal = await streamer('demo');
    const [first, second, gateway] = [await player(), await player(), await ingest()];
    first.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
    second.say({ type: 'subscribe', streamerId: 'demo' });
    expect(await second.next('subscribeFailed')).toMatchObject({
      message: expect.stringContaining('already has a presenter') as string,
    });
    gateway.say({ type: 'subscribe', streamerId: 'demo' });
    expect(await unreal.next('playerConnected')).toMatchObject({ sfu: false });
    expect(signalling.snapshot().players).toHaveLength(2);
    expect(signalling.snapshot().streamers[0]?.subscribers).toHaveLength(1);
  });

  it('closes players when their streamer is gone, never with 1001, and on request with 1011', async () => {
    const unreal = await streamer('demo');
    const [one, two] = [await player(), await ingest()];
    one.say({ type: 'subscribe', streamerId: 'demo' });
    const { playerId } = await unreal.next('playerConnected');
    two.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
    unreal.say({ type: 'disconnectPlayer', playerId, reason: 'idle for too long '.repeat(20) });
    expect(await one.closed).toMatchObject({
      code: 1011,
      reason: expect.stringMatching(/^idle for too long/) as string,
    });
    unreal.socket.terminate();
    expect(await two.closed).toEqual({ code: 1000, reason: 'The streamer disconnected.' });
  });

  it('lists a streamer that never says who it is', async () => {
    await start({ identifyTimeoutMs: 1 });
    const identified = new Promise((resolve) => signalling.onChange(resolve));
    const silent = new Peer(urls.streamer);
    expect(await identified).toEqual({ kind: 'streamerIdentified', streamerId: 'UnknownStreamer' });
    await silent.next('identify');
    await silent.answers();
  });

  it('says goodbye with 1012 when it stops', async () => {
    const peers = [await streamer('demo'), await player(), await ingest()];
    await signalling.close('maintenance');
    for (const peer of peers) {
      expect(await peer.closed).toEqual({ code: 1012, reason: 'maintenance' });
    }
  });

  it('contains the fault of a listener', async () => {
    signalling.onChange(() => {
      throw new Error('listener');
    });
    const unreal = await streamer('demo');
    await unreal.answers();
  });
});

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('bad input from a %s', (kind) => {
  it('is ignored or refused; it and the others go on', async () => {
    const [unreal, presenter] = [await streamer('demo'), await player()];
    presenter.say({ type: 'subscribe', streamerId: 'demo' });
    await unreal.next('playerConnected');
    const bad = await KINDS[kind]();
    for (const frame of SMALL_NONSENSE) {
      bad.say(frame);
      bad.socket.send(Buffer.from(frame), { binary: true });
    }
    bad.socket.send(Buffer.from([0xff, 0xfe, 0x00]), { binary: true });
    await bad.answers();
    await unreal.answers();
    await presenter.answers();
    expect(signalling.snapshot().streamers[0]).toMatchObject({
      streamerId: 'demo',
      subscribers: ['101'],
    });
  });

  it('of 2 MiB closes its own socket with 1009 and no other', async () => {
    const [unreal, presenter] = [await streamer('demo'), await player()];
    const bad = await KINDS[kind]();
    bad.say(`{"type":"ping","time":1,"x":"${'x'.repeat(2 * 1024 * 1024)}"}`);
    expect(await bad.closed).toMatchObject({ code: 1009 });
    await unreal.answers();
    await presenter.answers();
  });

  it('that is not WebSocket closes its own socket and no other', async () => {
    const unreal = await streamer('demo');
    const bad = await KINDS[kind]();
    // A frame with reserved bits set: RFC 6455 §5.2.
    (bad.socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(
      Buffer.from('ffff', 'hex'),
    );
    expect((await bad.closed).code).toBe(1002);
    await unreal.answers();
  });
});

describe('the door', () => {
  const statusOf = (url: string, headers = {}): Promise<number | undefined> =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, { headers });
      socket.once('unexpected-response', (_request, response) => {
        socket.on('error', () => undefined);
        socket.terminate();
        resolve(response.statusCode);
      });
      socket.once('open', () => {
        socket.terminate();
        resolve(101);
      });
    });
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

  it('lets the ingest in with the token and on its path only', async () => {
    expect(await statusOf(`${urls.ingest}/signalling`)).toBe(401);
    expect(await statusOf(`${urls.ingest}/signalling`, bearer('wrong'))).toBe(401);
    expect(await statusOf(`${urls.ingest}/other`, bearer(TOKEN))).toBe(404);
    expect(await statusOf(`${urls.ingest}/signalling?x=1`, bearer(TOKEN))).toBe(101);
  });

  it('holds the limits of players and streamers, each for itself', async () => {
    await start({ maxConnections: 1, maxStreamers: 1 });
    const [unreal, presenter] = [await streamer('demo'), await player()];
    expect(await statusOf(urls.player)).toBe(503);
    expect(await statusOf(urls.streamer)).toBe(503);
    await ingest();
    presenter.socket.close();
    await presenter.closed;
    await unreal.answers();
    await player();
  });

  it('answers plain HTTP and survives noise on the port of the streamers', async () => {
    const response = await fetch(urls.streamer.replace('ws:', 'http:'));
    expect([response.status, await response.text()]).toEqual([
      426,
      'streamers connect here by WebSocket\n',
    ]);
    const noise = connect(signalling.streamersPort, '127.0.0.1');
    noise.on('error', () => undefined);
    noise.write('\u0000\u0001 not HTTP\r\n\r\n');
    noise.resume();
    await once(noise, 'close');
    const unreal = await streamer('demo');
    await unreal.answers();
  });

  it('names the setting when its port is taken', async () => {
    const config = signallingConfigSchema.parse({ streamers: { port: signalling.streamersPort } });
    const deps = { logger: silentLogger, metrics: noMetrics, internalToken: new Secret(TOKEN) };
    await expect(startSignalling(deps, config, new AbortController().signal)).rejects.toMatchObject(
      {
        code: 'port_in_use',
        message: expect.stringContaining('signalling.streamers.port') as string,
      },
    );
  });
});
