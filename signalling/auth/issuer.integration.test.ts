/** A real issuer over HTTP on this machine: discovery, keys, rotation, and what happens while it is away. */
import { type CryptoKey, type JWK, SignJWT, exportJWK, generateKeyPair } from 'jose';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Admission } from '../admission.ts';
import { ISSUER_ALGORITHMS, createJwtAdmission } from './index.ts';

type Signer = {
  readonly kid: string;
  readonly alg: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
};

async function signer(kid: string, alg: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

/** An issuer whose answers can be changed and which can go away and come back on its port. */
class Issuer {
  readonly asked: string[] = [];
  keys: JWK[] = [];
  answer: ((path: string) => { readonly status?: number; readonly body: string }) | undefined;
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}/realms/stage`;
  }

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      const path = request.url ?? '';
      this.asked.push(path);
      const { status = 200, body } = this.answer?.(path) ?? { body: this.document(path) };
      const type = { 'content-type': 'application/json', location: '/elsewhere' };
      response.writeHead(status, type).end(body);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  document(path: string): string {
    return path.endsWith('/.well-known/openid-configuration')
      ? JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/certs` })
      : JSON.stringify({ keys: this.keys });
  }
}

describe('an issuer', () => {
  const issuer = new Issuer();
  const log: string[] = [];
  const tokens: string[] = [];
  let nowMs = Date.now();
  let admission: Admission;

  const start = async (...signers: Signer[]): Promise<void> => {
    issuer.keys = signers.map(({ jwk }) => jwk);
    issuer.answer = undefined;
    issuer.asked.length = 0;
    await issuer.open();
    admit();
  };
  const admit = (): void => {
    const say = (fields: object, message: string): void =>
      void log.push(JSON.stringify(fields) + message);
    const logger: Logger = { error: say, warn: say, info: say, debug: say, child: () => logger };
    admission = createJwtAdmission(
      { logger, nowMs: () => nowMs },
      {
        source: {
          kind: 'issuer',
          issuer: issuer.url,
          algorithms: ISSUER_ALGORITHMS,
          cooldownMs: 30_000,
          maxAgeMs: 600_000,
        },
        audience: 'pixel-client',
        roleClaim: 'groups',
        streamersClaim: 'streamers',
        roles: { presenter: ['stage'] },
        clockToleranceMs: 0,
        cookieOrigins: [],
      },
    );
  };
  const said = async ({ kid, alg, key }: Signer, header: object = { kid }): Promise<string> => {
    const token = await new SignJWT({ groups: ['all', 'stage'] })
      .setProtectedHeader({ alg, ...header })
      .setSubject('ann')
      .setIssuer(issuer.url)
      .setAudience(['pixel-client', 'account'])
      .setExpirationTime(Math.floor(nowMs / 1000) + 7 * 86_400)
      .sign(key);
    tokens.push(token);
    const answer = await admission.admit(
      {
        kind: 'player',
        query: new Map([['token', token]]),
        cookies: new Map(),
        protocols: [],
        remoteAddress: '127.0.0.1',
        headers: new Map(),
      },
      new AbortController().signal,
    );
    return answer.kind === 'identity'
      ? `${answer.role} ${answer.subject ?? ''}`
      : `${answer.status} ${answer.reason}`;
  };

  afterEach(async () => {
    await issuer.close();
  });

  it.each(ISSUER_ALGORITHMS)('signs by %s; its documents are asked for once', async (alg) => {
    const one = await signer('k1', alg);
    await start(one);
    const all = await Promise.all(Array.from({ length: 10 }, () => said(one)));
    expect(new Set(all)).toEqual(new Set(['presenter ann']));
    expect(issuer.asked).toEqual([
      '/realms/stage/.well-known/openid-configuration',
      '/realms/stage/certs',
    ]);
    expect(await said({ ...(await signer('k1', alg)), kid: 'k1' })).toMatch(/^401 .*signature/);
  });

  it('changes its keys: the new one is found, the old one ends, not at every token', async () => {
    const [old, next] = [await signer('k1', 'ES256'), await signer('k2', 'ES256')];
    await start(old);
    expect(await said(old)).toBe('presenter ann');
    issuer.keys = [next.jwk];
    expect(await said(next)).toMatch(/^401 .*does not publish/);
    expect(issuer.asked).toHaveLength(2);
    nowMs += 30_000;
    expect(await said(next)).toBe('presenter ann');
    expect(issuer.asked).toHaveLength(4);
    expect(await said(old)).toMatch(/^401 .*does not publish/);
    expect(issuer.asked).toHaveLength(4);
  });

  it('withdraws a key: it ends when the known ones are old, without an unknown one', async () => {
    const [old, next] = [await signer('k1', 'ES256'), await signer('k2', 'ES256')];
    await start(old, next);
    expect(await said(old)).toBe('presenter ann');
    issuer.keys = [next.jwk];
    nowMs += 600_001;
    expect(await said(old)).toMatch(/^401 .*does not publish/);
  });

  it('names its keys, or has but one', async () => {
    const [one, two] = [await signer('k1', 'ES256'), await signer('k2', 'ES256')];
    await start(one, two);
    expect(await said(one, {})).toMatch(/^401 .*by which key/);
    issuer.keys = [one.jwk];
    admit();
    expect(await said(one, {})).toBe('presenter ann');
  });

  it('is away: known keys go on for a day, unknown ones cannot be told', async () => {
    const [one, two] = [await signer('k1', 'ES256'), await signer('k2', 'ES256')];
    await start(one);
    expect(await said(one)).toBe('presenter ann');
    await issuer.close();
    nowMs += 3_600_000;
    log.length = 0;
    expect(await said(one)).toBe('presenter ann');
    expect(await said(two)).toMatch(/^503 .*issuer of tokens does not answer/);
    expect(await said(one)).toBe('presenter ann');
    expect(log.filter((line) => line.includes('is away'))).toHaveLength(1);
    nowMs += 24 * 3_600_000;
    expect(await said(one)).toMatch(/^503 /);
    await issuer.open();
    nowMs += 5000;
    expect(await said(one)).toBe('presenter ann');
    expect(log.at(-1)).toContain('is back');
  });

  it('is away from the start: it is asked every five seconds, and let nobody in before', async () => {
    const one = await signer('k1', 'ES256');
    await start(one);
    await issuer.close();
    expect(await said(one)).toMatch(/^503 .*issuer of tokens does not answer/);
    await issuer.open();
    expect(await said(one)).toMatch(/^503 /);
    expect(issuer.asked).toEqual([]);
    nowMs += 5000;
    expect(await said(one)).toBe('presenter ann');
  });

  it.each<[string, (path: string) => { readonly status?: number; readonly body: string }]>([
    ['answers 500', () => ({ status: 500, body: '{}' })],
    ['sends elsewhere', () => ({ status: 302, body: '' })],
    ['speaks no JSON', () => ({ body: '<html>' })],
    ['is endless', (path) => ({ body: issuer.document(path) + ' '.repeat(300 * 1024) })],
    [
      'is another',
      (path) => ({
        body: issuer.document(path).replace(`"issuer":"${issuer.url}"`, '"issuer":"x"'),
      }),
    ],
    [
      'has its keys in the clear elsewhere',
      (path) => ({
        body: issuer
          .document(path)
          .replace('"jwks_uri":"http://127.0.0.1', '"jwks_uri":"http://0.0.0.0'),
      }),
    ],
    [
      'has keys that are none',
      (path) => ({
        body: path.endsWith('certs') ? '{"keys":[1]}' : issuer.document(path),
      }),
    ],
    [
      'has a secret for a key',
      (path) => ({
        body: path.endsWith('certs')
          ? '{"keys":[{"kty":"oct","k":"AAAA"}]}'
          : issuer.document(path),
      }),
    ],
  ])('that %s lets nobody in', async (name, answer) => {
    const one = await signer('k1', 'ES256');
    await start(one);
    issuer.answer = answer;
    expect(await said(one)).toMatch(name.includes('secret') ? /^401 / : /^503 /);
    expect(issuer.asked).not.toContain('/elsewhere');
  });

  it('leaves no token in the log', () => {
    expect(tokens.length).toBeGreaterThan(20);
    expect(log.length).toBeGreaterThan(10);
    const text = log.join('\n');
    const parts = tokens.flatMap((token) => token.split('.').slice(1));
    expect(parts.filter((part) => text.includes(part))).toEqual([]);
  });
});
