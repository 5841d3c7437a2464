/**
 * Two processes of the role signalling on one Redis, as a cluster runs them: a streamer on one, its
 * presenter on the other, either killed; tokens, the operator API, and no secret in anything said.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { startChild } from '../kernel/childProcess.ts';
import { type CloseStack, closeStack } from '../kernel/lifecycle.ts';
import { Peer } from '../../signalling/testPeer.ts';
import {
  freePorts,
  type GatewayProcess,
  startGatewayProcess,
} from '../../test/support/gatewayProcess.ts';

const SECRETS = {
  tokens: 'token-secret-of-this-test-0123456789',
  turn: 'turn-secret-of-this-test',
  redis: 'redis-password-of-this-test',
  internal: 'test-token-of-this-run',
};
const GRACE_MS = 20_000;
const SDP = 'v=0\r\n';
const madeSchema = z.looseObject({ token: z.string(), jti: z.string() });

let stack: CloseStack;
let a: GatewayProcess;
let b: GatewayProcess;
const minted: string[] = [];

beforeAll(async () => {
  stack = closeStack((error) => {
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'gs-roles-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  stack.push(
    startChild('redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
      ...['--requirepass', SECRETS.redis],
    ]),
  );
  const environment = {
    GRANDSTAND_ROLES: 'signalling',
    GRANDSTAND_REDIS_URL: `redis://:${SECRETS.redis}@127.0.0.1:${port}`,
    GRANDSTAND_LOG_LEVEL: 'debug',
    GRANDSTAND_ADMISSION_KIND: 'jwt',
    GRANDSTAND_ADMISSION_JWT_SECRET: SECRETS.tokens,
    GRANDSTAND_SIGNALLING_LEASE_MS: '1000',
    GRANDSTAND_SIGNALLING_SEAT_GRACE_MS: String(GRACE_MS),
    GRANDSTAND_SIGNALLING_TURN_SECRET: SECRETS.turn,
    GRANDSTAND_SIGNALLING_TURN_URLS: '["turn:127.0.0.1:3478"]',
  };
  const open = async (): Promise<GatewayProcess> => {
    const gateway = await startGatewayProcess({ isDemo: false, environment });
    stack.defer(async () => {
      await gateway.stop();
    });
    return gateway;
  };
  a = await open();
  b = await open();
}, 60_000);
afterAll(() => stack.close('test over'));

type Answer = { readonly status: number; readonly body: unknown };

async function api(
  gateway: GatewayProcess,
  method: string,
  path: string,
  { body, bearer }: { body?: unknown; bearer?: string } = {},
): Promise<Answer> {
  const response = await fetch(`${gateway.url}/api/v1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function mint(role: string, subject: string, streamers?: string[]) {
  const answer = await api(a, 'POST', '/tokens', {
    body: { role, subject, ...(streamers === undefined ? {} : { streamers }) },
  });
  expect(answer.status).toBe(201);
  const made = madeSchema.parse(answer.body);
  minted.push(made.token);
  return made;
}

/** Each test has a streamer of its own: seats outlast who held them. */
async function streamer({ streamerUrl }: GatewayProcess, id: string): Promise<Peer> {
  const peer = new Peer(streamerUrl);
  await peer.next('identify');
  peer.say({ type: 'endpointId', id });
  expect(await peer.next('endpointIdConfirm')).toMatchObject({ committedId: id });
  return peer;
}

function player({ url }: GatewayProcess, token: string): Peer {
  return new Peer(`${url.replace('http', 'ws')}/?token=${token}`);
}

/** A presenter that talks with the streamer, both ways. */
async function present(
  gateway: GatewayProcess,
  token: string,
  unreal: Peer,
  streamerId: string,
): Promise<Peer> {
  const peer = player(gateway, token);
  await peer.next('config');
  peer.say({ type: 'subscribe', streamerId });
  const { playerId } = await unreal.next('playerConnected');
  unreal.say({ type: 'offer', sdp: SDP, playerId });
  await peer.next('offer');
  peer.say({ type: 'answer', sdp: SDP });
  expect(await unreal.next('answer')).toMatchObject({ playerId });
  return peer;
}

it('a presenter here, a streamer there, and either process killed: only its own sockets are lost', async () => {
  const { token } = await mint('presenter', 'ann', ['demo']);
  const unreal = await streamer(b, 'demo');
  const ann = await present(a, token, unreal, 'demo');

  await a.killAndRestart();
  expect((await ann.closed).code).toBe(1006);
  await unreal.next('playerDisconnected');
  await present(b, token, unreal, 'demo');

  await b.killAndRestart();
  await unreal.closed;
  // Registered elsewhere at once: nobody waits for the dead one's lease.
  const again = await streamer(a, 'demo');
  const back = await present(b, token, again, 'demo');
  expect((await api(a, 'GET', '/seats')).body).toMatchObject({
    seats: [{ streamerId: 'demo', subject: 'ann', state: 'held' }],
  });
  back.socket.close();
  again.socket.close();
}, 60_000);

it('operators give and take the seat by their tokens, and nobody else', async () => {
  const operator = await mint('operator', 'olga');
  const limited = await mint('operator', 'lim', ['other']);
  const presenter = await mint('presenter', 'pat');
  const unreal = await streamer(a, 'stage');
  const pat = await present(a, presenter.token, unreal, 'stage');
  const sue = player(a, (await mint('presenter', 'sue')).token);
  await sue.next('config');
  sue.say({ type: 'subscribe', streamerId: 'stage' });
  await sue.next('subscribeFailed');
  const { players } = z
    .object({ players: z.array(z.looseObject({ playerId: z.string() })) })
    .parse((await api(a, 'GET', '/players', { bearer: operator.token })).body);
  const body = { playerId: players.at(-1)?.playerId };
  const assign = (bearer: string): Promise<Answer> =>
    api(a, 'PUT', '/seats/stage', { body, bearer });

  expect(await assign(presenter.token)).toMatchObject({ status: 403 });
  expect(await assign(limited.token)).toMatchObject({ status: 403 });
  expect(await assign(`${operator.token.slice(0, -4)}AAAA`)).toMatchObject({ status: 401 });
  expect(await assign(operator.token)).toMatchObject({
    status: 200,
    body: { seats: [{ subject: 'sue', state: 'held' }] },
  });
  expect(await unreal.next('playerDisconnected')).toBeDefined();
  expect(await unreal.next('playerConnected')).toMatchObject(body);
  expect(await api(a, 'DELETE', '/seats/stage', { bearer: operator.token })).toMatchObject({
    status: 200,
  });
  expect((await api(a, 'DELETE', '/seats/nobody', { bearer: operator.token })).status).toBe(404);

  const kick = (bearer: string, id: unknown): Promise<Answer> =>
    api(b, 'DELETE', `/players/${String(id)}`, { bearer });
  expect(await kick(presenter.token, body.playerId)).toMatchObject({ status: 403 });
  expect(await kick(operator.token, body.playerId)).toEqual({ status: 204, body: undefined });
  expect((await sue.closed).code).toBe(1008);
  expect(await kick(operator.token, body.playerId)).toMatchObject({ status: 404 });
  const streamerPath = '/streamers/stage';
  expect((await api(b, 'DELETE', streamerPath, { bearer: limited.token })).status).toBe(403);
  expect((await api(b, 'DELETE', streamerPath, { bearer: operator.token })).status).toBe(204);
  expect((await unreal.closed).code).toBe(1008);
  [unreal, pat, sue].forEach((peer) => peer.socket.close());
});

it('a token that is taken back on one replica lets nobody in on the other, and nobody stay', async () => {
  const { token, jti } = await mint('presenter', 'rev');
  const before = player(b, token);
  await before.next('config');
  expect((await api(a, 'DELETE', `/tokens/${jti}`)).status).toBe(204);
  expect(await before.closed).toEqual({ code: 1008, reason: 'The token was revoked.' });
  expect(await player(b, token).next('subscribeFailed')).toMatchObject({
    message: 'The token was revoked.',
  });
  expect((await api(b, 'GET', '/tokens')).body).toMatchObject({
    tokens: expect.arrayContaining([expect.objectContaining({ jti, revoked: true })]) as unknown,
  });
});

it('events tell of seats as they change', async () => {
  const leaving = new AbortController();
  const response = await fetch(`${a.url}/api/v1/events`, { signal: leaving.signal });
  const unreal = await streamer(a, 'show');
  const eve = await present(a, (await mint('presenter', 'eve')).token, unreal, 'show');
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.includes('seatGranted')) {
      break;
    }
  }
  leaving.abort();
  expect(text).toMatch(
    /event: streamer\ndata: \{"change":"streamerIdentified","streamerId":"show"/,
  );
  expect(text).toMatch(/event: seat\ndata: \{"change":"seatGranted","streamerId":"show"/);
  [unreal, eve].forEach((peer) => peer.socket.close());
});

it('says no secret: not in a log, not in an answer', async () => {
  const paths = ['broadcasts', 'streamers', 'players', 'seats', 'tokens'].map((one) => `v1/${one}`);
  const said = await Promise.all(
    [...paths, 'status', 'config', 'streamers', 'players', 'openapi.json', ''].map(async (path) =>
      (await fetch(`${a.url}/api/${path}`)).text(),
    ),
  );
  const metrics = await fetch(`${a.internalUrl}/metrics`, {
    headers: { authorization: `Bearer ${SECRETS.internal}` },
  });
  const all = [...a.log, ...b.log, ...said, await metrics.text()].join('\n');
  expect(all).toContain('streamer identified');
  expect(minted.length).toBeGreaterThan(3);
  for (const secret of [...Object.values(SECRETS), ...minted]) {
    expect(all).not.toContain(secret);
  }
});
