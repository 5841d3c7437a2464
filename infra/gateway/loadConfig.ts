/** Reads the configuration's layers: Wilbur's names, file, environment, flags. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { configFromEnvironment, configLeaves, parseConfig, setPath } from '../kernel/config.ts';
import { errorText, GatewayError } from '../kernel/errors.ts';
import { Secret } from '../kernel/secret.ts';
import { type GatewayConfig, gatewayConfigSchema, SECRET_PATHS } from './config.ts';
import { fileLayers, isWilburFile, type WilburLayers, wilburLayers } from './wilbur.ts';

type Layer = Readonly<Record<string, unknown>>;

/** The secret of tokens, kept in the data directory where none is configured. */
export const TOKEN_SECRET_FILE = 'token.secret';

/**
 * The configuration of this process.
 *
 * @param flags nested like the configuration; they win over everything
 * @param wilbur arguments by Wilbur's names
 * @param onIgnored told of each setting of Wilbur's that has no effect
 * @throws GatewayError `bad_config` naming every fault, and no secret
 */
export async function loadConfig(options: {
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Layer;
  readonly wilbur?: readonly string[];
  readonly onIgnored?: (setting: WilburLayers['ignored'][number]) => void;
}): Promise<GatewayConfig> {
  const line = await wilburLayers(options.wilbur ?? [], readLayer);
  const file = options.file === undefined ? {} : await readLayer(options.file);
  const wilburFile = isWilburFile(file) ? await fileLayers(file, readLayer) : undefined;
  const environment = configFromEnvironment(configLeaves(gatewayConfigSchema), options.environment);
  const layers = [
    ...line.under,
    ...(wilburFile?.under ?? [file]),
    environment,
    line.over,
    options.flags,
  ];
  [...line.ignored, ...(wilburFile?.ignored ?? [])].forEach((setting) =>
    options.onIgnored?.(setting),
  );
  return parseConfig(gatewayConfigSchema, withTokenSecret(withSecrets(layers)));
}

/** Where tokens are wanted and nobody says whose, they are ours. */
function withTokenSecret(layers: readonly Layer[]): readonly Layer[] {
  const last = (...path: string[]): unknown =>
    layers.map((layer) => valueAt(layer, path)).findLast((value) => value != null);
  const jwt = (key: string): unknown => last('admission', 'jwt', key);
  if (
    last('admission', 'kind') !== 'jwt' ||
    [jwt('secret'), jwt('secretFile'), jwt('issuer')].some((value) => value !== undefined)
  ) {
    return layers;
  }
  const dataDir = last('dataDir');
  const directory =
    typeof dataDir === 'string' ? dataDir : gatewayConfigSchema.shape.dataDir.parse(undefined);
  const secretFile = join(directory, TOKEN_SECRET_FILE);
  return [...layers, { admission: { jwt: { secretFile } } }];
}

/** Secrets are wrapped first of all: a fault elsewhere in their section must not print them. */
function withSecrets(layers: readonly Layer[]): readonly Layer[] {
  const bare = layers.map((layer) => structuredClone(layer) as Record<string, unknown>);
  const secrets = {};
  for (const path of SECRET_PATHS) {
    const value = bare.map((layer) => valueAt(layer, path)).findLast((one) => one != null);
    if (typeof value === 'string' || typeof value === 'number') {
      bare.forEach((layer) => removeAt(layer, path));
      setPath(secrets, path, new Secret(String(value)));
    }
  }
  return [...bare, secrets];
}

function removeAt(layer: Layer, path: readonly string[]): void {
  const section = valueAt(layer, path.slice(0, -1));
  if (typeof section === 'object' && section !== null) {
    Reflect.deleteProperty(section, path.at(-1) ?? '');
  }
}

function valueAt(layer: Layer, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined,
    layer,
  );
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
