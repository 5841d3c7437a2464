/** `grandstand start`: runs the gateway, says what runs where, and ends in order. */
import { errorText, type GatewayError } from '../../kernel/errors.ts';
import { createLogger } from '../../kernel/logger.ts';
import { type Gateway, startGateway } from '../gateway.ts';
import { loadConfig } from '../loadConfig.ts';
import { type DemoChild, startDemoChild } from './demo.ts';

/** Signals this close together are one wish: a terminal's Ctrl-C reaches npm and us, and npm forwards. */
const SAME_WISH_MS = 1500;
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
  const gateway = await startGateway(config, logger, onFatal);
  const demo = options.isDemo
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

function onStopSignals(end: (reason: string) => void): () => void {
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    firstMs ??= nowMs;
    if (nowMs - firstMs > SAME_WISH_MS) {
      process.exit(1);
    }
    end(signal);
  };
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) {
    process.on(signal, onSignal);
  }
  return () => {
    for (const signal of signals) {
      process.off(signal, onSignal);
    }
  };
}

function summary(gateway: Gateway, demo: DemoChild | undefined): Record<string, unknown> {
  const { publicUrl, tls, streamerUrl, internalUrl, redis, encoder } = gateway;
  return {
    ...{ publicUrl, tls: tls ?? null, streamerUrl, internalUrl, redis, encoder },
    demo: demo?.id ?? null,
  };
}

function table(gateway: Gateway, demo: DemoChild | undefined): string {
  const watched = demo?.id ?? '{broadcast}';
  const rows: [string, string][] = [
    ['pages', gateway.publicUrl],
    ['watch', `${gateway.publicUrl}/watch/${watched}`],
    ['present', `${gateway.publicUrl}/present/${watched}`],
    ['LL-HLS', `${gateway.publicUrl}/live/${watched}/main.m3u8`],
    ['LL-DASH', `${gateway.publicUrl}/live/${watched}/manifest.mpd`],
    ...(gateway.tls === undefined
      ? []
      : ([
          ['TLS', `${gateway.tls.publicUrl}  (pages, presenters, media)`],
          ['HTTP/2', `${gateway.tls.mediaUrl}/live/${watched}/main.m3u8  (low latency on Apple)`],
        ] satisfies [string, string][])),
    [
      'Unreal',
      `-PixelStreamingSignallingURL=${gateway.streamerUrl}  (UE 5.2-5.4: -PixelStreamingURL=…)`,
    ],
    [
      'internal',
      `${gateway.internalUrl}  (feed, publishing, /metrics; needs the token in {dataDir}/internal.token)`,
    ],
    ['Redis', gateway.redis],
    ['encoder', `${gateway.encoder.name}: ${gateway.encoder.reason}`],
    ...(demo === undefined
      ? []
      : [['demo', `streamer '${demo.id}' in its own process`] satisfies [string, string]]),
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
