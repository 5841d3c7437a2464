/** Pages and the API, on express. Media never passes here. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { BroadcastView } from '../broadcastView.ts';
import { errorText } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';
import { broadcastIdSchema } from '../../kernel/wire.ts';

/** What the pages and the API are made from. */
export type AppDeps = {
  readonly logger: Logger;
  /** Directory of the built pages. */
  readonly pagesDirectory: string;
  broadcasts(): Promise<readonly BroadcastView[]>;
  broadcast(id: string): Promise<BroadcastView | undefined>;
  /** Names of what is not ready yet; none when the gateway is ready. */
  notReady(): Promise<readonly string[]>;
  /** Epic's REST views (pixel-streaming §1.8): the value, or undefined for 404. */
  epicView(path: readonly string[]): unknown;
};

const PAGE_CACHE = 'public, max-age=60';
const ASSET_CACHE = 'public, max-age=31536000, immutable';
/** Pages load only what this server serves; WebRTC media needs no source, workers are blobs (hls.js). */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; connect-src 'self' ws: wss:; font-src 'self' data:; frame-ancestors 'self'; base-uri 'none'";

/** Builds the express application. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', 'weak');
  app.use((_request, response, next) => {
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' });
    next();
  });
  addApi(app, deps);
  addPages(app, deps.pagesDirectory);
  app.use((request, response) => {
    problem(response, 404, 'Not found', `There is nothing at ${request.path.slice(0, 200)}.`);
  });
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const status = statusOf(error);
    if (status >= 500) {
      deps.logger.error({ path: request.path, error: errorText(error) }, 'request failed');
    }
    problem(
      response,
      status,
      status === 400 ? 'Bad request' : 'Request failed',
      status >= 500 ? 'The gateway could not answer; its log says why.' : errorText(error),
    );
  });
  return app;
}

function addApi(app: Express, deps: AppDeps): void {
  app.get('/healthz', (_request, response) => {
    response.set('Cache-Control', 'no-store').type('text').send('ok\n');
  });
  app.get('/readyz', async (_request, response) => {
    const missing = await deps.notReady();
    response
      .status(missing.length === 0 ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ ready: missing.length === 0, missing });
  });
  app.get('/api/v1/broadcasts', async (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ broadcasts: await deps.broadcasts() });
  });
  app.get('/api/v1/broadcasts/:id', async (request, response) => {
    const id = broadcastIdSchema.safeParse(request.params.id);
    const view = id.success ? await deps.broadcast(id.data) : undefined;
    if (view === undefined) {
      problem(
        response,
        404,
        'Unknown broadcast',
        `There is no broadcast '${request.params.id.slice(0, 64)}'.`,
      );
      return;
    }
    response.set('Cache-Control', 'no-store').json(view);
  });
  app.get(
    ['/api/status', '/api/streamers', '/api/streamers/:id', '/api/players', '/api/players/:id'],
    (request, response) => {
      const view = deps.epicView(request.path.split('/').slice(2).map(decodeURIComponent));
      response.set('Cache-Control', 'no-store');
      if (view === undefined) {
        response.status(404).json({ message: 'Not found.' });
        return;
      }
      response.json(view);
    },
  );
}

function addPages(app: Express, directory: string): void {
  const page = (file: string) => (_request: Request, response: Response) => {
    const path = join(directory, file);
    if (!existsSync(path)) {
      problem(
        response,
        503,
        'Pages are not built',
        'Run `npm run build`, or start with `npm start`, which builds them.',
      );
      return;
    }
    response.set({
      'Cache-Control': PAGE_CACHE,
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    });
    response.sendFile(path);
  };
  app.use(
    '/assets',
    express.static(join(directory, 'assets'), {
      fallthrough: true,
      index: false,
      setHeaders: (response) => response.setHeader('Cache-Control', ASSET_CACHE),
    }),
  );
  app.get('/', page('index.html'));
  app.get('/watch/:id', page('watch.html'));
  app.get('/present/:id', page('present.html'));
  app.get('/operate', page('operate.html'));
  app.use(express.static(directory, { index: false, maxAge: 60_000 }));
}

/** RFC 9457 problem details. */
function problem(response: Response, status: number, title: string, detail: string): void {
  response
    .status(status)
    .set('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, detail }));
}

function statusOf(error: unknown): number {
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}
