/**
 * The API as a table: each route says its path, who may use it, what it takes and what it answers.
 * The server mounts the table and OpenAPI is rendered from it, so neither can know more than the other.
 */
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { bodyProblem, sendProblem } from '../problem.ts';
import type { Attempt, Guard, RouteAccess } from './access.ts';

/** Methods of the API. */
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** What a route answers; what is not JSON says what it is. */
export type RouteAnswer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly type?: string;
};

/** What a handler is given. */
export type Call<B = unknown> = {
  readonly params: Readonly<Record<string, string>>;
  readonly body: B;
  readonly request: Request;
  readonly response: Response;
};

/** One operation. Paths are OpenAPI's: `/api/v1/seats/{streamerId}`. */
export type Route = {
  readonly method: Method;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly body?: z.ZodType;
  /** Answers that are no problem, by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** Statuses of problems that are this route's own. */
  readonly problems?: readonly number[];
  readonly handle: (call: Call) => void | Promise<void>;
};

const MAX_BODY_BYTES = 65_536;

/** A route with a body of that schema. */
export function withBody<T extends z.ZodType>(
  body: T,
  route: Omit<Route, 'body' | 'handle'> & {
    readonly handle: (call: Call<z.output<T>>) => void | Promise<void>;
  },
): Route {
  const { handle } = route;
  return {
    ...route,
    body,
    handle: (call) => handle(call as Call<z.output<T>>),
  };
}

/** Mounts the table; other methods of its paths are answered 405. */
export function mountRoutes(app: Express, routes: readonly Route[], guard: Guard): void {
  for (const path of new Set(routes.map((route) => route.path))) {
    const ours = routes.filter((route) => route.path === path);
    const mounted = app.route(expressPath(path));
    for (const route of ours) {
      const parse = route.body === undefined ? [] : [express.json({ limit: MAX_BODY_BYTES })];
      mounted[route.method](guardOf(route, guard), ...parse, handlerOf(route));
    }
    mounted.all(notAllowed(ours.map(({ method }) => method.toUpperCase()).join(', ')));
  }
}

/** A path as express writes it. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** What the guard sees of a request. */
export function attemptOf(
  { httpVersion, headers, socket: { remoteAddress } }: Request,
  isJsonExpected: boolean,
): Attempt {
  return { httpVersion, headers, remoteAddress, isJsonExpected };
}

/** Answers JSON that no cache keeps. */
export function sendJson(response: Response, status: number, value: unknown): void {
  response.status(status).set('Cache-Control', 'no-store').json(value);
}

function guardOf(route: Route, guard: Guard): RequestHandler {
  return async (request, response, next) => {
    const streamerId = request.params['streamerId'];
    const refusal = await guard(
      attemptOf(request, route.body !== undefined),
      route.access,
      typeof streamerId === 'string' ? streamerId : undefined,
    );
    if (refusal === undefined) {
      next();
      return;
    }
    if (refusal.status === 401) {
      response.set('WWW-Authenticate', 'Bearer realm="grandstand"');
    }
    sendProblem(response, refusal);
  };
}

function handlerOf(route: Route): RequestHandler {
  return async (request, response) => {
    const params = Object.fromEntries(
      Object.entries(request.params).map(([name, value]) => [name, String(value)]),
    );
    let body: unknown;
    if (route.body !== undefined) {
      const result = route.body.safeParse(request.body ?? {});
      if (!result.success) {
        sendProblem(response, bodyProblem(result.error));
        return;
      }
      body = result.data;
    }
    await route.handle({ params, body, request, response });
  };
}

function notAllowed(allow: string): RequestHandler {
  return (_request, response) => {
    response.set('Allow', allow);
    sendProblem(response, { status: 405, detail: `only ${allow}` });
  };
}
