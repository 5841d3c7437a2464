/**
 * Signalling as others meet it: Epic's frontend library, unmodified, in Chromium, with a streamer that
 * is libwebrtc; coturn between them; tokens and a plugin at the doors of a real process.
 */
import { once } from 'node:events';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { Peer } from '../../signalling/testPeer.ts';
import { type CloseStack, closeStack } from '../../infra/kernel/lifecycle.ts';
import { type AdmissionPlugin, startAdmissionPlugin } from '../support/admissionPlugin.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { type ChromiumStreamer, startChromiumStreamer } from '../support/chromiumStreamer.ts';
import { claimsOf, forgeToken } from '../support/forgedTokens.ts';
import type { GatewayProcess } from '../support/gatewayProcess.ts';
import { type SignallingCluster, startSignallingCluster } from '../support/signallingCluster.ts';
import { startTurnServer, turnCredentials } from '../support/turnServer.ts';
import { until } from '../support/until.ts';

const REDIS_PASSWORD = 'redis-password-of-this-test';
/** Epic's library waits 2 s before it connects again, and 3 s before it asks for the list again. */
const RECONNECT_MS = 25_000;
const PLAY_MS = 15_000;

const stack: CloseStack = closeStack((error) => {
  throw error;
});
let cluster: SignallingCluster;

beforeAll(async () => {
  cluster = stack.push(await startSignallingCluster(REDIS_PASSWORD));
});
afterAll(() => stack.close('test over'));

/** Small: what is shown here is not the picture. */
function startStreamer(gateway: GatewayProcess, streamerId: string): Promise<ChromiumStreamer> {
  return startChromiumStreamer({
    ...{ signallingUrl: gateway.streamerUrl, streamerId },
    ...{ width: 320, height: 180, fps: 15, maxBitrateBps: 300_000 },
  });
}

/** Waits until the picture in the page moves. The page's own expressions: this side has no DOM types. */
async function untilPlaying(page: Page, timeoutMs: number): Promise<void> {
  const frames = (): Promise<number> =>
    page.evaluate<number>(
      `document.querySelector('#application video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0`,
    );
  await page.locator('#state[data-state="connected"]').waitFor({ timeout: timeoutMs });
  const before = await frames();
  await until('the picture moves', timeoutMs, async () => (await frames()) > before + 5);
}

describe("Epic's frontend library", () => {
  let gateway: GatewayProcess;
  let browser: TestBrowser;
  let streamer: ChromiumStreamer;
  let page: Page;

  beforeAll(async () => {
    gateway = await cluster.open();
    [streamer, browser] = await Promise.all([startStreamer(gateway, 'demo'), launchBrowser()]);
    page = await browser.context.newPage();
    await page.goto(`${gateway.url}/present/demo`);
  });
  afterAll(async () => {
    await browser.close('done');
    await streamer.close('done');
  });

  it('connects, plays, and controls', async () => {
    await untilPlaying(page, PLAY_MS);
    await page.locator('#application').click({ position: { x: 60, y: 60 } });
    await page.keyboard.press('KeyW');
    await page.locator('#message-text').fill('hello');
    await page.locator('#message-text').press('Enter');
    await until('the application hears it', PLAY_MS, async () => {
      const heard = new Set(await streamer.received());
      return ['MouseDown', 'MouseUp', 'KeyDown', 'KeyUp', 'UIInteraction'].every((name) =>
        heard.has(name),
      );
    });
  });

  it('says in our words that the seat is taken, and leaves it to whoever has it', async () => {
    const second = await browser.context.newPage();
    await second.goto(`${gateway.url}/present/demo`);
    const refusal = second.locator('[data-testid="refusal"]');
    await refusal.waitFor({ timeout: PLAY_MS });
    expect(await refusal.textContent()).toMatch(/has a presenter/);
    await second.close();
    await untilPlaying(page, PLAY_MS);
  });

  it('hands control over to who asks for it, and gets it back', async () => {
    const second = await browser.context.newPage();
    await second.goto(`${gateway.url}/present/demo`);
    for (const [from, to] of [
      [page, second],
      [second, page],
    ] as const) {
      await to.locator('#ask').click({ timeout: PLAY_MS });
      await from.locator('#hand-over').click({ timeout: PLAY_MS });
      await untilPlaying(to, PLAY_MS);
      const refusal = from.locator('[data-testid="refusal"]');
      await refusal.waitFor({ timeout: PLAY_MS });
      expect(await refusal.textContent()).toContain('offered and accepted');
    }
    await second.close();
    await untilPlaying(page, PLAY_MS);
  });

  it('gives one of ten browsers that ask at once the seat, and tells the others', async () => {
    const unreal = new Peer(gateway.streamerUrl);
    await unreal.next('identify');
    unreal.say({ type: 'endpointId', id: 'crowd' });
    await unreal.next('endpointIdConfirm');
    const pages = await Promise.all(Array.from({ length: 10 }, () => browser.context.newPage()));
    await Promise.all(pages.map((one) => one.goto(`${gateway.url}/present/crowd`)));
    const isRefused = (one: Page): Promise<boolean> =>
      one.locator('#state[data-state="refused"]').isVisible();
    await until('nine are refused', PLAY_MS, async () => {
      const refused = await Promise.all(pages.map(isRefused));
      return refused.filter((is) => is).length === 9;
    });
    await unreal.answers();
    const { seats } = z
      .object({ seats: z.array(z.looseObject({ streamerId: z.string(), playerId: z.string() })) })
      .parse(await (await fetch(`${gateway.url}/api/v1/seats`)).json());
    const { playerId } = seats.find(({ streamerId }) => streamerId === 'crowd') ?? {};
    expect(unreal.log.filter(({ type }) => type === 'playerConnected')).toMatchObject([
      { playerId },
    ]);
    await Promise.all(pages.map((one) => one.close()));
    unreal.socket.terminate();
  });

  it('plays on by itself when the streamer was started again', async () => {
    await streamer.close('restart');
    await page.locator('#state:not([data-state="connected"])').waitFor({ timeout: PLAY_MS });
    streamer = await startStreamer(gateway, 'demo');
    await untilPlaying(page, RECONNECT_MS);
  });

  it('plays on by itself when signalling was killed and started again', async () => {
    await gateway.killAndRestart();
    await page.locator('#state:not([data-state="connected"])').waitFor({ timeout: PLAY_MS });
    // As Unreal connects again.
    await streamer.close('signalling is gone');
    streamer = await startStreamer(gateway, 'demo');
    await untilPlaying(page, RECONNECT_MS);
  });
});

describe('a presenter behind a firewall', () => {
  const secret = 'turn-secret-of-this-test';

  it('plays through coturn alone, by credentials of its own; ended ones are no good', async () => {
    const here = closeStack((error) => {
      throw error;
    });
    try {
      const turn = here.push(await startTurnServer(secret));
      const gateway = await cluster.open({
        SIGNALLING_TURN_URLS: JSON.stringify([turn.url]),
        SIGNALLING_TURN_SECRET: secret,
        SIGNALLING_TURN_RELAY_ONLY: 'players',
      });
      const [browser] = await Promise.all([
        launchBrowser().then((one) => here.push(one)),
        startStreamer(gateway, 'far').then((one) => here.push(one)),
      ]);
      const page = await browser.context.newPage();
      await page.addInitScript(`
        window.peers = [];
        window.RTCPeerConnection = class extends RTCPeerConnection {
          constructor(...settings) { super(...settings); window.peers.push(this); }
        };`);
      await page.goto(`${gateway.url}/present/far`);
      await untilPlaying(page, PLAY_MS);
      const { policy, used, gathered } = await page.evaluate<{
        policy: string;
        used: string;
        gathered: string[];
      }>(`(async () => {
        const peer = window.peers.at(-1);
        const stats = [...(await peer.getStats()).values()];
        const pair = stats.find(({ type, nominated, state }) =>
          type === 'candidate-pair' && nominated && state === 'succeeded');
        return {
          policy: peer.getConfiguration().iceTransportPolicy,
          used: stats.find(({ id }) => id === pair.localCandidateId).candidateType,
          gathered: stats.filter(({ type }) => type === 'local-candidate').map((one) => one.candidateType),
        };
      })()`);
      expect({ policy, used, gathered: [...new Set(gathered)] }).toEqual({
        ...{ policy: 'relay', used: 'relay', gathered: ['relay'] },
      });

      const ended = turnCredentials(secret, -10);
      expect(await turn.tryOut(ended.username, ended.credential)).toContain(
        'Cannot complete Allocation',
      );
      const good = turnCredentials(secret, 60);
      expect(await turn.tryOut(good.username, good.credential)).toMatch(/tot_recv_msgs=[1-9]/);
    } finally {
      await here.close('done');
    }
  });
});

describe('tokens at the doors of a process', () => {
  const secret = 'token-secret-of-this-test-0123456789';
  const used: string[] = [];
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await cluster.open({
      ...{ ADMISSION_KIND: 'jwt', ADMISSION_JWT_SECRET: secret, LOG_LEVEL: 'debug' },
      HTTP_TRUST_LOOPBACK: 'false',
    });
  });

  const noted = (token: string): string => {
    used.push(token);
    return token;
  };
  const player = (path: string): Peer => new Peer(`${gateway.url.replace('http', 'ws')}${path}`);
  /** What a player is told; undefined when it is let in. */
  const told = async (path: string): Promise<unknown> => {
    const peer = player(path);
    await once(peer.socket, 'message');
    peer.socket.terminate();
    return peer.log[0]?.['message'];
  };

  const nowS = (): number => Math.floor(Date.now() / 1000);
  const FORGED: readonly (readonly [string, string, () => string])[] = [
    ['expired', 'has expired', () => forgeToken(secret, claimsOf({ exp: nowS() - 60 }))],
    ['for somebody else', 'wrong audience', () => forgeToken(secret, claimsOf({ aud: 'shop' }))],
    ['without an end', 'does not say when', () => forgeToken(secret, claimsOf({ exp: undefined }))],
    ['alg none', 'not allowed', () => forgeToken(undefined, claimsOf(), { alg: 'none' })],
    ['alg None', 'not allowed', () => forgeToken(undefined, claimsOf(), { alg: 'None' })],
    ['a wrong key', 'signature', () => forgeToken('k'.repeat(40), claimsOf())],
    ['no signature', 'signature', () => forgeToken(undefined, claimsOf())],
    [
      'kid that is a path to an empty file',
      'signature',
      () => forgeToken('', claimsOf(), { kid: '../../../../dev/null' }),
    ],
    [
      'a key that it brings along',
      'signature',
      () =>
        forgeToken('brought', claimsOf(), {
          jwk: { kty: 'oct', k: Buffer.from('brought').toString('base64url') },
          jku: 'http://127.0.0.1:1/keys',
        }),
    ],
    [
      'a role for streamers',
      'for streamers',
      () => forgeToken(secret, claimsOf({ role: 'streamer' })),
    ],
  ];

  it('lets in who has one', async () => {
    expect(await told(`/?token=${noted(forgeToken(secret, claimsOf()))}`)).toBeUndefined();
  });

  it.each(FORGED)('refuses %s: %s', async (_name, reason, forge) => {
    const token = noted(forge());
    expect(await told(`/?token=${token}`)).toContain(reason);
    // The same one is no streamer and no operator either, and is told so by HTTP.
    expect(await streamerStatus(`${gateway.streamerUrl}/?token=${token}`)).toBe(
      reason === 'for streamers' ? 101 : 401,
    );
    const response = await fetch(`${gateway.url}/api/v1/seats/demo`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(reason === 'for streamers' ? 403 : 401);
  });

  it.each(['/', '//', '/%2e%2e/', '/api/v1/../', '/signalling', '/?token=', '/?Token=GOOD'])(
    'refuses who shows none, on whatever path: %s',
    async (path) => {
      const token = noted(forgeToken(secret, claimsOf()));
      expect(await told(path.replace('GOOD', token))).toContain('A token is needed');
    },
  );

  it("ride in a presenter's link, out of sight at once; a page without one is told so", async () => {
    const here = closeStack((error) => {
      throw error;
    });
    try {
      const [browser] = await Promise.all([
        launchBrowser().then((one) => here.push(one)),
        startStreamer(gateway, 'linked').then((one) => here.push(one)),
      ]);
      const token = noted(forgeToken(secret, claimsOf({ streamers: ['linked'] })));
      const page = await browser.context.newPage();
      await page.goto(`${gateway.url}/present/linked#token=${token}`);
      await untilPlaying(page, PLAY_MS);
      expect(page.url()).toBe(`${gateway.url}/present/linked`);
      await page.reload();
      await untilPlaying(page, PLAY_MS);

      const operate = await browser.context.newPage();
      const operator = noted(forgeToken(secret, claimsOf({ role: 'operator', sub: 'olga' })));
      await operate.goto(`${gateway.url}/operate#token=${operator}`);
      await operate.locator('#people button', { hasText: 'Take back' }).click();
      await page.getByText('The operator has taken control back.').waitFor({ timeout: PLAY_MS });
      await page.close();

      const stranger = await browser.context.newPage();
      await stranger.goto(`${gateway.url}/present/linked`);
      const refusal = stranger.locator('[data-testid="refusal"]');
      await refusal.waitFor({ timeout: PLAY_MS });
      expect(await refusal.textContent()).toContain('A token is needed');
    } finally {
      await here.close('done');
    }
  });

  it('refuses one that was taken back, and says no secret in any of this', async () => {
    const operator = noted(forgeToken(secret, claimsOf({ role: 'operator', sub: 'olga' })));
    const api = async (method: string, path: string, body?: object): Promise<Response> =>
      fetch(`${gateway.url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const made = z
      .object({ token: z.string(), jti: z.string() })
      .parse(await (await api('POST', '/tokens', { role: 'presenter', subject: 'bob' })).json());
    const path = `/?token=${noted(made.token)}`;
    expect(await told(path)).toBeUndefined();
    expect((await api('DELETE', `/tokens/${made.jti}`)).status).toBe(204);
    expect(await told(path)).toContain('was revoked');

    const answers = await Promise.all(
      ['streamers', 'players', 'seats', 'tokens', 'broadcasts'].map(async (name) =>
        (await api('GET', `/${name}`)).text(),
      ),
    );
    const said = [...gateway.log, ...answers].join('\n');
    expect(said).toContain(made.jti);
    expect(gateway.log.join('\n')).toContain('token refused');
    for (const token of used) {
      const [, claims = '', signature] = token.split('.');
      expect(said).not.toContain(claims);
      expect(said).not.toContain(signature === '' ? claims : signature);
    }
    for (const one of [secret, REDIS_PASSWORD, gateway.internalToken]) {
      expect(said).not.toContain(one);
    }
  });
});

describe('a plugin at the doors of a process', () => {
  let plugin: AdmissionPlugin;

  it('is asked, heard, and when it is away nobody comes in', async () => {
    plugin = stack.push(
      await startAdmissionPlugin((request) =>
        request.includes('ticket-of-ann')
          ? { kind: 'presenter', subject: 'ann' }
          : { kind: 'refusal', status: 403, reason: 'Your ticket is for tomorrow.' },
      ),
    );
    const gateway = await cluster.open({
      ADMISSION_KIND: 'grpc',
      ADMISSION_GRPC_ADDRESS: plugin.address,
    });
    const open = (ticket: string): Peer =>
      new Peer(`${gateway.url.replace('http', 'ws')}/?token=${ticket}`);

    const ann = open('ticket-of-ann');
    expect(await ann.next('config')).toBeDefined();
    const denied = open('ticket-of-bob');
    expect(await denied.closed).toEqual({ code: 1008, reason: 'Your ticket is for tomorrow.' });
    expect(denied.log).toEqual([
      { type: 'subscribeFailed', message: 'Your ticket is for tomorrow.' },
    ]);
    expect(plugin.asked).toBe(2);

    await plugin.close('gone');
    const late = open('ticket-of-ann');
    expect((await late.closed).code).toBe(1008);
    expect(String(late.log[0]?.['message'])).toMatch(/cannot be checked now/i);
    // Who is in stays in.
    await ann.answers();
    ann.socket.terminate();
    expect(gateway.log.join('\n')).not.toContain('ticket-of-');
  });
});

/** The HTTP answer to an upgrade; 101 where it is taken. */
function streamerStatus(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
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
}
