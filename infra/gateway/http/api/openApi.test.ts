import { describe, expect, it } from 'vitest';
import { createApp } from '../app.ts';
import { broadcastRoutes } from './broadcasts.ts';
import { withDescription } from './description.ts';
import { epicRoutes } from './epic.ts';
import { eventRoutes, EventStream } from './events.ts';
import { apiPage, openApi } from './openApi.ts';
import { operationsRoutes } from './operations.ts';
import { peerRoutes } from './peers.ts';
import { recordingRoutes } from './recordings.ts';
import { tokenRoutes } from './tokens.ts';
import { silentLogger } from '../../../kernel/logger.ts';

/** Nothing of it is called: routes are built, not asked. */
const unused = {} as never;

const routes = withDescription(
  [
    ...operationsRoutes(() => Promise.resolve([])),
    ...broadcastRoutes(unused),
    ...recordingRoutes(unused),
    ...peerRoutes(unused),
    ...tokenRoutes(unused, unused),
    ...eventRoutes(new EventStream('a')),
    ...epicRoutes(unused),
  ],
  '1.2.3',
);
const document = openApi(routes, '1.2.3');

type Layer = { route?: { path: string; methods: Record<string, boolean> } };

/** Every path and method that express answers, but pages, which are HTML. */
function mounted(): string[] {
  const app = createApp({
    logger: silentLogger,
    routes,
    guard: () => Promise.resolve(undefined),
  });
  const { stack } = (app as unknown as { router: { stack: Layer[] } }).router;
  return stack.flatMap(({ route }) =>
    route === undefined
      ? []
      : Object.keys(route.methods)
          .filter((method) => method !== '_all')
          .map((method) => `${method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`),
  );
}

function described(): string[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
}

describe('the OpenAPI document', () => {
  it('has every route of the app, and the app every route of it', () => {
    expect(mounted().sort()).toEqual(described().sort());
    expect(described().length).toBeGreaterThan(25);
  });

  it('names each operation once, and each parameter of its path', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((one) => ({ path, ...one })),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, parameters = [] } of operations) {
      expect(parameters.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    }
  });

  it('refers to nothing that it lacks, and leaves no zod behind', () => {
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target = '']) => target);
    expect(new Set(references)).toContain('#/components/schemas/Broadcast');
    for (const reference of references) {
      const name = reference.replace('#/components/schemas/', '');
      expect(document.components.schemas).toHaveProperty([name]);
    }
    expect(text).not.toMatch(/\$schema|\$defs|~standard/);
  });

  it('says who may, what is taken, and what can go wrong', () => {
    expect(document.paths['/api/v1/seats/{streamerId}']?.['put']).toMatchObject({
      security: [{ bearer: [] }, { cookie: [] }],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['playerId'],
              additionalProperties: false,
            },
          },
        },
      },
      responses: { 200: {}, 401: {}, 403: {}, 404: {}, 409: {}, 415: {}, 422: {} },
    });
    expect(document.paths['/api/v1/broadcasts']?.['get']?.security).toEqual([]);
  });

  it('becomes a page that loads nothing and runs nothing', () => {
    const page = apiPage(document);
    expect(page).not.toMatch(/<script|src=|https?:\/\//);
    for (const path of Object.keys(document.paths)) {
      expect(page).toContain(path);
    }
  });
});
