/** `grandstand doctor`: what this machine has and what is missing, by looking, not by guessing. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus } from 'node:os';
import { promisify } from 'node:util';
import { PRESETS_MEASURED, probeEncoders, probePresets } from '../../../packager/worker/index.ts';
import { errorText } from '../../kernel/errors.ts';
import { fitLadder } from '../../kernel/ladder.ts';
import { silentLogger } from '../../kernel/logger.ts';
import type { GatewayConfig, Listen } from '../config.ts';
import { certificateWarning, loadCertificate } from '../http/certificate.ts';
import { loadConfig } from '../loadConfig.ts';

type Finding = { readonly what: string; readonly ok: boolean; readonly detail: string };

const run = promisify(execFile);
/** An unpaced keyframe at 20 Mbps fits (media-facts A.2). */
const WANTED_UDP_BUFFER_BYTES = 4 << 20;

/** Prints the findings; exit code 1 where something is missing that the gateway needs. */
export async function doctor(options: {
  readonly file: string | undefined;
  readonly isJson: boolean;
}): Promise<void> {
  const config = await loadConfig({ file: options.file, environment: process.env, flags: {} });
  const findings: Finding[] = [
    { what: 'Node', ok: true, detail: process.version },
    { what: 'processor cores', ok: true, detail: String(cpus().length) },
    await toolFinding('ffmpeg', ['-version']),
    await toolFinding('redis-server', ['--version']),
    ...(await encoderFindings(config)),
    await udpBufferFinding(),
    await portFinding('http.listen', config.http.listen),
    ...(await tlsFindings(config)),
    await portFinding('internal.listen', config.internal.listen),
    await portFinding('signalling.streamers', config.signalling.streamers),
  ];
  if (options.isJson) {
    console.log(JSON.stringify({ findings }));
  } else {
    for (const { what, ok, detail } of findings) {
      console.log(`${ok ? ' ok ' : 'FAIL'}  ${what.padEnd(22)} ${detail}`);
    }
  }
  process.exitCode = findings.every((finding) => finding.ok) ? 0 : 1;
}

async function toolFinding(command: string, args: string[]): Promise<Finding> {
  try {
    const { stdout } = await run(command, args);
    return { what: command, ok: true, detail: stdout.split('\n')[0] ?? '' };
  } catch (error) {
    return {
      what: command,
      ok: false,
      detail: `not usable: ${errorText(error).split('\n')[0] ?? ''}; \`npm start\` installs it`,
    };
  }
}

/** What works, and of what does not the reason; only that nothing works is a failure. */
async function encoderFindings(config: GatewayConfig): Promise<Finding[]> {
  const { worker, broadcast } = config;
  try {
    const ladder = fitLadder(broadcast.ladder, broadcast.sourceHeight);
    const { offers, failed } = await probeEncoders(worker, ladder, silentLogger, true);
    return [
      ...offers.map(({ encoder, capacity, capacityReason }) => ({
        what: encoder.name,
        ok: true,
        detail: `${jobs(capacity)} at once (${capacityReason}): ${encoder.reason}`,
      })),
      ...failed.map(({ name, fault }) => ({ what: name, ok: true, detail: `not here: ${fault}` })),
      // What a machine does not carry is no fault of it.
      ...(await probePresets(worker, offers)).map(({ preset, encoder, detail }) => ({
        ...{ what: `${preset} ${encoder}`, ok: true, detail },
      })),
      { what: 'presets', ok: true, detail: PRESETS_MEASURED },
    ];
  } catch (error) {
    return [{ what: 'encoder', ok: false, detail: errorText(error) }];
  }
}

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${count} jobs`;
}

async function tlsFindings({ tls }: GatewayConfig): Promise<Finding[]> {
  const { certificateFile, keyFile } = tls;
  if (certificateFile === undefined || keyFile === undefined) {
    const detail = 'off: no tls.certificateFile; Apple devices play, but not at low latency';
    return [{ what: 'TLS', ok: true, detail }];
  }
  try {
    const certificate = await loadCertificate({ certificateFile, keyFile });
    const { names, validTo } = certificate;
    const warning = certificateWarning(certificate, Date.now());
    return [
      {
        what: 'TLS',
        ok: validTo.getTime() > Date.now(),
        detail: warning ?? `${names}, valid to ${validTo.toISOString()}`,
      },
      await portFinding('tls.listen', tls.listen),
      await portFinding('tls.mediaListen', tls.mediaListen),
    ];
  } catch (error) {
    return [{ what: 'TLS', ok: false, detail: errorText(error) }];
  }
}

async function udpBufferFinding(): Promise<Finding> {
  const what = 'UDP receive buffer';
  const bytes = await readFile('/proc/sys/net/core/rmem_max', 'utf8').then(
    Number,
    () => Number.NaN,
  );
  if (Number.isNaN(bytes)) {
    return { what, ok: true, detail: 'limit unknown on this platform' };
  }
  const detail = `net.core.rmem_max is ${bytes} bytes`;
  // Too small a limit costs packets at high bitrates, not the start: it is advice, never a failure.
  return {
    what,
    ok: true,
    detail:
      bytes >= WANTED_UDP_BUFFER_BYTES
        ? detail
        : `${detail}; raise it: sysctl -w net.core.rmem_max=${WANTED_UDP_BUFFER_BYTES}`,
  };
}

async function portFinding(setting: string, at: Listen): Promise<Finding> {
  const where = `${at.host}:${at.port}`;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) =>
      resolve({ what: setting, ok: false, detail: `${where}: ${error.message}` }),
    );
    server.listen(at.port, at.host, () =>
      server.close(() => resolve({ what: setting, ok: true, detail: `${where} is free` })),
    );
  });
}
