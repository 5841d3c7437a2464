/** `/healthz` and `/readyz`: every role has them. */
import { z } from 'zod';
import { type Route, sendJson } from './route.ts';

/** The routes. @param notReady names of what is not ready yet; none when the process is ready */
export function operationsRoutes(notReady: () => Promise<readonly string[]>): Route[] {
  const ready = z.object({ ready: z.boolean(), missing: z.array(z.string()) });
  return [
    {
      ...{ method: 'get', path: '/healthz', tag: 'operations', access: 'anyone' },
      summary: 'The process answers',
      answers: { 200: { description: 'It does.', type: 'text/plain' } },
      handle({ response }) {
        response.set('Cache-Control', 'no-store').type('text').send('ok\n');
      },
    },
    {
      ...{ method: 'get', path: '/readyz', tag: 'operations', access: 'anyone' },
      summary: 'It can serve',
      answers: {
        200: { description: 'It can.', schema: ready },
        503: { description: 'What it lacks.', schema: ready },
      },
      async handle({ response }) {
        const missing = await notReady();
        const isReady = missing.length === 0;
        sendJson(response, isReady ? 200 : 503, { ready: isReady, missing });
      },
    },
  ];
}
