/**
 * Processes of the role signalling alone, on a Redis of their own: what signalling does is shown
 * without an ingest or an encoder beside it, which a small machine cannot run ten of.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../infra/kernel/childProcess.ts';
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import { freePorts, type GatewayProcess, startGatewayProcess } from './gatewayProcess.ts';

/** A Redis, and as many processes as are asked for; all end with it. */
export type SignallingCluster = Closeable & {
  /** @param environment settings beside the roles and the Redis; `SIGNALLING_…` without its prefix */
  open(environment?: Readonly<Record<string, string>>): Promise<GatewayProcess>;
};

/** Starts the Redis. @param password that it asks for, none where left out */
export async function startSignallingCluster(password?: string): Promise<SignallingCluster> {
  const stack = closeStack((error) => {
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'gs-cluster-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  stack.push(
    startChild('redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
      ...(password === undefined ? [] : ['--requirepass', password]),
    ]),
  );
  const login = password === undefined ? '' : `:${password}@`;
  return {
    async open(environment = {}) {
      const gateway = await startGatewayProcess({
        isDemo: false,
        environment: {
          GRANDSTAND_ROLES: 'signalling',
          GRANDSTAND_REDIS_URL: `redis://${login}127.0.0.1:${port}`,
          GRANDSTAND_SIGNALLING_LEASE_MS: '1000',
          ...Object.fromEntries(
            Object.entries(environment).map(([name, value]) => [`GRANDSTAND_${name}`, value]),
          ),
        },
      });
      stack.defer(async () => {
        await gateway.stop();
      });
      return gateway;
    },
    close: (reason) => stack.close(reason),
  };
}
