/** The data directory belongs to one gateway at a time; what a killed one left is cleared. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GatewayError } from '../kernel/errors.ts';
import type { Closeable } from '../kernel/lifecycle.ts';
import { Secret } from '../kernel/secret.ts';

/**
 * Claims the directory, making it where it is missing.
 *
 * @throws GatewayError `bad_config` where a living gateway holds it
 */
export async function claimDataDirectory(
  directory: string,
): Promise<Closeable & { readonly path: string }> {
  const path = resolve(directory);
  const pidFile = join(path, 'gateway.pid');
  await mkdir(path, { recursive: true });
  const holder = await livingHolder(pidFile);
  if (holder !== undefined) {
    throw new GatewayError(
      'bad_config',
      `another gateway (process ${holder}) runs on the data directory ${path}; stop it or set dataDir`,
    );
  }
  await writeFile(pidFile, String(process.pid));
  return {
    path,
    async close() {
      await rm(pidFile, { force: true });
    },
  };
}

/**
 * A random secret kept in a file of the directory that only its owner can read: who publishes from
 * outside (`internal.token`), or bears a token (`token.secret`), goes on after a restart.
 */
export async function keptSecret(
  path: string,
  name: 'internal.token' | 'token.secret',
): Promise<Secret> {
  const file = join(path, name);
  const kept = await readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  if (/^[\w-]{43}$/.test(kept)) {
    return new Secret(kept);
  }
  const token = randomBytes(32).toString('base64url');
  await rm(file, { force: true });
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return new Secret(token);
}

async function livingHolder(pidFile: string): Promise<number | undefined> {
  const pid = await readFile(pidFile, 'utf8').then(Number, () => Number.NaN);
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) {
    return undefined;
  }
  // A pid is reused after a reboot: only a process that looks like ours counts.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (commandLine !== undefined) {
    return commandLine.includes('gateway') ? pid : undefined;
  }
  return isAlive(pid) && process.platform !== 'linux' ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
