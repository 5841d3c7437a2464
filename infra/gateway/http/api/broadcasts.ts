/** `/api/v1/broadcasts`: what is desired and how it does. */
import type { Response } from 'express';
import type { BroadcastView } from '../../broadcastView.ts';
import { type Change, type DesiredBroadcasts, isReshaped } from '../../desired.ts';
import { broadcastIdSchema } from '../../../kernel/wire.ts';
import { sendProblem } from '../problem.ts';
import { type Call, type Route, sendJson, withBody } from './route.ts';
import {
  broadcastSchema,
  broadcastsSchema,
  createBroadcastSchema,
  emptySchema,
  patchBroadcastSchema,
} from './schemas.ts';

/** What these routes are made from. */
export type BroadcastApiDeps = {
  readonly desired: DesiredBroadcasts;
  broadcasts(): Promise<readonly BroadcastView[]>;
  broadcast(id: string): Promise<BroadcastView | undefined>;
  /** Whether who asks may see who is there. */
  maySeePlayers(call: Call): Promise<boolean>;
};

const COLLECTION = '/api/v1/broadcasts';
const ONE = `${COLLECTION}/{id}`;
const TAG = { tag: 'broadcasts' } as const;
const IS = { description: 'The broadcast as it is now.', schema: broadcastSchema };

/** The routes. */
export function broadcastRoutes(deps: BroadcastApiDeps): Route[] {
  return [
    {
      ...{ method: 'get', path: COLLECTION, ...TAG, access: 'anyone' },
      summary: 'Every broadcast that is desired, or ended and is kept',
      answers: { 200: { description: 'The broadcasts, by id.', schema: broadcastsSchema } },
      async handle(call) {
        const shown = await visible(deps, call);
        const broadcasts = (await deps.broadcasts()).map(shown);
        sendJson(call.response, 200, { broadcasts });
      },
    },
    withBody(createBroadcastSchema, {
      ...{ method: 'post', path: COLLECTION, ...TAG, access: 'operator' },
      summary: 'Make a broadcast; what is left out is the configuration',
      answers: { 201: IS },
      problems: [409],
      async handle({ body, response }) {
        const change = await deps.desired.create(body);
        response.location(`${COLLECTION}/${body.id}`);
        await sendChange(deps, response, body.id, change, 201);
      },
    }),
    {
      ...{ method: 'get', path: ONE, ...TAG, access: 'anyone' },
      summary: 'One broadcast',
      answers: { 200: IS },
      problems: [404],
      async handle(call) {
        const view = await viewOf(deps, call.params['id']);
        if (view === undefined) {
          sendUnknown(call.response, call.params['id']);
          return;
        }
        sendJson(call.response, 200, (await visible(deps, call))(view));
      },
    },
    withBody(patchBroadcastSchema, {
      ...{ method: 'patch', path: ONE, ...TAG, access: 'operator' },
      summary:
        'Change a broadcast: its redundancy at any time, the rest while it is idle or has ended',
      answers: { 200: IS },
      problems: [404, 409],
      async handle({ params: { id = '' }, body, response }) {
        const view = await viewOf(deps, id);
        if (view !== undefined && isOnAir(view) && isReshaped(body)) {
          // A viewer's playlist cannot change its tracks or its grid under it.
          sendConflict(response, view);
          return;
        }
        const change =
          view === undefined ? ({ kind: 'unknown' } as const) : await deps.desired.patch(id, body);
        await sendChange(deps, response, id, change, 200);
      },
    }),
    {
      ...{ method: 'delete', path: ONE, ...TAG, access: 'operator' },
      summary: 'Forget a broadcast that is idle or has ended; its recordings stay',
      answers: { 204: { description: 'It is forgotten.' } },
      problems: [404, 409],
      async handle({ params: { id = '' }, response }) {
        const view = await viewOf(deps, id);
        if (view !== undefined && isOnAir(view)) {
          sendConflict(response, view);
          return;
        }
        if (view === undefined || (await deps.desired.remove(view.id)).kind === 'unknown') {
          sendUnknown(response, id);
          return;
        }
        response.status(204).end();
      },
    },
    ...(['stop', 'start'] as const).map((verb) =>
      withBody(emptySchema, {
        ...{ method: 'post', path: `${ONE}/${verb}`, ...TAG, access: 'operator' },
        summary:
          verb === 'stop' ? 'End it for its viewers' : 'Start one that was stopped, as another run',
        answers: { 200: IS },
        problems: verb === 'stop' ? [404] : [404, 409],
        async handle({ params: { id = '' }, response }) {
          const change = isId(id) ? await deps.desired[verb](id) : { kind: 'unknown' as const };
          await sendChange(deps, response, id, change, 200);
        },
      }),
    ),
  ];
}

/** Answers that there is no such broadcast. */
export function sendUnknown(response: Response, id = ''): void {
  sendProblem(response, {
    status: 404,
    title: 'Unknown broadcast',
    detail: `There is no broadcast '${id.slice(0, 64)}'.`,
  });
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

function sendConflict(response: Response, { id, state }: BroadcastView): void {
  sendProblem(response, { status: 409, detail: `broadcast '${id}' is ${state}; stop it first` });
}

async function viewOf(
  deps: BroadcastApiDeps,
  id: string | undefined,
): Promise<BroadcastView | undefined> {
  return id !== undefined && isId(id) ? deps.broadcast(id) : undefined;
}

async function visible(
  deps: BroadcastApiDeps,
  call: Call,
): Promise<(view: BroadcastView) => BroadcastView> {
  return (await deps.maySeePlayers(call))
    ? (view) => view
    : (view) => ({ ...view, presenter: view.presenter && { connected: view.presenter.connected } });
}

function isOnAir({ state }: BroadcastView): boolean {
  return state !== 'ended' && state !== 'idle';
}

function isId(id: string): boolean {
  return broadcastIdSchema.safeParse(id).success;
}
