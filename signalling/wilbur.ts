/**
 * Wilbur's command line and `config.json`, and Cirrus' `config.json`, read as our configuration: who
 * has one can start with it. Pure; the gateway reads files and merges. Nothing is dropped in silence.
 */
import { GatewayError } from '../infra/kernel/errors.ts';

/** What was understood. */
export type WilburSettings = {
  /** Merge under the user's own settings. Whatever was said, `mode` is `open`, as Wilbur's. */
  readonly config: {
    readonly signalling: Readonly<Record<string, unknown>>;
    readonly http?: { readonly listen: string };
    readonly log?: { readonly level: string };
    readonly tls?: {
      readonly certificateFile: string;
      readonly keyFile: string;
      readonly listen: string;
    };
  };
  /** `--peer_options_file`: its JSON is `signalling.peerConnectionOptions`. */
  readonly peerOptionsFile: string | undefined;
  /** `--config_file`: its JSON goes through `wilburAliases` too, under the command line. */
  readonly configFile: string | undefined;
  /** Settings without an effect here, each with what to do instead. */
  readonly ignored: readonly { readonly name: string; readonly why: string }[];
};

type Draft = {
  readonly signalling: Record<string, unknown>;
  readonly http: Record<string, string>;
  readonly log: Record<string, string>;
  readonly files: Record<string, string>;
  readonly tls: { isOn: boolean; certificateFile: string; keyFile: string; port: number };
  readonly ignored: { readonly name: string; readonly why: string }[];
};
type Setting = {
  /** Whether the name stands alone on a command line. */
  readonly isFlag?: boolean;
  readonly apply: (draft: Draft, value: unknown, name: string) => void;
};

/**
 * Reads arguments (`['--streamer_port', '8888']`, `--name=value` too) or a parsed `config.json`.
 *
 * @throws GatewayError `bad_config` with every setting that is unknown or does not fit
 */
export function wilburAliases(
  input: readonly string[] | Readonly<Record<string, unknown>>,
): WilburSettings {
  const draft: Draft = {
    ...{ signalling: { mode: 'open' }, http: {}, log: {}, files: {}, ignored: [] },
    tls: { isOn: false, ...WILBUR_TLS },
  };
  const faults: string[] = [];
  for (const [name, value] of isArguments(input) ? pairs(input) : Object.entries(input)) {
    const setting = settingOf(name);
    if (setting === undefined) {
      faults.push(`${name} is no setting of Wilbur or Cirrus`);
      continue;
    }
    try {
      setting.apply(draft, value, name);
    } catch (error) {
      faults.push(`${name} ${(error as Error).message} (got ${shown(value)})`);
    }
  }
  if (faults.length > 0) {
    throw new GatewayError('bad_config', `Wilbur's settings: ${faults.join('; ')}`);
  }
  const { signalling, http, log, files, tls, ignored } = draft;
  return {
    config: {
      signalling,
      ...(http['listen'] === undefined ? {} : { http: { listen: http['listen'] } }),
      ...(log['level'] === undefined ? {} : { log: { level: log['level'] } }),
      // Its config.json names files and port whether or not https is on.
      ...(tls.isOn
        ? {
            tls: {
              ...{ certificateFile: tls.certificateFile, keyFile: tls.keyFile },
              listen: `0.0.0.0:${tls.port}`,
            },
          }
        : {}),
    },
    peerOptionsFile: files['peerOptions'],
    configFile: files['config'],
    ignored,
  };
}

/** Whether an argument is one of these names, for a command line that takes both kinds. */
export function isWilburArgument(argument: string): boolean {
  const [name = ''] = argument.replace(/^--/, '').split('=');
  return argument.startsWith('--') && settingOf(name) !== undefined;
}

const listener =
  (key: 'streamers' | 'sfu'): Setting['apply'] =>
  (draft, value) => {
    // Wilbur listens on every address. Here only where somebody says so: a streamer port is a door.
    draft.signalling[key] = { port: port(value) };
  };
const player: Setting = {
  apply(draft, value) {
    draft.http['listen'] = `0.0.0.0:${port(value)}`;
  },
};
const maxPlayers: Setting = {
  apply(draft, value) {
    draft.signalling['maxPlayers'] = count(value);
  },
};
const peerOptions: Setting = {
  apply(draft, value) {
    draft.signalling['peerConnectionOptions'] = options(value);
  },
};
const https: Setting = {
  isFlag: true,
  apply(draft, value) {
    draft.tls.isOn = isSet(value);
  },
};
const httpsPort: Setting = {
  apply(draft, value) {
    draft.tls.port = port(value);
  },
};
const tlsFile = (key: 'certificateFile' | 'keyFile'): Setting => ({
  apply(draft, value) {
    if (typeof value !== 'string' || value === '') {
      throw new Error('must be the path of a file');
    }
    draft.tls[key] = value;
  },
});
const isSet = (value: unknown): boolean => value !== false && value !== '' && value !== undefined;
const without = (why: string, isFlag = false): Setting => ({
  isFlag,
  apply(draft, value, name) {
    if (isSet(value)) {
      draft.ignored.push({ name, why });
    }
  },
});

/** Wilbur's defaults. */
const WILBUR_TLS = {
  certificateFile: 'certificates/client-cert.pem',
  keyFile: 'certificates/client-key.pem',
  port: 443,
};
const ALWAYS = 'always so here';
const PAGES = 'the pages come with the gateway';
const REDIRECT = 'plain HTTP stays beside it: close http.listen to the world';
const LOGS = 'logs go to stderr; see log.format';
const MATCHMAKER = 'there is no matchmaker client yet';

const SETTINGS: Readonly<Record<string, Setting>> = {
  // Wilbur.
  streamer_port: { apply: listener('streamers') },
  player_port: player,
  sfu_port: { apply: listener('sfu') },
  max_players: maxPlayers,
  peer_options: peerOptions,
  peer_options_file: file('peerOptions'),
  config_file: file('config'),
  log_level_console: {
    apply(draft, value) {
      draft.log['level'] = level(value);
    },
  },
  reverse_proxy: {
    isFlag: true,
    apply(draft, value) {
      if (isSet(value)) {
        draft.signalling['proxies'] ??= 1;
      }
    },
  },
  reverse_proxy_num_proxies: {
    apply(draft, value) {
      draft.signalling['proxies'] = count(value);
    },
  },
  serve: without(ALWAYS, true),
  rest_api: without(ALWAYS, true),
  no_config: without('without --config no file is read', true),
  save: without('write the file by hand: grandstand.sample.yaml', true),
  stdin: without('there is no console', true),
  console_messages: without(LOGS),
  log_folder: without(LOGS),
  log_level_file: without(LOGS),
  http_root: without(PAGES),
  homepage: without(PAGES),
  https,
  https_port: httpsPort,
  ssl_key_path: tlsFile('keyFile'),
  ssl_cert_path: tlsFile('certificateFile'),
  https_redirect: without(REDIRECT, true),
  cors: without('set signalling.allowedOrigins instead', true),
  cors_origin: without('set signalling.allowedOrigins instead'),
  cors_methods: without(ALWAYS),
  cors_allowed_headers: without(ALWAYS),
  // Cirrus.
  StreamerPort: { apply: listener('streamers') },
  HttpPort: player,
  SFUPort: { apply: listener('sfu') },
  MaxPlayerCount: {
    apply(draft, value) {
      // Cirrus says -1 for any number.
      draft.signalling['maxPlayers'] = Number(value) === -1 ? 0 : count(value);
    },
  },
  peerConnectionOptions: peerOptions,
  PublicIp: without('not needed'),
  UseFrontend: without(PAGES),
  HomepageFile: without(PAGES),
  AdditionalRoutes: without(PAGES),
  EnableWebserver: without(ALWAYS),
  LogToFile: without(LOGS),
  LogVerbose: without(LOGS),
  UseHTTPS: https,
  HttpsPort: httpsPort,
  HTTPSCertFile: tlsFile('certificateFile'),
  HTTPSKeyFile: tlsFile('keyFile'),
  UseAuthentication: without('use tokens'),
  UseMatchmaker: without(MATCHMAKER),
  MatchmakerAddress: without(MATCHMAKER),
  MatchmakerPort: without(MATCHMAKER),
  MatchmakerRetryInterval: without(MATCHMAKER),
  MatchmakerKeepAliveInterval: without(MATCHMAKER),
};

/** commander takes dashes for underscores in some of these (`--reverse-proxy`). */
function settingOf(name: string): Setting | undefined {
  const known = name.replaceAll('-', '_');
  return Object.hasOwn(SETTINGS, known) ? SETTINGS[known] : undefined;
}

function isArguments(
  input: readonly string[] | Readonly<Record<string, unknown>>,
): input is readonly string[] {
  return Array.isArray(input);
}

function pairs(args: readonly string[]): (readonly [string, unknown])[] {
  const found: (readonly [string, unknown])[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const [, name = args[index] ?? '', value] =
      /^--([^=]+)(?:=(.*))?$/s.exec(args[index] ?? '') ?? [];
    const next = args[index + 1];
    if (value !== undefined) {
      found.push([name, value]);
    } else if (settingOf(name)?.isFlag === true || next === undefined || next.startsWith('--')) {
      found.push([name, true]);
    } else {
      found.push([name, next]);
      index += 1;
    }
  }
  return found;
}

function file(key: string): Setting {
  return {
    apply(draft, value) {
      if (typeof value !== 'string') {
        throw new Error('must be the path of a file');
      }
      if (value !== '') {
        draft.files[key] = value;
      }
    },
  };
}
function port(value: unknown): number {
  return within(value, 1, 65_535, 'must be a port');
}
function count(value: unknown): number {
  return within(value, 0, Number.MAX_SAFE_INTEGER, 'must be a whole number from 0');
}
function within(value: unknown, min: number, max: number, message: string): number {
  const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    throw new Error(message);
  }
  return number;
}
/** Epic's text is JSON, often in quotes that a shell has left over. */
function options(value: unknown): Readonly<Record<string, unknown>> {
  let parsed: unknown = value;
  if (typeof value === 'string') {
    const text = value.trim().replace(/^'(.*)'$/s, '$1');
    try {
      parsed = text === '' ? {} : (JSON.parse(text) as unknown);
    } catch {
      throw new Error('must be JSON');
    }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new Error('must be a JSON object');
  }
  return parsed as Readonly<Record<string, unknown>>;
}
function level(value: unknown): string {
  const levels: Readonly<Record<string, string>> = {
    ...{ error: 'error', warn: 'warn', warning: 'warn', info: 'info', debug: 'debug' },
    ...{ verbose: 'debug', silly: 'debug', http: 'debug' },
  };
  const known = typeof value === 'string' ? levels[value] : undefined;
  if (known === undefined) {
    throw new Error('must be a level of Wilbur (error, warn, info, debug, verbose)');
  }
  return known;
}
/** Never the whole of it: peer options hold passwords. */
function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : typeof value === 'string' && value.length <= 16
      ? JSON.stringify(value)
      : typeof value;
}
