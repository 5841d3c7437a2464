/**
 * What a fresh machine lacks, found and installed with visible progress. Plain JavaScript without
 * dependencies: it runs on the system's Node (20 or later) before anything is installed.
 *
 *   node infra/setup/setup.mjs run    npm packages, pinned Node, ffmpeg, redis-server, built pages
 *   node infra/setup/setup.mjs test   the same and what the tests need (Chromium, xmllint, openssl, curl, coturn)
 *
 * A machine that lacks nothing is recognised without starting a process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptPackage, neededTools, platformCommand, toolVersionFault } from './tools.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const stampFile = join(root, 'node_modules', '.grandstand-setup.json');
const purpose = process.argv[2] === 'test' ? 'test' : 'run';

await main();

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    fail(`Node 20 or later is needed to install Grandstand (this is ${process.version}).`);
  }
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.once(signal, () => process.exit(code));
  }
  const stamp = readStamp();
  await installTools(stamp);
  await installPackages(stamp);
  await buildPages(stamp);
  writeFileSync(stampFile, JSON.stringify(stamp));
}

async function installTools(stamp) {
  const missing = neededTools(purpose).filter((tool) => !isPresent(tool, stamp));
  if (missing.length === 0) {
    return;
  }
  const names = missing.map((tool) => tool.command).join(', ');
  const packages = missing.map((tool) => aptPackage(tool, readText('/etc/os-release')));
  const isRoot = process.getuid?.() === 0;
  if (process.platform !== 'linux' || !isRoot || find('apt-get') === undefined) {
    fail(
      `missing on this machine: ${names}\nInstall with:\n  ${platformCommand(missing, process.platform, find)}`,
    );
  }
  say(`installing ${names} with apt`);
  await withoutServiceStart(async () => {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-q'], environment);
    await run(
      'apt-get',
      // A fresh machine often upgrades itself in its first minutes and holds the lock.
      [
        '-o',
        'DPkg::Lock::Timeout=120',
        'install',
        '-y',
        '-q',
        '--no-install-recommends',
        ...packages,
      ],
      environment,
    );
  });
  const still = missing.filter((tool) => !isPresent(tool, stamp));
  if (still.length > 0) {
    fail(
      `apt installed ${packages.join(' ')}, but ${still.map((tool) => tool.command).join(', ')} is still missing or too old`,
    );
  }
}

async function installPackages(stamp) {
  const lock = fingerprint([join(root, 'package-lock.json')]);
  if (stamp.lock === lock && existsSync(join(root, 'node_modules', '.package-lock.json'))) {
    return;
  }
  say('installing npm packages and the pinned Node');
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error']);
  stamp.lock = lock;
}

async function buildPages(stamp) {
  if (purpose !== 'run') {
    return; // npm test builds them itself
  }
  const sources = fingerprint([
    ...filesBelow(join(root, 'player-web')),
    ...filesBelow(join(root, 'signalling', 'protocol')),
    join(root, 'package-lock.json'),
  ]);
  if (stamp.pages === sources && existsSync(join(root, 'player-web', 'dist', 'index.html'))) {
    return;
  }
  say('building the pages');
  await run('npm', ['run', '--silent', 'build']);
  stamp.pages = sources;
}

/** In PATH, and recent enough: asked once per binary, remembered by its size and time. */
function isPresent(tool, stamp) {
  const path = find(tool.command, ...(tool.aliases ?? []));
  if (path === undefined) {
    return false;
  }
  const { size, mtimeMs } = statSync(path);
  const key = `${path}:${size}:${mtimeMs}`;
  if (stamp.tools?.[tool.command] === key) {
    return true;
  }
  const fault = toolVersionFault(
    tool,
    () =>
      spawnSync(path, tool.versionArguments ?? ['--version'], { encoding: 'utf8' }).stdout ?? '',
  );
  if (fault !== undefined) {
    say(`${path}: ${fault}`);
    return false;
  }
  stamp.tools = { ...stamp.tools, [tool.command]: key };
  return true;
}

function find(...commands) {
  for (const command of commands) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, command), constants.X_OK);
        return join(folder, command);
      } catch {
        continue;
      }
    }
  }
  return undefined;
}

/** Debian starts services on install; ours are private children, so that is held back meanwhile. */
async function withoutServiceStart(work) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) {
    await work();
    return;
  }
  // On exit, not in a finally: fail() and Ctrl-C exit, and left behind it would keep every service
  // of this machine from starting after its installation.
  const remove = () => rmSync(policy, { force: true });
  process.once('exit', remove);
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  await work();
  remove();
  process.off('exit', remove);
}

/** Runs with one moving line of progress: the newest line of output; the whole tail on failure. */
async function run(command, args, environment = process.env) {
  const startedMs = Date.now();
  const seconds = () => Math.round((Date.now() - startedMs) / 1000);
  const tail = [];
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  });
  const stop = () => child.kill();
  process.once('exit', stop);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line);
      tail.splice(0, tail.length - 40);
    });
  }
  const isTerminal = process.stderr.isTTY;
  const progress = setInterval(
    () => {
      const newest = tail.at(-1)?.trim().slice(0, 60) ?? '';
      if (isTerminal) {
        process.stderr.write(`\r\u001B[K[setup]   ${seconds()} s  ${newest}`);
      } else {
        say(`  ${seconds()} s  ${newest}`);
      }
    },
    isTerminal ? 200 : 5000,
  );
  const failure = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : `exit ${code ?? signal}`),
    );
  });
  clearInterval(progress);
  process.off('exit', stop);
  if (isTerminal) {
    process.stderr.write('\r\u001B[K');
  }
  if (failure !== undefined) {
    fail(`${command} ${args.join(' ')} failed (${failure}):\n${tail.join('\n')}`);
  }
  say(`${command} ${args.find((arg) => /^[a-z]/.test(arg))} done in ${seconds()} s`);
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !/[\\/](dist|node_modules)[\\/]/.test(path))
    .sort();
}

function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    hash.update(path.slice(root.length)).update(readFileSync(path));
  }
  return hash.digest('hex');
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readStamp() {
  try {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
    return typeof stamp === 'object' && stamp !== null ? stamp : {};
  } catch {
    return {};
  }
}

function say(text) {
  console.error(`[setup] ${text}`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
