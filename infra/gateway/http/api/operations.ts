/** What operators' machines ask, and Epic's REST views. */
import type { Express } from 'express';

/** What these routes are made from. */
export type OperationsDeps = {
  /** Names of what is not ready yet; none when the gateway is ready. */
  notReady(): Promise<readonly string[]>;
  /** Epic's REST views (pixel-streaming §1.8): the value, or undefined for 404. */
  epicView(path: readonly string[]): unknown;
};

/** Adds the routes. */
export function addOperationsApi(app: Express, deps: OperationsDeps): void {
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
