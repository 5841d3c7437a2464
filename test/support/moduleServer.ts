/** Serves the repository's TypeScript to a browser page, types stripped: pages of tests need no build. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';

const ROOT = join(import.meta.dirname, '../..');

/**
 * Starts on a port of loopback that the system picks; `/` is an empty page.
 *
 * @returns `origin` without a slash at the end; modules lie under it by their path in the repository
 */
export async function startModuleServer(): Promise<Closeable & { readonly origin: string }> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
      if (path === '/') {
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end('<!doctype html><title>test page</title><body></body>');
        return;
      }
      try {
        const source = await readFile(join(ROOT, path), 'utf8');
        response.setHeader('content-type', 'text/javascript; charset=utf-8');
        response.end(path.endsWith('.ts') ? stripTypeScriptTypes(source) : source);
      } catch {
        response.statusCode = 404;
        response.end();
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
