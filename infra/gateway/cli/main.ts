/** The command line: `grandstand start | demo | cluster | doctor | broadcast … | streamer … | player … | seat … | token …`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { ROLES } from '../../../signalling/index.ts';
import { errorText, GatewayError } from '../../kernel/errors.ts';
import { LADDER_PRESETS } from '../../kernel/ladder.ts';
import {
  changeBroadcast,
  createBroadcast,
  type CreateOptions,
  deleteBroadcast,
  listBroadcasts,
  showBroadcast,
} from './broadcast.ts';
import type { Api } from './client.ts';
import { runCluster } from './cluster.ts';
import { doctor } from './doctor.ts';
import { runDemo } from './demo.ts';
import { disconnectPeer, listPlayers, listStreamers } from './peers.ts';
import { assignSeat, listSeats, releaseSeat } from './seat.ts';
import { start } from './start.ts';
import { listTokens, makeToken, revokeToken, type TokenOptions } from './token.ts';
import { CLUSTER_SOURCES } from '../cluster/plan.ts';
import { listWorkers } from './workers.ts';
import { splitArguments } from '../wilbur.ts';

const DEFAULT_API = 'http://127.0.0.1:8080';

const program = new Command('grandstand')
  .description('LL-HLS and LL-DASH gateway for Unreal Engine Pixel Streaming')
  .showHelpAfterError();

const json = (): Option => new Option('--json', 'machine-readable output').default(false);
const config = (): Option => new Option('--config <file>', 'YAML configuration file');

const [command = '', ...rest] = process.argv.slice(2);
/** Only `start` knows Wilbur's names. */
const { wilbur, ours } =
  command === 'start' ? splitArguments(rest) : { wilbur: [], ours: [...rest] };

program
  .command('start')
  .description("run the gateway; Wilbur's command line (--streamer_port …) is understood too")
  .addOption(config())
  .addOption(new Option('--demo', 'also run the demo streamer').default(false))
  .addOption(
    new Option(
      '--role <role>',
      'what runs here: all, or signalling, ingest, worker, origin; repeat it, or with commas',
    ).argParser((text, before: readonly string[] | undefined) => [
      ...(before ?? []),
      ...text.split(','),
    ]),
  )
  .addOption(new Option('--http <host:port>', 'public listener'))
  .addOption(new Option('--data-dir <directory>', 'state and private Redis'))
  .addOption(json())
  .action(
    (options: {
      config?: string;
      demo: boolean;
      role?: string[];
      http?: string;
      dataDir?: string;
      json: boolean;
    }) =>
      start({
        file: options.config,
        isDemo: options.demo,
        isJson: options.json,
        wilbur,
        flags: {
          ...(options.role === undefined ? {} : { roles: options.role }),
          ...(options.http === undefined ? {} : { http: { listen: options.http } }),
          ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
        },
      }),
  );

program
  .command('demo')
  .description('run only the demo streamer, a stand-in for an Unreal application')
  .addOption(
    new Option('--url <url>', 'signalling server for streamers').default('ws://127.0.0.1:8888'),
  )
  .addOption(new Option('--id <id>', 'streamer id').default('demo'))
  .addOption(new Option('--size <WxH>', 'picture size').default('1280x720'))
  .addOption(new Option('--fps <n>', 'frames per second').argParser(positive).default(30))
  .addOption(
    new Option('--bitrate <bps>', 'video bitrate (bit/s)').argParser(positive).default(5_000_000),
  )
  .addOption(new Option('--codec <codec>', 'video codec').choices(['h264']).default('h264'))
  .addOption(json())
  .action(
    (options: {
      url: string;
      id: string;
      size: string;
      fps: number;
      bitrate: number;
      codec: string;
      json: boolean;
    }) => runDemo(options),
  );

program
  .command('cluster')
  .description('run a small cluster on this machine, one process per role, and say who does what')
  .addOption(new Option('--data-dir <directory>', 'data and logs').default('.grandstand-cluster'))
  .addOption(new Option('--http <port>', 'pages, API, media').argParser(positive).default(8080))
  .addOption(
    new Option('--streamers <port>', 'streamers (Unreal)').argParser(positive).default(8888),
  )
  .addOption(new Option('--workers <n>', 'worker processes').argParser(positive).default(2))
  .addOption(new Option('--origins <n>', 'origin processes').argParser(positive).default(2))
  .addOption(
    new Option('--redundancy <n>', 'workers that publish each broadcast at once')
      .choices(['1', '2'])
      .default('1'),
  )
  .addOption(
    new Option('--source <name>', 'what the demo sends').choices(CLUSTER_SOURCES).default('360p'),
  )
  .addOption(new Option('--rungs <n>', 'rungs of the ladder').argParser(positive).default(1))
  .addOption(json())
  .action(
    (options: {
      dataDir: string;
      http: number;
      streamers: number;
      workers: number;
      origins: number;
      redundancy: '1' | '2';
      source: (typeof CLUSTER_SOURCES)[number];
      rungs: number;
      json: boolean;
    }) => runCluster({ ...options, redundancy: options.redundancy === '2' ? 2 : 1 }),
  );

program
  .command('doctor')
  .description(
    'say what this machine has: Node, ffmpeg and its encoders, Redis, ports, UDP buffers',
  )
  .addOption(config())
  .addOption(json())
  .action((options: { config?: string; json: boolean }) =>
    doctor({ file: options.config, isJson: options.json }),
  );

const broadcast = program
  .command('broadcast')
  .description('look at the broadcasts of a running gateway, and change them');
/** A command of the API; `--token` is needed from another machine only. */
const overApi = (name: string, description: string, parent = broadcast): Command =>
  parent
    .command(name)
    .description(description)
    .addOption(new Option('--url <url>', 'base URL of the gateway').default(DEFAULT_API))
    .addOption(
      new Option('--token <token>', 'internal token, or one of an operator').env(
        'GRANDSTAND_INTERNAL_TOKEN',
      ),
    )
    .addOption(json());
overApi('list', 'a line for each').action((options: Api) => listBroadcasts(options));
overApi('show <id>', 'everything known of one').action((id: string, options: Api) =>
  showBroadcast(id, options),
);
overApi('create <id>', 'make one; what is not said here is the configuration of the gateway')
  .addOption(new Option('--publish', 'an encoder of yours PUTs its tracks').conflicts('streamer'))
  .addOption(new Option('--streamer <id>', 'streamer id, where it is not the name'))
  .addOption(new Option('--ladder <preset>', 'rungs and frame rate').choices(LADDER_PRESETS))
  .addOption(
    new Option(
      '--source-height <pixels>',
      'height of the source picture at its largest: rungs above it are left out',
    ).argParser(positive),
  )
  .addOption(
    new Option(
      '--signalling <url>',
      "another deployment's signalling server, where its players connect; its first streamer without --streamer",
    ).conflicts('publish'),
  )
  .addOption(new Option('--redundancy <n>', 'workers that encode it at once').choices(['1', '2']))
  .addOption(
    new Option('--file <file>', 'YAML with source, ladder, sourceHeight, grid and redundancy'),
  )
  .action((id: string, options: CreateOptions) => createBroadcast(id, options));
overApi('stop <id>', 'end it for its viewers; the recording stays').action(
  (id: string, options: Api) => changeBroadcast('stop', id, options),
);
overApi('start <id>', 'start one that was stopped').action((id: string, options: Api) =>
  changeBroadcast('start', id, options),
);
overApi('delete <id>', 'forget one that has ended').action((id: string, options: Api) =>
  deleteBroadcast(id, options),
);

const streamer = program.command('streamer').description('applications that are connected');
overApi('list', 'a line for each, of every replica', streamer).action((options: Api) =>
  listStreamers(options),
);
overApi('disconnect <id>', 'close its connection; Unreal comes back by itself', streamer).action(
  (id: string, options: Api) => disconnectPeer('streamers', id, options),
);

const player = program.command('player').description('browsers that are connected to signalling');
overApi('list', 'a line for each, of every replica', player).action((options: Api) =>
  listPlayers(options),
);
overApi('disconnect <id>', 'close its connection and free its seat', player).action(
  (id: string, options: Api) => disconnectPeer('players', id, options),
);

overApi('workers', 'living workers: encoders, seats and jobs', program).action((options: Api) =>
  listWorkers(options),
);

const seat = program.command('seat').description('who presents: look, give, take back');
overApi('list', 'seats that are held, or kept for a grace', seat).action((options: Api) =>
  listSeats(options),
);
overApi('assign <streamer> <player>', 'give the seat to a player, whoever holds it', seat).action(
  (streamer: string, player: string, options: Api) => assignSeat(streamer, player, options),
);
overApi('release <streamer>', 'take the seat back', seat).action((streamer: string, options: Api) =>
  releaseSeat(streamer, options),
);

const token = program.command('token').description('tokens of those who may come in');
for (const role of ROLES) {
  overApi(
    `${role} [streamer]`,
    `make one for ${role}s; for all streamers where none is named`,
    token,
  )
    .addOption(new Option('--ttl <time>', 'how long it is good: 8h, 1h30m').default('8h'))
    .addOption(new Option('--subject <name>', 'who it is for; keeps the seat over a reconnect'))
    .action((streamer: string | undefined, options: TokenOptions) =>
      makeToken(role, streamer, options),
    );
}
overApi('list', 'those that were made and have not expired', token).action((options: Api) =>
  listTokens(options),
);
overApi('revoke <jti>', 'take one back', token).action((jti: string, options: Api) =>
  revokeToken(jti, options),
);

try {
  await program.parseAsync([command, ...ours], { from: 'user' });
} catch (error) {
  const isExpected = error instanceof GatewayError;
  console.error(isExpected ? `grandstand: ${error.message}` : error);
  if (!isExpected) {
    console.error(`grandstand: unexpected fault: ${errorText(error)}`);
  }
  process.exitCode = 1;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) {
    throw new InvalidArgumentError('must be a positive integer');
  }
  return value;
}
