/** Reads the configuration's layers: file, environment, flags. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { configFromEnvironment, configLeaves, parseConfig } from '../kernel/config.ts';
import { errorText, GatewayError } from '../kernel/errors.ts';
import { type GatewayConfig, gatewayConfigSchema } from './config.ts';

/**
 * The configuration of this process.
 *
 * @param flags nested like the configuration; they win over everything
 * @throws GatewayError `bad_config` naming every fault
 */
export async function loadConfig(options: {
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, unknown>>;
}): Promise<GatewayConfig> {
  const file = options.file === undefined ? {} : await readLayer(options.file);
  const environment = configFromEnvironment(configLeaves(gatewayConfigSchema), options.environment);
  return parseConfig(gatewayConfigSchema, [file, environment, options.flags]);
}

async function readLayer(file: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new GatewayError(
      'bad_config',
      `cannot read the configuration ${file}: ${errorText(error)}`,
      { cause: error },
    );
  }
  if (value == null) {
    return {};
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new GatewayError('bad_config', `${file}: the configuration must be a map of keys`);
  }
  return value as Record<string, unknown>;
}
