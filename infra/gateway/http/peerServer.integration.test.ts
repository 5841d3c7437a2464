/** One port for ws and wss, with a real certificate and real sockets. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startSignalling } from '../../../signalling/index.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { Secret } from '../../kernel/secret.ts';
import { type Certificate, loadCertificate } from './certificate.ts';
import { createCertificates } from './certificates.ts';
import { peerServers } from './peerServer.ts';

const run = promisify(execFile);
let directory: string;
let certificate: Certificate;
let renewed: Certificate;

async function make(name: string): Promise<Certificate> {
  const files = {
    certificateFile: join(directory, `${name}.pem`),
    keyFile: join(directory, `${name}.key`),
  };
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-days', '30', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', files.keyFile, '-out', files.certificateFile],
  ]);
  return loadCertificate(files);
}

async function open(isPlainTaken: boolean) {
  const certificates = createCertificates(certificate);
  const signalling = await startSignalling(
    {
      ...{ logger: silentLogger, metrics: noMetrics, internalToken: new Secret('internal') },
      createServer: peerServers(certificates, { isPlainTaken, headersTimeoutMs: 1000 }),
    },
    { streamers: { port: 0 } },
    new AbortController().signal,
  );
  return { signalling, certificates, port: signalling.streamersPort };
}

/** What a streamer is first told, or why it is told nothing. */
async function firstWord(url: string, ca?: Buffer): Promise<string> {
  const socket = new WebSocket(url, ca === undefined ? {} : { ca });
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('message', (data: Buffer) => {
    resolve((JSON.parse(data.toString()) as { type: string }).type);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  const word = await promise;
  socket.terminate();
  return word;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-peer-'));
  [certificate, renewed] = await Promise.all([make('first'), make('second')]);
});
afterAll(() => rm(directory, { recursive: true }));

it('takes streamers by wss and by ws on one port, and closes both', async () => {
  const { signalling, port } = await open(true);
  expect(await firstWord(`wss://127.0.0.1:${port}`, certificate.context.cert)).toBe('config');
  expect(await firstWord(`ws://127.0.0.1:${port}`)).toBe('config');
  const socket = new WebSocket(`wss://127.0.0.1:${port}`, { ca: certificate.context.cert });
  await once(socket, 'open');
  const closed = once(socket, 'close');
  await signalling.close('test over');
  await closed;
});

it('takes wss only where it is told so, and gives a renewed certificate', async () => {
  const { signalling, certificates, port } = await open(false);
  expect(await firstWord(`ws://127.0.0.1:${port}`)).not.toBe('config');
  certificates.renew(renewed);
  expect(await firstWord(`wss://127.0.0.1:${port}`, certificate.context.cert)).not.toBe('config');
  expect(await firstWord(`wss://127.0.0.1:${port}`, renewed.context.cert)).toBe('config');
  await signalling.close('test over');
});

it('is not held by who says nothing, half a handshake or nonsense', async () => {
  const { signalling, port } = await open(true);
  const starts = [Buffer.of(), Buffer.of(22, 3, 1), Buffer.of(22), Buffer.of(0, 255, 22)];
  const sockets = starts.map((start) => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(start);
    return once(socket.resume(), 'close');
  });
  await Promise.all(sockets);
  const rude = connectTls({ port, ca: certificate.context.cert, host: '127.0.0.1' });
  await once(rude, 'secureConnect');
  rude.on('error', () => undefined).destroy();
  expect(await firstWord(`wss://127.0.0.1:${port}`, certificate.context.cert)).toBe('config');
  await signalling.close('test over');
});
