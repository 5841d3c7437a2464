/** Pages and the API, on express. Media never passes here. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Guard } from './api/access.ts';
import { mountRoutes, type Route } from './api/route.ts';
import { addPages } from './pages.ts';
import { sendProblem } from './problem.ts';
import { errorText } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';

/** What the pages and the API are made from. */
export type AppDeps = {
  readonly logger: Logger;
  readonly routes: readonly Route[];
  readonly guard: Guard;
  /** Directory of the built pages; none are served where left out. */
  readonly pagesDirectory?: string | undefined;
};

/** Builds the express application. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', 'weak');
  app.use((_request, response, next) => {
    response.set({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' });
    next();
  });
  mountRoutes(app, deps.routes, deps.guard);
  if (deps.pagesDirectory !== undefined) {
    addPages(app, deps.pagesDirectory);
  }
  app.use((request, response) => {
    const detail = `There is nothing at ${request.path.slice(0, 200)}.`;
    sendProblem(response, { status: 404, detail });
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
    const detail =
      status >= 500 ? 'The gateway could not answer; its log says why.' : errorText(error);
    sendProblem(response, { status, detail });
  });
  return app;
}

function statusOf(error: unknown): number {
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}
