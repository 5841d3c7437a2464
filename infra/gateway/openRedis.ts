/** Redis for the roles: the configured one, or a private child, cleared of what a killed gateway left. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayConfig } from './config.ts';
import { GatewayError } from '../kernel/errors.ts';
import { type CloseStack, pause } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import { type RedisLocation, startPrivateRedis } from '../kernel/redis.ts';

/**
 * Where Redis is. A private one is closed with `stack`, and `onFatal` is told if it ends before.
 *
 * @param directory the gateway's data directory
 */
export async function openRedis(
  config: GatewayConfig,
  directory: string,
  logger: Logger,
  stack: CloseStack,
  onFatal: (error: GatewayError) => void,
): Promise<{ readonly location: RedisLocation; readonly description: string }> {
  if (config.redis.url !== undefined) {
    const url = config.redis.url.reveal();
    return { location: { kind: 'url', url }, description: new URL(url).host };
  }
  await endOrphan(join(directory, 'redis.pid'));
  const redis = await startPrivateRedis(directory, logger);
  let isClosing = false;
  stack.push({
    async close(reason) {
      isClosing = true;
      await redis.child.close(reason);
    },
  });
  void redis.exited.then(() => {
    if (!isClosing) {
      onFatal(
        new GatewayError(
          'redis_unavailable',
          `the private redis-server has ended; see ${join(directory, 'redis.log')}`,
        ),
      );
    }
  });
  return { location: redis.location, description: 'private redis-server' };
}

/** Ends the private Redis of a gateway that was killed: its parent is gone, its socket is ours. */
async function endOrphan(pidFile: string): Promise<void> {
  const pid = await readFile(pidFile, 'utf8').then(Number, () => Number.NaN);
  if (!Number.isInteger(pid) || pid <= 1) {
    return;
  }
  const commandLine = (): Promise<string> =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  for (let tries = 0; tries < 50 && (await commandLine()).includes('redis-server'); tries += 1) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      break;
    }
    await pause(100);
  }
  await rm(pidFile, { force: true });
}
