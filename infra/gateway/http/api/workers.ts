/** `/api/v1/workers`: who encodes what, and how it goes. */
import type { WorkerReport } from '../../../kernel/workerReport.ts';
import { type Route, sendJson } from './route.ts';
import { workersSchema } from './schemas.ts';

/** The routes. */
export function workerRoutes(board: { workers(): Promise<readonly WorkerReport[]> }): Route[] {
  return [
    {
      ...{ method: 'get', path: '/api/v1/workers', tag: 'workers', access: 'reader' },
      summary: 'Every living worker, its encoders and its jobs',
      answers: { 200: { description: 'The workers.', schema: workersSchema } },
      async handle({ response }) {
        const workers = (await board.workers()).map(({ jobs, ...worker }) => ({
          ...worker,
          jobs: jobs.map(({ startedMs, status, ...job }) => ({
            ...job,
            since: new Date(startedMs).toISOString(),
            status: status ?? null,
          })),
        }));
        sendJson(response, 200, { workers });
      },
    },
  ];
}
