/**
 * What Wilbur and Cirrus are told, as layers of our configuration: who has their command line or
 * `config.json` starts with it unchanged.
 */
import { isWilburArgument, wilburAliases } from '../../signalling/index.ts';
import { errorText, GatewayError } from '../kernel/errors.ts';

type Layer = Readonly<Record<string, unknown>>;

/** What the aliases say. */
export type WilburLayers = {
  /** Under everything: mode `open`, which Wilbur always is, and its `config.json`. */
  readonly under: readonly Layer[];
  /** As strong as flags: what stands on the command line. */
  readonly over: Layer;
  /** Settings without an effect here, each with what to do instead. */
  readonly ignored: readonly { readonly name: string; readonly why: string }[];
};

/** Parts a command line into Wilbur's arguments, with their values, and ours. */
export function splitArguments(args: readonly string[]): {
  readonly wilbur: readonly string[];
  readonly ours: readonly string[];
} {
  const wilbur: string[] = [];
  const ours: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    const value = args[index + 1];
    if (!isWilburArgument(argument)) {
      ours.push(argument);
      continue;
    }
    wilbur.push(argument);
    if (!argument.includes('=') && value !== undefined && !value.startsWith('--')) {
      wilbur.push(value);
      index += 1;
    }
  }
  return { wilbur, ours };
}

/** Whether a parsed file is Wilbur's or Cirrus' `config.json` and not ours: every key is theirs. */
export function isWilburFile(file: Layer): boolean {
  const keys = Object.keys(file);
  return keys.length > 0 && keys.every((key) => isWilburArgument(`--${key}`));
}

/**
 * The layers of a command line.
 *
 * @param readJson reads a file that a setting names
 * @throws GatewayError `bad_config` naming every setting that does not fit, or the file
 */
export async function wilburLayers(
  args: readonly string[],
  readJson: (path: string) => Promise<Layer>,
): Promise<WilburLayers> {
  if (args.length === 0) {
    return { under: [], over: {}, ignored: [] };
  }
  const line = wilburAliases(args);
  const { mode, ...signalling } = line.config.signalling;
  const file =
    line.configFile === undefined
      ? undefined
      : await fileLayers(await readJson(line.configFile), readJson);
  return {
    under: [{ signalling: { mode } }, ...(file?.under ?? [])],
    over: {
      ...line.config,
      signalling: { ...signalling, ...(await peerOptions(line.peerOptionsFile, readJson)) },
    },
    ignored: [...(file?.ignored ?? []), ...line.ignored],
  };
}

/** The layer of a `config.json`. */
export async function fileLayers(
  file: Layer,
  readJson: (path: string) => Promise<Layer>,
): Promise<Pick<WilburLayers, 'under' | 'ignored'>> {
  const { config, peerOptionsFile, ignored } = wilburAliases(file);
  const signalling = { ...config.signalling, ...(await peerOptions(peerOptionsFile, readJson)) };
  return { under: [{ ...config, signalling }], ignored };
}

async function peerOptions(
  path: string | undefined,
  readJson: (path: string) => Promise<Layer>,
): Promise<Layer> {
  if (path === undefined) {
    return {};
  }
  try {
    return { peerConnectionOptions: await readJson(path) };
  } catch (error) {
    throw new GatewayError('bad_config', `peer_options_file: ${errorText(error)}`, {
      cause: error,
    });
  }
}
