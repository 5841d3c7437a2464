/** `/api/v1/broadcasts`: what is desired and how it does. */
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { BroadcastView } from '../../broadcastView.ts';
import { recordingUrls } from '../../broadcastView.ts';
import type { Change, DesiredBroadcasts } from '../../desired.ts';
import { broadcastIdSchema } from '../../../kernel/wire.ts';
import { bodyProblem, sendProblem } from '../problem.ts';
import { type WriteRule, writeRefusal } from './access.ts';
import { createBroadcastSchema, emptySchema } from './schemas.ts';

/** A finished recording. */
export type Recording = {
  readonly id: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bytes: number;
  readonly expiresMs: number;
};

/** What these routes are made from. */
export type BroadcastApiDeps = {
  readonly writeRule: WriteRule;
  readonly desired: DesiredBroadcasts;
  broadcasts(): Promise<readonly BroadcastView[]>;
  broadcast(id: string): Promise<BroadcastView | undefined>;
  recordings(id: string): readonly Recording[];
};

const COLLECTION = '/api/v1/broadcasts';
const ONE = `${COLLECTION}/:id`;
const MAX_BODY_BYTES = 65_536;

/** Adds the routes. */
export function addBroadcastApi(app: Express, deps: BroadcastApiDeps): void {
  const write = writeGuard(deps.writeRule);
  app
    .route(COLLECTION)
    .get(async (_request, response) => {
      sendJson(response, 200, { broadcasts: await deps.broadcasts() });
    })
    .post(...write, async (request, response) => {
      const wish = bodyOf(createBroadcastSchema, request, response);
      if (wish === undefined) {
        return;
      }
      const change = await deps.desired.create(wish);
      response.location(`${COLLECTION}/${wish.id}`);
      await sendChange(deps, response, wish.id, change, 201);
    })
    .all(notAllowed('GET, POST'));
  app
    .route(ONE)
    .get(async (request, response) => {
      const view = await viewOf(deps, request.params.id);
      if (view === undefined) {
        sendUnknown(response, request.params.id);
        return;
      }
      sendJson(response, 200, view);
    })
    .delete(...write, async (request, response) => {
      const view = await viewOf(deps, request.params.id);
      if (view !== undefined && view.state !== 'ended' && view.state !== 'idle') {
        sendProblem(response, {
          status: 409,
          detail: `broadcast '${view.id}' is ${view.state}; stop it first`,
        });
        return;
      }
      if (view === undefined || (await deps.desired.remove(view.id)).kind === 'unknown') {
        sendUnknown(response, request.params.id);
        return;
      }
      response.status(204).end();
    })
    .all(notAllowed('GET, DELETE'));
  for (const verb of ['stop', 'start'] as const) {
    app
      .route(`${ONE}/${verb}`)
      .post(...write, async (request: Request<{ id: string }>, response) => {
        const { id } = request.params;
        if (bodyOf(emptySchema, request, response) !== undefined) {
          const change = isId(id) ? await deps.desired[verb](id) : { kind: 'unknown' as const };
          await sendChange(deps, response, id, change, 200);
        }
      })
      .all(notAllowed('POST'));
  }
  app
    .route(`${ONE}/recordings`)
    .get(async (request: Request<{ id: string }>, response) => {
      const { id } = request.params;
      // A broadcast that was deleted leaves its recordings until their retention ends.
      const recordings = isId(id) ? deps.recordings(id) : [];
      if (recordings.length === 0 && (await viewOf(deps, id)) === undefined) {
        sendUnknown(response, id);
        return;
      }
      sendJson(response, 200, { recordings: recordings.map((one) => recordingView(id, one)) });
    })
    .all(notAllowed('GET'));
}

function writeGuard(rule: WriteRule): RequestHandler[] {
  return [
    (request, response, next) => {
      const { method, httpVersion, headers } = request;
      const { remoteAddress } = request.socket;
      const refusal = writeRefusal({ method, httpVersion, headers, remoteAddress }, rule);
      if (refusal === undefined) {
        next();
        return;
      }
      if (refusal.status === 401) {
        response.set('WWW-Authenticate', 'Bearer realm="grandstand"');
      }
      sendProblem(response, refusal);
    },
    express.json({ limit: MAX_BODY_BYTES }),
  ];
}

function bodyOf<T extends z.ZodType>(
  schema: T,
  request: Pick<Request, 'body'>,
  response: Response,
): z.output<T> | undefined {
  const result = schema.safeParse(request.body ?? {});
  if (result.success) {
    return result.data;
  }
  sendProblem(response, bodyProblem(result.error));
  return undefined;
}

async function sendChange(
  deps: BroadcastApiDeps,
  response: Response,
  id: string,
  change: Change,
  status: number,
): Promise<void> {
  switch (change.kind) {
    case 'done':
      sendJson(response, status, await deps.broadcast(id));
      break;
    case 'unknown':
      sendUnknown(response, id);
      break;
    case 'conflict':
    case 'full':
      sendProblem(response, { status: 409, detail: change.reason });
  }
}

async function viewOf(deps: BroadcastApiDeps, id: string): Promise<BroadcastView | undefined> {
  return isId(id) ? deps.broadcast(id) : undefined;
}

function recordingView(broadcastId: string, recording: Recording): Record<string, unknown> {
  return {
    id: recording.id,
    from: new Date(recording.fromMs).toISOString(),
    to: new Date(recording.toMs).toISOString(),
    expires: new Date(recording.expiresMs).toISOString(),
    bytes: recording.bytes,
    urls: recordingUrls(broadcastId, recording.id),
  };
}

function isId(id: string): boolean {
  return broadcastIdSchema.safeParse(id).success;
}

function sendUnknown(response: Response, id: string): void {
  sendProblem(response, {
    status: 404,
    title: 'Unknown broadcast',
    detail: `There is no broadcast '${id.slice(0, 64)}'.`,
  });
}

function notAllowed(allow: string): RequestHandler {
  return (_request, response) => {
    response.set('Allow', allow);
    sendProblem(response, { status: 405, detail: `only ${allow}` });
  };
}

function sendJson(response: Response, status: number, value: unknown): void {
  response.status(status).set('Cache-Control', 'no-store').json(value);
}
