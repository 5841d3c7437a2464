/** Pages and the API, on express. Media never passes here. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { addBroadcastApi, type BroadcastApiDeps } from './api/broadcasts.ts';
import { addOperationsApi, type OperationsDeps } from './api/operations.ts';
import { addPages } from './pages.ts';
import { sendProblem } from './problem.ts';
import { errorText } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';

/** What the pages and the API are made from. */
export type AppDeps = BroadcastApiDeps &
  OperationsDeps & {
    readonly logger: Logger;
    /** Directory of the built pages. */
    readonly pagesDirectory: string;
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
  addOperationsApi(app, deps);
  addBroadcastApi(app, deps);
  addPages(app, deps.pagesDirectory);
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
