/** `grandstand workers`: a client of the REST API. */
import type { z } from 'zod';
import { workersSchema } from '../http/api/schemas.ts';
import { type Api, callApi, parseAnswer } from './client.ts';

type Worker = z.output<typeof workersSchema>['workers'][number];

/** Prints each living worker with its encoders and jobs, or the API's JSON. */
export async function listWorkers(api: Api): Promise<void> {
  const body = await callApi(api, 'GET', '/workers');
  const { workers } = parseAnswer(workersSchema, body);
  console.log(api.json ? JSON.stringify(body) : workerTable(workers).join('\n'));
}

/** Lines for people. Pure. */
export function workerTable(workers: readonly Worker[]): string[] {
  if (workers.length === 0) {
    return ['no worker lives: `grandstand start --role worker`'];
  }
  return workers.flatMap(({ instance, host, encoders, jobs }) => [
    `${instance} on ${host}`,
    ...encoders.map(
      ({ name, running, limit, limitReason, capacity, capacityReason }) =>
        `  ${name.padEnd(12)} ${running} of ${limit} jobs` +
        (limitReason === undefined
          ? ` (${capacityReason})`
          : ` instead of ${capacity}: ${limitReason}`),
    ),
    ...jobs.map(
      ({ id, status }) => `    ${id.padEnd(20)} ${status === null ? 'starting' : jobText(status)}`,
    ),
  ]);
}

function jobText(status: NonNullable<Worker['jobs'][number]['status']>): string {
  const { state, encoder, speed, fpsIn, fpsOut, videoDelayMs, restarts, epoch, reason } = status;
  const figures = [
    encoder,
    ...(speed === undefined
      ? []
      : [`${speed.toFixed(2)}x`, `${fpsIn ?? 0} fps in, ${fpsOut ?? 0} out`]),
    ...(videoDelayMs === undefined ? [] : [`${videoDelayMs} ms from feed to publish`]),
    `${restarts} restarts`,
    `epoch ${epoch}`,
  ];
  return `${state}: ${figures.join(', ')}${reason === undefined ? '' : ` (${reason})`}`;
}
