/** A small cluster of separate processes on one machine: Redis, roles, and the demo streamer. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { GatewayError } from '../../kernel/errors.ts';
import { type Closeable, closeStack } from '../../kernel/lifecycle.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { Ladder } from '../../kernel/wire.ts';
import { startDemoChild } from '../cli/demo.ts';
import type { Role } from '../config.ts';
import type { LogRecord } from './doing.ts';
import { type Front, type Sharing, startFront } from './front.ts';
import { createMember, type Member } from './member.ts';
import { type ClusterSource, planCluster } from './plan.ts';
import { type ClusterRedis, startClusterRedis } from './redisProcess.ts';

/** What a cluster is made of. */
export type ClusterSetup = {
  /** Data and logs of all of them. */
  readonly directory: string;
  /** Of the front and of streamers; free ones where left out. */
  readonly httpPort?: number;
  readonly streamersPort?: number;
  readonly workers: number;
  readonly origins: number;
  readonly redundancy: 1 | 2;
  readonly source: ClusterSource;
  readonly ladder: Ladder;
  /** How media requests are shared out; `first` where left out. */
  readonly sharing?: Sharing;
  /** Processes that end are started again. */
  readonly isKept: boolean;
  /** Settings beside the cluster's own, for every process. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onChange?: (member: Member, event: string | LogRecord) => void;
};

/** The running cluster. */
export type Cluster = Closeable & {
  readonly redis: ClusterRedis;
  readonly members: readonly Member[];
  readonly token: string;
  readonly front: Front;
  readonly streamerUrl: string;
  /** Id of the demo's broadcast. */
  readonly broadcast: string;
  of(role: Role): readonly Member[];
};

/** Starts everything; what was started is closed again where something does not start. */
export async function startCluster(setup: ClusterSetup, logger: Logger): Promise<Cluster> {
  const stack = closeStack(
    (error) => {
      logger.warn({ error: String(error) }, 'closing');
    },
    { deadlineMs: 25_000 },
  );
  try {
    return await build(setup, logger, stack);
  } catch (error) {
    await stack.close('start failed');
    throw error;
  }
}

async function build(
  setup: ClusterSetup,
  logger: Logger,
  stack: ReturnType<typeof closeStack>,
): Promise<Cluster> {
  const count = 2 * (setup.workers + setup.origins + 2) + 3;
  const ports = await freePorts(count);
  const nextPort = (): number => {
    const port = ports.pop();
    if (port === undefined) {
      throw new GatewayError('port_in_use', 'no port is left for another process of the cluster');
    }
    return port;
  };
  const redisDirectory = join(setup.directory, 'redis');
  await mkdir(redisDirectory, { recursive: true });
  const redis = stack.push(
    await startClusterRedis({
      directory: redisDirectory,
      port: nextPort(),
      password: randomBytes(16).toString('hex'),
    }),
  );
  const token = randomBytes(24).toString('base64url');
  const plans = planCluster({
    ...setup,
    ...{ token, nextPort, redisUrl: redis.url },
    streamersPort: setup.streamersPort ?? nextPort(),
    counts: { ingest: 1, worker: setup.workers, origin: setup.origins },
  });
  const members = plans.map((plan) =>
    createMember(plan, {
      logFile: join(setup.directory, 'logs', `${plan.name}.log`),
      isKept: setup.isKept,
      onChange: (...change) => setup.onChange?.(...change),
    }),
  );
  // Together, since starting Node is most of the time; each waits for Redis, none for another.
  stack.defer(async (reason) => {
    await Promise.all(members.map((member) => member.close(reason)));
  });
  await Promise.all(members.map((member) => member.start()));
  const [signalling] = plans;
  const streamerUrl = `ws://127.0.0.1:${signalling?.environment['GRANDSTAND_SIGNALLING_STREAMERS_PORT'] ?? ''}`;
  const front = stack.push(
    await startFront({
      port: setup.httpPort ?? nextPort(),
      pages: signalling?.url ?? '',
      origins: plans.filter(({ role }) => role === 'origin').map(({ url }) => url),
      sharing: setup.sharing ?? 'first',
    }),
  );
  const { width, height, fps, bitrateBps } = setup.source;
  const demo = stack.push(
    startDemoChild(streamerUrl, logger, [
      ...['--size', `${width}x${height}`, '--fps', String(fps), '--bitrate', String(bitrateBps)],
    ]),
  );
  return {
    ...{ redis, members, token, streamerUrl, front },
    broadcast: demo.id,
    of: (role) => members.filter(({ plan }) => plan.role === role),
    close: (reason) => stack.close(reason),
  };
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  for (const server of servers) {
    server.close();
  }
  return ports;
}
