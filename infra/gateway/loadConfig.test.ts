import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from './loadConfig.ts';
import { splitArguments } from './wilbur.ts';

let directory: string;
const ICE = { iceServers: [{ urls: ['stun:a:1'] }] };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-config-'));
  await writeFile(
    join(directory, 'config.json'),
    JSON.stringify({ streamer_port: 9000, max_players: 3, peer_options_file: ice(), serve: true }),
  );
  await writeFile(ice(), JSON.stringify(ICE));
  await writeFile(join(directory, 'ours.yaml'), 'signalling: { mode: presenter, maxPlayers: 7 }\n');
});
afterAll(() => rm(directory, { recursive: true }));

function ice(): string {
  return join(directory, 'ice.json');
}
const load = (
  wilbur: readonly string[],
  { file, environment = {} }: { file?: string; environment?: Record<string, string> } = {},
) =>
  loadConfig({
    file: file === undefined ? undefined : join(directory, file),
    environment,
    flags: {},
    wilbur,
  });

describe("Wilbur's names", () => {
  it('are parted from ours on one command line', () => {
    expect(
      splitArguments([
        '--demo',
        '--streamer_port',
        '9',
        '--config',
        'x',
        '--serve',
        '--sfu_port=7',
      ]),
    ).toEqual({
      wilbur: ['--streamer_port', '9', '--serve', '--sfu_port=7'],
      ours: ['--demo', '--config', 'x'],
    });
  });

  it('come by the command line over its config file, in mode open', async () => {
    const file = join(directory, 'config.json');
    const config = await load(['--config_file', file, '--streamer_port', '9001']);
    expect(config.signalling).toMatchObject({
      mode: 'open',
      maxPlayers: 3,
      streamers: { host: '127.0.0.1', port: 9001 },
      peerConnectionOptions: ICE,
    });
  });

  it('lie under what our own file says', async () => {
    const { signalling } = await load(['--streamer_port', '9001'], { file: 'ours.yaml' });
    expect(signalling).toMatchObject({ mode: 'presenter', maxPlayers: 7 });
    expect(signalling.streamers.port).toBe(9001);
  });

  it('may be all that --config names, and what has no effect is told', async () => {
    const ignored: string[] = [];
    const config = await loadConfig({
      file: join(directory, 'config.json'),
      environment: {},
      flags: {},
      onIgnored: ({ name }) => ignored.push(name),
    });
    expect(config.signalling.streamers.port).toBe(9000);
    expect(ignored).toEqual(['serve']);
  });

  it('of which one is wrong stop the start', async () => {
    await expect(load(['--streamer_port', 'x'])).rejects.toThrow(/streamer_port must be a port/);
  });
});

describe('secrets', () => {
  it('are in no fault, whatever is wrong with them or beside them', async () => {
    const environment = {
      GRANDSTAND_INTERNAL_TOKEN: 'hush-1',
      GRANDSTAND_REDIS_URL: 'http://:hush-2@redis',
      GRANDSTAND_SIGNALLING_TURN_SECRET: '12345678',
      GRANDSTAND_ADMISSION_KIND: 'jwt',
      GRANDSTAND_ADMISSION_JWT_SECRET: 'hush-3',
      GRANDSTAND_ADMISSION_JWT_ISSUER: 'https://issuer.example',
    };
    const fault = await load([], { environment }).catch(String);
    expect(fault).toMatch(/internal\.token/);
    expect(fault).toMatch(/redis\.url/);
    expect(fault).toMatch(/exactly one of/);
    expect(fault).not.toMatch(/hush|12345678/);
  });

  it('win by their layer, and print as nothing', async () => {
    const config = await load([], {
      environment: { GRANDSTAND_INTERNAL_TOKEN: 'sixteen-characters' },
    });
    expect(config.internal.token?.reveal()).toBe('sixteen-characters');
    expect(JSON.stringify(config)).not.toContain('sixteen');
  });

  it('of tokens are kept in the data directory where nobody says whose', async () => {
    const environment = { GRANDSTAND_ADMISSION_KIND: 'jwt', GRANDSTAND_DATA_DIR: '/data' };
    expect((await load([], { environment })).admission.jwt.secretFile).toBe('/data/token.secret');
    const issuer = { ...environment, GRANDSTAND_ADMISSION_JWT_ISSUER: 'https://issuer.example' };
    expect((await load([], { environment: issuer })).admission.jwt.secretFile).toBeUndefined();
  });
});
