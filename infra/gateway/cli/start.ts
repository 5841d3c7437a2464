/** `grandstand start`: runs the gateway, says what runs where, and ends in order. */
import { errorText, GatewayError } from '../../kernel/errors.ts';
import { createLogger } from '../../kernel/logger.ts';
import { isWhole, type Role } from '../config.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { loadConfig } from '../loadConfig.ts';
import { type DemoChild, startDemoChild } from './demo.ts';
import { onStopSignals } from './stopSignals.ts';

const CLOSE_DEADLINE_MS = 15_000;

/** Runs until a signal or a fatal fault; resolves when everything is closed. */
export async function start(options: {
  readonly file: string | undefined;
  readonly isDemo: boolean;
  readonly isJson: boolean;
  readonly flags: Readonly<Record<string, unknown>>;
  /** Arguments by Wilbur's names. */
  readonly wilbur: readonly string[];
}): Promise<void> {
  const ignored: unknown[] = [];
  const config = await loadConfig({
    file: options.file,
    environment: process.env,
    flags: options.flags,
    wilbur: options.wilbur,
    onIgnored: (setting) => ignored.push(setting),
  });
  const isPretty =
    config.log.format === 'auto'
      ? process.stderr.isTTY && !options.isJson
      : config.log.format === 'pretty';
  const logger = createLogger({ level: config.log.level, format: isPretty ? 'pretty' : 'json' });
  ignored.forEach((setting) =>
    logger.warn({ setting }, "a setting of Wilbur's has no effect here"),
  );
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const stopListening = onStopSignals(end);
  process.on('unhandledRejection', (error) => {
    logger.error(
      { error: errorText(error), stack: error instanceof Error ? error.stack : undefined },
      'unhandled rejection',
    );
    process.exitCode = 1;
    end('unhandled rejection');
  });
  const onFatal = (error: GatewayError): void => {
    logger.error({ code: error.code }, error.message);
    process.exitCode = 1;
    end(error.code);
  };
  if (options.isDemo && !config.roles.includes('signalling')) {
    throw new GatewayError('bad_config', '--demo needs the role signalling in the same process');
  }
  const gateway = await startGateway(config, logger, onFatal);
  const demo =
    options.isDemo && gateway.streamerUrl !== undefined
      ? startDemoChild(gateway.streamerUrl, logger.child({ area: 'demo' }))
      : undefined;
  console.log(options.isJson ? JSON.stringify(summary(gateway, demo)) : table(gateway, demo));

  const reason = await ended;
  logger.info({ reason }, 'closing');
  const deadline = setTimeout(() => {
    logger.error({ deadlineMs: CLOSE_DEADLINE_MS }, 'closing took too long');
    process.exit(1);
  }, CLOSE_DEADLINE_MS);
  await Promise.all([gateway.close(reason), demo?.close(reason)]);
  clearTimeout(deadline);
  stopListening();
  logger.info({ reason }, 'closed');
  process.exit(process.exitCode ?? 0);
}

function summary(gateway: Gateway, demo: DemoChild | undefined): Record<string, unknown> {
  const { roles, publicUrl, tls, streamerUrl, internalUrl, redis, encoder } = gateway;
  return {
    ...{ roles, publicUrl, tls: tls ?? null, streamerUrl: streamerUrl ?? null, internalUrl, redis },
    encoder: encoder ?? null,
    demo: demo?.id ?? null,
  };
}

function table(gateway: Gateway, demo: DemoChild | undefined): string {
  const watched = demo?.id ?? '{broadcast}';
  const { publicUrl, tls, streamerUrl, encoder } = gateway;
  const has = (role: Role): boolean => gateway.roles.includes(role);
  const when = (isSo: boolean, ...rows: [string, string][]): [string, string][] =>
    isSo ? rows : [];
  const rows: [string, string][] = [
    ...when(!isWhole(gateway.roles), ['roles', gateway.roles.join(', ')]),
    ...when(
      has('signalling'),
      ['pages', publicUrl],
      ['watch', `${publicUrl}/watch/${watched}`],
      ['present', `${publicUrl}/present/${watched}`],
      ['API', `${publicUrl}/api`],
    ),
    ...when(
      has('origin'),
      ['LL-HLS', `${publicUrl}/live/${watched}/main.m3u8`],
      ['LL-DASH', `${publicUrl}/live/${watched}/manifest.mpd`],
    ),
    ...(tls === undefined
      ? []
      : ([
          ['TLS', `${tls.publicUrl}  (pages, presenters, media)`],
          ['HTTP/2', `${tls.mediaUrl}/live/${watched}/main.m3u8  (low latency on Apple)`],
        ] satisfies [string, string][])),
    ...when(streamerUrl !== undefined, [
      'Unreal',
      `-PixelStreamingSignallingURL=${streamerUrl ?? ''}  (UE 5.2-5.4: -PixelStreamingURL=…)`,
    ]),
    [
      'internal',
      `${gateway.internalUrl}  (feed, publishing, /metrics; needs the token in {dataDir}/internal.token)`,
    ],
    ['Redis', gateway.redis],
    ...when(encoder !== undefined, ['encoder', `${encoder?.name ?? ''}: ${encoder?.reason ?? ''}`]),
    ...when(demo !== undefined, ['demo', `streamer '${watched}' in its own process`]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    '',
    '  Grandstand is up',
    '',
    ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    '',
    '  Ctrl-C stops it.',
    '',
  ].join('\n');
}
