import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configFromEnvironment, configLeaves, parseConfig } from './config.ts';

const schema = z.strictObject({
  http: z
    .strictObject({
      host: z.string().default('0.0.0.0').describe('Address to listen on.'),
      port: z.int().min(0).max(65535).default(8080).describe('Port.'),
    })
    .prefault({}),
  signalling: z
    .strictObject({ maxPlayers: z.int().min(0).default(0).describe('Cap.') })
    .prefault({}),
});

describe('configuration', () => {
  it('names a variable for every leaf', () => {
    expect(configLeaves(schema).map((leaf) => leaf.variable)).toEqual([
      'GRANDSTAND_HTTP_HOST',
      'GRANDSTAND_HTTP_PORT',
      'GRANDSTAND_SIGNALLING_MAX_PLAYERS',
    ]);
    expect(configLeaves(schema)[1]?.description).toBe('Port.');
  });

  it('lets the environment win over the file and flags over both', () => {
    const environment = configFromEnvironment(configLeaves(schema), {
      GRANDSTAND_HTTP_PORT: '9000',
      GRANDSTAND_HTTP_HOST: '1',
      PATH: 'x',
    });
    expect(
      parseConfig(schema, [{ http: { port: 1 }, signalling: { maxPlayers: 3 } }, environment]),
    ).toEqual({
      http: { host: '1', port: 9000 },
      signalling: { maxPlayers: 3 },
    });
  });

  it('never shows what looks like a secret, alone or inside a faulty section', () => {
    const secrets = z.strictObject({
      jwt: z.strictObject({ secret: z.string().min(64) }).prefault({ secret: 'x'.repeat(64) }),
      internal: z.strictObject({ token: z.int() }).optional(),
    });
    expect(() =>
      parseConfig(secrets, [
        { jwt: { secret: 'hunter2', audeince: 'a' }, internal: { token: 'hunter2' } },
      ]),
    ).toThrow(/^(?![^]*hunter2)[^]*3 fault\(s\)/);
  });

  it('takes a piped text from the environment as text', () => {
    const piped = z.strictObject({ secret: z.string().transform((text) => text.length) });
    expect(configFromEnvironment(configLeaves(piped), { GRANDSTAND_SECRET: '12345' })).toEqual({
      secret: '12345',
    });
  });

  it('reports all faults at once with path and value', () => {
    expect(() =>
      parseConfig(schema, [{ http: { port: 'x', colour: 'red' }, signalling: { maxPlayers: -1 } }]),
    ).toThrow(/3 fault\(s\)[^]*http\.port[^]*got "x"[^]*http[^]*colour[^]*signalling\.maxPlayers/);
    expect(() => configFromEnvironment(configLeaves(schema), { GRANDSTAND_HTP_PORT: '1' })).toThrow(
      'GRANDSTAND_HTP_PORT',
    );
  });
});
