/** nginx over tmpfs and wrk, the measure that an origin is held against. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import { until } from '../support/until.ts';
import { cpuSecondsOf } from './cpu.ts';

const run = promisify(execFile);

/** What one server did under wrk. */
export type Load = { readonly perSecond: number; readonly cpuUsPerRequest: number };

/** Names of the tools that are missing. */
export async function missingTools(): Promise<string[]> {
  const checks = await Promise.all(
    [
      { tool: 'nginx', args: ['-v'] },
      { tool: 'wrk', args: ['-v'] },
    ].map(async ({ tool, args }) =>
      run(tool, args, { env: withSbin() }).then(
        () => [],
        // wrk answers -v with exit code 1.
        (error: unknown) =>
          error instanceof Error && 'code' in error && error.code === 'ENOENT' ? [tool] : [],
      ),
    ),
  );
  return checks.flat();
}

/** nginx with one worker, serving `files` (path to bytes and type) from tmpfs on `port`. */
export async function startNginx(
  port: number,
  files: Readonly<Record<string, { readonly bytes: Uint8Array; readonly type: string }>>,
): Promise<Closeable & { readonly pid: number }> {
  const folder = await mkdtemp('/dev/shm/gs-bench-');
  for (const [name, { bytes }] of Object.entries(files)) {
    await writeFile(join(folder, name), bytes);
  }
  const locations = Object.entries(files).map(
    ([name, { type }]) => `location = /${name} { default_type ${type}; }`,
  );
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; types {}
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server {
    listen 127.0.0.1:${port}; root ${folder};
    add_header Cache-Control "public, max-age=31536000, immutable";
    add_header Access-Control-Allow-Origin "*";
    add_header Access-Control-Expose-Headers "Age, Date, Content-Length, Content-Range";
    ${locations.join('\n    ')}
  }
}
`,
  );
  const child = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: withSbin(),
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const nginx = {
    pid: child.pid ?? 0,
    async close() {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await until('nginx listens', 5000, () => canConnect(port));
  } catch (error) {
    await nginx.close();
    throw error;
  }
  return nginx;
}

/** 64 keep-alive connections from one thread of wrk for `seconds`. */
export async function load(url: string, pid: number, seconds: number): Promise<Load> {
  const before = await cpuSecondsOf(pid);
  const { stdout } = await run('wrk', ['-t1', '-c64', `-d${seconds}s`, url]);
  const cpuS = (await cpuSecondsOf(pid)) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (/Non-2xx/.test(stdout) || !(requests > 0)) {
    throw new Error(`wrk of ${url}:\n${stdout}`);
  }
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    cpuUsPerRequest: (cpuS * 1e6) / requests,
  };
}

async function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Debian keeps nginx where only root's PATH looks. */
function withSbin(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` };
}
