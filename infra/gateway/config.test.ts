import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { gatewayConfigSchema } from './config.ts';
import { configLeaves, parseConfig } from '../kernel/config.ts';

const SAMPLE = readFileSync(join(import.meta.dirname, 'grandstand.sample.yaml'), 'utf8');

describe('the sample configuration', () => {
  it('is the defaults', () => {
    const sample = parse(SAMPLE) as Record<string, unknown>;
    expect(parseConfig(gatewayConfigSchema, [sample])).toEqual(
      parseConfig(gatewayConfigSchema, []),
    );
  });

  it('documents every key with its variable', () => {
    const undocumented = configLeaves(gatewayConfigSchema).filter(
      ({ path, variable, description }) =>
        description === '' ||
        !SAMPLE.includes(variable) ||
        !new RegExp(`^\\s*(# )?${String(path.at(-1))}:`, 'm').test(SAMPLE),
    );
    expect(undocumented.map(({ path }) => path.join('.'))).toEqual([]);
  });

  it('refuses a listener that is none', () => {
    expect(() => parseConfig(gatewayConfigSchema, [{ http: { listen: '8080' } }])).toThrow(
      /http\.listen: must be HOST:PORT/,
    );
    expect(
      parseConfig(gatewayConfigSchema, [{ http: { listen: '[::1]:80' } }]).http.listen,
    ).toEqual({ host: '::1', port: 80 });
  });
});
