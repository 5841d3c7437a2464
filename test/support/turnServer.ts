/** coturn for tests: its configuration from infra-facts, credentials that end, a client that tries them. */
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../infra/kernel/childProcess.ts';
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import { freePorts } from './gatewayProcess.ts';
import { ownAddress } from './udpRelay.ts';
import { until } from './until.ts';

/** Both are of Debian's package coturn. */
const SERVER = 'turnserver';
const CLIENT = 'turnutils_uclient';

/** A running coturn. */
export type TurnServer = Closeable & {
  readonly url: string;
  /** Allocates and sends through it as `turnutils_uclient` does; what that printed. */
  tryOut(username: string, credential: string): Promise<string>;
};

const CLIENT_MS = 10_000;

/** Starts it on this machine's own address; resolves when it listens. */
export async function startTurnServer(secret: string): Promise<TurnServer> {
  const stack = closeStack((error) => {
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'gs-turn-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const address = ownAddress();
  const file = join(directory, 'turnserver.conf');
  await writeFile(
    file,
    [
      `listening-port=${port}`,
      `listening-ip=${address}`,
      `relay-ip=${address}`,
      'min-port=49200',
      'max-port=49400',
      'fingerprint',
      'use-auth-secret',
      `static-auth-secret=${secret}`,
      'realm=gateway.local',
      'stale-nonce=600',
      'no-cli',
      'no-tls',
      'no-dtls',
      'no-multicast-peers',
      // Of tests only: peers of a real one are never on its own machine.
      'allow-loopback-peers',
      'total-quota=200',
      'user-quota=12',
      'log-file=stdout',
      'simple-log',
      `pidfile=${join(directory, 'turnserver.pid')}`,
      `userdb=${join(directory, 'turndb')}`,
    ].join('\n'),
  );
  const child = stack.push(startChild(SERVER, ['-c', file]));
  const server: TurnServer = {
    url: `turn:${address}:${port}`,
    tryOut: (username, credential) =>
      new Promise((resolve) => {
        execFile(
          CLIENT,
          [
            ...['-y', '-n', '2', '-m', '1', '-c', '-L', address],
            ...['-p', String(port), '-u', username, '-w', credential, address],
          ],
          { timeout: CLIENT_MS },
          // Its exit code says little; its words are the answer.
          (_error, stdout, stderr) => resolve(stdout + stderr),
        );
      }),
    close: (reason) => stack.close(reason),
  };
  try {
    await until('coturn answers', CLIENT_MS, () => answersStun(address, port));
  } catch (error) {
    await server.close('did not start');
    throw new Error(
      `coturn did not start (apt-get install coturn): ${child.stderrTail().join('\n')}`,
      { cause: error },
    );
  }
  return server;
}

/** Whether a STUN Binding request gets its answer (RFC 8489 section 6). */
async function answersStun(address: string, port: number): Promise<boolean> {
  const request = Buffer.alloc(20);
  request.writeUInt16BE(0x0001, 0);
  request.writeUInt32BE(0x2112a442, 4);
  const socket = createSocket('udp4');
  try {
    socket.connect(port, address);
    await once(socket, 'connect');
    socket.send(request);
    const [answer] = (await once(socket, 'message', {
      signal: AbortSignal.timeout(500),
    })) as [Buffer];
    return answer.readUInt16BE(0) === 0x0101;
  } finally {
    socket.close();
  }
}

/** Credentials that end in so many seconds, made without our own code. */
export function turnCredentials(
  secret: string,
  endInS: number,
): { readonly username: string; readonly credential: string } {
  const username = `${Math.floor(Date.now() / 1000) + endInS}:somebody`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
