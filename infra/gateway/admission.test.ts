import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoors } from './admission.ts';
import { gatewayConfigSchema } from './config.ts';
import { admissionRequest } from '../../signalling/index.ts';
import { closeStack } from '../kernel/lifecycle.ts';
import { silentLogger } from '../kernel/logger.ts';
import type { KeyValueStore } from '../kernel/redis.ts';

let directory: string;
const stack = closeStack(() => undefined);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-doors-'));
});
afterAll(async () => {
  await stack.close('test over');
  await rm(directory, { recursive: true });
});

function memoryStore() {
  const kept = new Map<string, { readonly value: string; readonly ttlMs: number }>();
  const store: Pick<KeyValueStore, 'get' | 'lease' | 'list'> = {
    get: (key) => Promise.resolve(kept.get(key)?.value),
    lease: (key, value, ttlMs) => Promise.resolve(void kept.set(key, { value, ttlMs })),
    list: (prefix) =>
      Promise.resolve(
        new Map(
          [...kept]
            .filter(([key]) => key.startsWith(prefix))
            .map(([key, { value }]) => [key, value]),
        ),
      ),
  };
  return { kept, store };
}

async function open(admission: object) {
  const { kept, store } = memoryStore();
  const doors = await openDoors({
    config: gatewayConfigSchema.parse({ admission }).admission,
    dataDirectory: directory,
    store: store as KeyValueStore,
    logger: silentLogger,
    stack,
  });
  const ask = (door: 'admission' | 'operators', token: string) =>
    doors[door].admit(
      admissionRequest(
        'player',
        { headers: { authorization: `Bearer ${token}` } },
        new Map(),
        '203.0.113.7',
      ),
      AbortSignal.timeout(1000),
    );
  return { ...doors, ask, kept };
}

const HOUR_MS = 3_600_000;
const file = (): string => join(directory, 'token.secret');

describe('the doors', () => {
  it('without admission take everyone, and operators by a secret that only we can read', async () => {
    const { tokens, ask } = await open({});
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    const made = await tokens.mint({ role: 'operator', subject: 'olga', ttlMs: HOUR_MS });
    const token = made.kind === 'made' ? made.token.token : '';
    expect(await ask('operators', token)).toMatchObject({ role: 'operator', subject: 'olga' });
    expect(await ask('admission', 'nonsense')).toMatchObject({ role: 'presenter' });
    expect(await ask('operators', 'nonsense')).toMatchObject({ kind: 'refusal', status: 401 });
    expect(await tokens.mint({ role: 'presenter', ttlMs: HOUR_MS })).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('admission.kind') as unknown,
    });
  });

  it('with tokens of ours take their bearers, until they are taken back', async () => {
    const { tokens, ask, kept } = await open({ kind: 'jwt', jwt: { secretFile: file() } });
    const made = await tokens.mint({ role: 'presenter', streamers: ['demo'], ttlMs: HOUR_MS });
    const { token, jti } = made.kind === 'made' ? made.token : { token: '', jti: '' };
    expect(await ask('admission', token)).toMatchObject({
      role: 'presenter',
      streamerIds: ['demo'],
    });
    expect(JSON.stringify([...kept])).not.toContain(token);
    await tokens.revoke(jti);
    expect(await ask('admission', token)).toMatchObject({ reason: 'The token was revoked.' });
    expect(await tokens.list()).toMatchObject([{ jti, role: 'presenter', revoked: true }]);
    // As long as the token could be shown, and no longer than that and the clocks' difference.
    const ttlMs = kept.get(`grandstand:revoked:${jti}`)?.ttlMs ?? 0;
    expect(ttlMs).toBeGreaterThan(HOUR_MS);
    expect(ttlMs).toBeLessThan(1.2 * HOUR_MS);
  });

  it('remember for longest what they know nothing of', async () => {
    const { tokens, kept } = await open({ kind: 'jwt', jwt: { secretFile: file() } });
    await tokens.revoke('of-an-issuer');
    expect(await tokens.has('of-an-issuer')).toBe(true);
    expect(kept.get('grandstand:revoked:of-an-issuer')?.ttlMs).toBeGreaterThan(366 * 24 * HOUR_MS);
  });

  it('with an issuer make no tokens, whoever asks', async () => {
    const { tokens } = await open({ kind: 'jwt', jwt: { issuer: 'https://issuer.example' } });
    expect(await tokens.mint({ role: 'operator', ttlMs: HOUR_MS })).toMatchObject({
      kind: 'refused',
    });
  });

  it('keep the secret over a restart', async () => {
    const before = await readFile(file(), 'utf8');
    await open({});
    expect(await readFile(file(), 'utf8')).toBe(before);
  });
});
